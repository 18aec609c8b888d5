"""Who is near whom: cosine between the vectors of one embedding table, and what neighbours have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.explore.ranker import Ranker, Who
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.views.person import film_keys
from neumf_tui.views.sheet import Row, Sheet

KINDS = ("gmf", "mlp")
"""The two embedding tables: of the GMF path and of the MLP path."""
CLOSE = 0.99
"""Cosine from which vectors are called close."""
_SLACK = 1e-5
"""Far more than float32 rounding moves a cosine."""
ITEM_COLUMNS = ("item_id", "title", "year", "cosine", "both", "seen_by")
USER_COLUMNS = ("user", "cosine", "both", "history_size")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows of one embedding table, nearest first; arrays of shape (neighbours,)."""

    rows: NDArray[np.int64]
    """Item or user indices."""
    cosines: NDArray[np.float64]
    both: NDArray[np.int64]
    """Items: users who have both in their history. Users: items that are in both histories."""
    close: int
    """How many rows have a cosine of at least CLOSE. Where these are hundreds, the vectors all but point one way (as those of an
    MLP path that has learned popularity alone), and being the nearest of them says little."""
    zero: bool = False
    """Whether the vector asked about is zero: it has no direction, and so no neighbours."""


def nearest(
    table: NDArray[np.float32], vector: NDArray[np.float32], count: int, leave_out: int = -1
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """The `count` rows of `table` (n, d) with the greatest cosine to `vector` (d,), equal ones by row; these cosines; how many
    rows are close.

    Row `leave_out` and rows of zeros are no neighbours; a zero `vector` has none. Raises RunError where a vector is not a number.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", table, table, dtype=np.float64))
    wanted = vector.astype(np.float64)
    own = np.sqrt(wanted @ wanted)
    if not np.isfinite(lengths.sum() + own):
        raise RunError("an embedding is not a number: the model has diverged; train the run again")
    there = lengths > 0
    if leave_out >= 0:
        there[leave_out] = False
    rows = np.flatnonzero(there)
    if own == 0 or not len(rows) or count < 1:
        return np.empty(0, dtype=np.int64), np.empty(0), 0
    rough = (table @ (wanted / own).astype(np.float32))[rows] / lengths[rows]
    count = min(count, len(rows))
    least = np.partition(rough, len(rows) - count)[len(rows) - count]
    # A matrix product sums some rows in another order than others: only summed alike are equal vectors equally near.
    rows = rows[rough >= min(least, CLOSE) - _SLACK]
    near = table[rows].astype(np.float64)
    cosines = np.clip((near * wanted).sum(1) / np.sqrt((near * near).sum(1)) / own, -1, 1)
    order = np.argsort(-cosines, kind="stable")[:count]
    return rows[order], cosines[order], int((cosines >= CLOSE).sum())


def seen_with(dataset: Dataset, item: int) -> NDArray[np.int64]:
    """Shape (num_items,): users who have both `item` and that item in their history."""
    split = dataset.split
    saw = np.zeros(dataset.num_users, dtype=bool)
    saw[split.users[split.items == item]] = True
    return np.bincount(split.items[saw[split.users]], minlength=dataset.num_items)


def similar_items(ranker: Ranker, item: int, count: int) -> dict[str, Neighbours]:
    """The items nearest to `item`, by kind of vector."""
    together = seen_with(ranker.dataset, item)
    found = {}
    for kind, layer in zip(KINDS, (ranker.model.item_gmf, ranker.model.item_mlp), strict=True):
        table = layer.weight.numpy()
        rows, cosines, close = nearest(table, table[item], count, item)
        found[kind] = Neighbours(rows, cosines, together[rows], close, not table[item].any())
    return found


def similar_users(ranker: Ranker, who: Who, count: int) -> dict[str, Neighbours]:
    """The trained users nearest to a person, by kind of vector. Raises RunError for a guest of another catalogue."""
    data, person = ranker.dataset, ranker.person(who)
    own = np.zeros(data.num_items, dtype=bool)
    own[person.history] = True
    leave_out = who if isinstance(who, int) else -1
    found = {}
    vectors = (person.gmf, person.mlp)
    for kind, layer, vector in zip(
        KINDS, (ranker.model.user_gmf, ranker.model.user_mlp), vectors, strict=True
    ):
        rows, cosines, close = nearest(layer.weight.numpy(), vector, count, leave_out)
        both = [int(own[data.history(row)].sum()) for row in rows.tolist()]
        found[kind] = Neighbours(
            rows, cosines, np.array(both, dtype=np.int64), close, not vector.any()
        )
    return found


def similar_items_sheet(ranker: Ranker, item: int, count: int) -> Sheet:
    """What `similar FILM` prints: a row a place, with the neighbour by GMF vector and the one by MLP vector."""
    data = ranker.dataset

    def cells(found: Neighbours, place: int) -> Row:
        row = int(found.rows[place])
        return film_keys(data, row) | {
            "cosine": float(found.cosines[place]),
            "both": int(found.both[place]),
            "seen_by": int(data.seen_by[row]),
        }

    found = similar_items(ranker, item, count)
    about = _about(ranker) | film_keys(data, item) | {"seen_by": int(data.seen_by[item])}
    name = f"item-{data.catalogue.item_ids[item]}-neighbours"
    return _sheet(name, about, found, cells, ITEM_COLUMNS, ("dataset", "item_id"))


def similar_users_sheet(ranker: Ranker, who: Who, count: int) -> Sheet:
    """What `similar --user` prints, in the form of `similar_items_sheet`; one of `user` and `guest` is null."""
    data, person = ranker.dataset, ranker.person(who)

    def cells(found: Neighbours, place: int) -> Row:
        row = int(found.rows[place])
        return {
            "user": data.user_ids[row],
            "cosine": float(found.cosines[place]),
            "both": int(found.both[place]),
            "history_size": len(data.history(row)),
        }

    about = _about(ranker) | {
        "user": data.user_ids[who] if isinstance(who, int) else None,
        "guest": None if isinstance(who, int) else who.name,
        "history_size": len(person.history),
    }
    name = f"{person.label.replace(' ', '-')}-neighbours"
    stamp = ("dataset", "user" if isinstance(who, int) else "guest")
    return _sheet(name, about, similar_users(ranker, who, count), cells, USER_COLUMNS, stamp)


def _about(ranker: Ranker) -> dict[str, Any]:
    return {
        "run": ranker.info.name,
        "dataset": ranker.dataset.label,
        "epoch": ranker.epoch,
        "protocol": protocol_of(ranker.info),
    }


def _sheet(
    name: str,
    about: dict[str, Any],
    found: dict[str, Neighbours],
    cells: Callable[[Neighbours, int], Row],
    columns: tuple[str, ...],
    stamp: tuple[str, ...],
) -> Sheet:
    """A row a place; the cells of a kind that has fewer neighbours are null."""
    rows = []
    for place in range(max(len(one.rows) for one in found.values())):
        row: Row = {"place": place + 1}
        for kind, one in found.items():
            values: Row = cells(one, place) if place < len(one.rows) else dict.fromkeys(columns)
            row |= {f"{kind}_{key}": value for key, value in values.items()}
        rows.append(row)
    about = about | {f"{kind}_close": one.close for kind, one in found.items()}
    about["zero_vectors"] = [kind for kind, one in found.items() if one.zero]
    return Sheet(
        name,
        about,
        "neighbours",
        rows,
        ("place", *(f"{kind}_{key}" for kind in KINDS for key in columns)),
        stamp,
    )
