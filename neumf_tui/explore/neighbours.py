"""Items or users near each other, by the cosine of their vectors in one embedding table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.ranks import DIVERGED
from neumf_tui.explore.guests import Who
from neumf_tui.explore.ranker import Ranker

KINDS = ("gmf", "mlp")  # the embedding tables of the GMF path and of the MLP path
CLOSE = 0.99  # cosine from which vectors are called close
_SLACK = 1e-5  # far more than float32 rounding changes a cosine


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of one embedding table, nearest first; arrays of shape (neighbours,)."""

    rows: NDArray[np.int64]  # item or user indices
    cosines: NDArray[np.float64]
    both: NDArray[np.int64]
    """Items: users who have both in their history. Users: items that are in both histories."""
    close: int
    """How many rows have a cosine of at least CLOSE. If these are hundreds, almost all vectors
    point in one direction (as in an MLP path that has learned popularity alone), and a near
    neighbour means little."""
    zero: bool = False
    """Whether the vector asked about is zero: it has no direction, and so no neighbours."""


def nearest(
    table: NDArray[np.float32], vector: NDArray[np.float32], count: int, leave_out: int = -1
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Return the `count` rows of `table` (n, d) with the greatest cosine to `vector` (d,).

    Also these cosines, and how many rows are close; equal cosines are in the order of rows. Row
    `leave_out` and rows of zeros are not neighbours; a zero `vector` has none. Raises RunError
    where a vector is not a number.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", table, table, dtype=np.float64))
    wanted = vector.astype(np.float64)
    own = np.sqrt(wanted @ wanted)
    if not np.isfinite(lengths.sum() + own):
        raise RunError(f"an embedding {DIVERGED}")
    rows = np.flatnonzero(lengths)
    rows = rows[rows != leave_out]
    if own == 0 or not len(rows) or count < 1:
        return np.empty(0, dtype=np.int64), np.empty(0), 0
    rough = (table @ (wanted / own).astype(np.float32))[rows] / lengths[rows]
    count = min(count, len(rows))
    least = np.partition(rough, len(rows) - count)[len(rows) - count]
    # A matrix product may sum rows in different orders; one order gives equal vectors equal
    # cosines.
    rows = rows[rough >= min(least, CLOSE) - _SLACK]
    near = table[rows].astype(np.float64)
    cosines = np.clip((near * wanted).sum(1) / np.sqrt((near * near).sum(1)) / own, -1, 1)
    order = np.argsort(-cosines, kind="stable")[:count]
    return rows[order], cosines[order], int((cosines >= CLOSE).sum())


def seen_with(dataset: Dataset, item: int) -> NDArray[np.int64]:
    """Return how many users have both `item` and each item in their history, shape (num_items,)."""
    split = dataset.split
    saw = np.zeros(dataset.num_users, dtype=bool)
    saw[split.users[split.items == item]] = True
    return np.bincount(split.items[saw[split.users]], minlength=dataset.num_items)


def similar_items(ranker: Ranker, item: int, count: int) -> dict[str, Neighbours]:
    """Return the items nearest to `item`, by kind of vector."""
    together = seen_with(ranker.dataset, item)
    found = {}
    for kind, layer in zip(KINDS, (ranker.model.item_gmf, ranker.model.item_mlp), strict=True):
        table = layer.weight.numpy()
        rows, cosines, close = nearest(table, table[item], count, item)
        found[kind] = Neighbours(rows, cosines, together[rows], close, not table[item].any())
    return found


def similar_users(ranker: Ranker, who: Who, count: int) -> dict[str, Neighbours]:
    """Return the users nearest to a person, by kind of vector.

    Raises RunError for a guest with items that are not in this catalogue.
    """
    data, person, model = ranker.dataset, ranker.person(who), ranker.model
    own = np.zeros(data.num_items, dtype=bool)
    own[person.history] = True
    found = {}
    for kind, layer, vector in zip(
        KINDS, (model.user_gmf, model.user_mlp), (person.gmf, person.mlp), strict=True
    ):
        leave_out = who if isinstance(who, int) else -1
        rows, cosines, close = nearest(layer.weight.numpy(), vector, count, leave_out)
        both = np.array([own[data.history(row)].sum() for row in rows.tolist()], dtype=np.int64)
        found[kind] = Neighbours(rows, cosines, both, close, not vector.any())
    return found
