"""Bring a recognised model to the tensors of a checkpoint: checked, and in the dataset's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.adopt.contents import Arrays, Side, WeightsError, check_room
from neumf_tui.adopt.layouts import Model, Shape
from neumf_tui.adopt.rows import Rows, ids_of, placed
from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.events import ModelKind

_CHUNK = 1 << 22
"""Numbers that are checked at once."""
_LARGEST = 1e6
"""The largest weight that is adopted: products and sums of larger ones can exceed float32."""
_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Adopted:
    """A model as a checkpoint holds it."""

    kind: ModelKind
    tensors: Arrays
    shape: Shape
    notices: tuple[str, ...] = ()
    """What a person should know of it."""


def adopted(where: str, model: Model, rows: dict[Side, Rows], data: Dataset) -> Adopted:
    """Return the model for the users and items of `data`; raise WeightsError for odd numbers."""
    if model.triples:
        return _lists_of_table(where, model, data)
    if model.sparse:
        return _sparse_weights(where, model, rows["item"], data)
    arrays = placed(model, rows)
    if "best" in arrays:
        return _lists_of_rows(where, arrays, rows["item"], data)
    if model.kind == "scores":
        tensors = {"scores": numbers(where, "scores", arrays["scores"], _FLOAT32, open_below=True)}
    else:
        doubles = model.kind == "item_item"
        tensors = {n: numbers(where, n, array, doubles=doubles) for n, array in arrays.items()}
    return Adopted(model.kind, tensors, model.shape)


def numbers(
    where: str,
    name: str,
    array: NDArray[Any],
    largest: float = _LARGEST,
    *,
    doubles: bool = False,
    open_below: bool = False,
) -> NDArray[Any]:
    """Return the array as float32, or as it is if it is float64 and `doubles`.

    Raises WeightsError for a number that is not finite, or beyond ±`largest`; −∞ may be one if
    `open_below`.
    """
    if array.dtype.kind not in "fiub":
        raise WeightsError(f"{where}: {name} holds {array.dtype}; expected real numbers")
    wanted = np.float64 if doubles and array.dtype == np.float64 else np.float32
    if array.dtype != wanted:
        check_room(where, 4 * array.size)
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.ascontiguousarray(array, wanted)
    flat = found.reshape(-1)
    for start in range(0, flat.size, _CHUNK):
        part: NDArray[Any] = flat[start : start + _CHUNK]
        fine = (np.abs(part) <= largest) | ((part == -np.inf) & open_below)
        if not fine.all():
            at = start + int(np.argmin(fine))
            place = ", ".join(str(int(n) + 1) for n in np.unravel_index(at, found.shape))
            value = float(array[np.unravel_index(at, found.shape)])
            why = "too large" if np.isfinite(value) else "not a finite number"
            raise WeightsError(
                f"{where}: {name} is {value} in row {place.partition(',')[0]} (place {place}), "
                f"{why}; the model has diverged, or the file is damaged"
            )
    return found


def _sparse_weights(where: str, model: Model, rows: Rows, data: Dataset) -> Adopted:
    import scipy.sparse as sp

    sparse, size = model.sparse, data.num_items
    assert sparse
    values = numbers(where, "data", sparse.values, doubles=True)
    place = _inverse(rows, sparse.size)
    at, to = place[sparse.rows], place[sparse.columns]
    known = (at >= 0) & (to >= 0)
    matrix = sp.coo_matrix((values[known], (at[known], to[known])), shape=(size, size)).tocsr()
    matrix.eliminate_zeros()
    tensors = {
        "weights.data": numbers(where, "data", matrix.data, doubles=True),  # sums of finite ones
        "weights.indices": matrix.indices.astype(np.int32),
        "weights.indptr": matrix.indptr.astype(np.int64),
    }
    return Adopted("item_item", tensors, model.shape)


def _inverse(rows: Rows, count: int) -> Rows:
    """Return for each row of a file the place in the dataset; −1 where it has none."""
    places = np.full(count, -1, np.int64)
    places[rows] = np.arange(len(rows))
    return places


def _lists_of_rows(where: str, arrays: Arrays, rows: Rows, data: Dataset) -> Adopted:
    best, scores = arrays["best"].astype(np.int64), arrays["best_scores"]
    if best.size and best.max() > rows.max():
        raise WeightsError(
            f"{where}: items has {best.max():,}, but rows of items end at {rows.max():,}; --rows "
            "or --item-ids says which item has which number"
        )
    place = _inverse(rows, int(rows.max()) + 1)
    items = np.where(best >= 0, place[best.clip(min=0)], -1).reshape(-1)
    users = np.repeat(np.arange(len(best)), best.shape[1])
    return _lists(where, users, items, numbers(where, "scores", scores, _FLOAT32).reshape(-1), data)


def _lists_of_table(where: str, model: Model, data: Dataset) -> Adopted:
    table = model.triples
    assert table
    ids = ids_of(data)
    users = _places(table.users.ids, ids["user"])[table.users.codes]
    items = _places(table.items.ids, ids["item"])[table.items.codes]
    return _lists(where, users, items, numbers(where, "score", table.scores, _FLOAT32), data)


def _places(found: Sequence[str], ids: Sequence[str]) -> Rows:
    known = {one: place for place, one in enumerate(ids)}
    return np.array([known.get(one, -1) for one in found], np.int64)


def _lists(
    where: str, users: Rows, items: Rows, scores: NDArray[np.float32], data: Dataset
) -> Adopted:
    """Return each user's items, best first; of equal ones the first in the file.

    Users and items are −1 where the dataset does not have them.
    """
    known = (users >= 0) & (items >= 0)
    notices = []
    if not known.any():
        raise WeightsError(
            f"{where}: no row has a user and an item of {data.label}; its ids must be written as "
            "in the dataset (`neumf-tui export --what ranks` shows them)"
        )
    if unknown := int((~known & (users >= 0)).sum()):
        notices.append(f"{unknown:,} rows have an item that the dataset does not have: left out")
    if unknown := len(np.unique(np.flatnonzero(users < 0))):
        notices.append(f"{unknown:,} rows have a user that the dataset does not have: left out")
    users, items, scores = users[known], items[known], scores[known]
    pairs = users * data.num_items + items
    if len(np.unique(pairs)) < len(pairs):
        raise WeightsError(f"{where}: a user has an item twice; keep one score for each pair")
    if len(pairs) == data.num_users * data.num_items:
        table = np.empty(len(pairs), np.float32)
        table[pairs] = scores
        return Adopted("scores", {"scores": table.reshape(data.num_users, -1)}, {}, tuple(notices))
    order = np.lexsort((-scores, users))
    users, items, scores = users[order], items[order], scores[order]
    counts = np.bincount(users, minlength=data.num_users)
    if lacking := int((counts == 0).sum()):
        notices.append(f"{lacking:,} users have no list: all their items count as equal")
    longest = int(counts.max())
    check_room(where, 8 * longest * data.num_users)
    place = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    best = np.full((data.num_users, longest), -1, np.int32)
    kept = np.zeros((data.num_users, longest), np.float32)
    best[users, place], kept[users, place] = items, scores
    if longest < 50:
        notices.append(f"lists of {longest:,} items: Hit@50 counts nothing beyond them")
    return Adopted("top_k", {"items": best, "scores": kept}, {}, tuple(notices))
