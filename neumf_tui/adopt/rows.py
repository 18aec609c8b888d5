"""Which row of a file belongs to which user or item of the dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.adopt.contents import Arrays, Contents, Side, WeightsError
from neumf_tui.adopt.layouts import AXES, Model
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError

RULES = ("order", "id", "id-1")
"""Row k is that of the k-th id of the dataset; of the id k; of the id k + 1."""
Rows = NDArray[np.int64]
_IDS_LIMIT = 2**30


@dataclass(frozen=True, eq=False)
class Given:
    """What a person says of the rows."""

    rule: str | None = None
    """One of RULES; None: in order, if the shape fits."""
    ids: dict[Side, list[str]] = field(default_factory=dict)
    """The id of each row."""


@dataclass(frozen=True, eq=False)
class RowMap:
    """For each user and item of the dataset its row in the file, and how many rows there are."""

    rows: dict[Side, Rows]
    counts: dict[Side, int]
    what: str
    """How the rows were told apart, for people."""


def read_ids(path: Path) -> list[str]:
    """Return the ids of a file: one a line, or a .npy of numbers or texts; raise WeightsError."""
    try:
        if path.suffix.lower() == ".npy":
            real = path.resolve()
            return _ids_of(path, files.read_array(real.parent, real.name))
        with files.open_given(path) as file:
            content = file.read(_IDS_LIMIT + 1)
        if len(content) > _IDS_LIMIT:
            raise WeightsError(f"{path}: over {_IDS_LIMIT:,} bytes; expected one id a line")
        text = content.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file; check the path") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise WeightsError(f"{path}, line {line}: not UTF-8; expected one id a line") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    ids = text.replace("\r\n", "\n").split("\n")
    return ids[:-1] if ids[-1] == "" else ids


def _ids_of(path: Path, array: NDArray[Any]) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise WeightsError(
            f"{path}: {array.dtype} of shape {array.shape}; expected one row of ids, whole "
            "numbers or texts (.astype(str))"
        )
    return [str(one) for one in array.tolist()]


def map_rows(model: Model, contents: Contents, given: Given, data: Dataset) -> RowMap:
    """Return the row of each user and item of `data`; raise WeightsError or UsageError."""
    counts: dict[Side, int] = {} if model.triples else _counts(model, contents.where)
    named = {**contents.ids, **given.ids}
    ids = ids_of(data)
    if "best" in model.arrays:  # lists do not say of how many items they were made
        needed = _rows_needed(given.rule or "order", ids["item"])
        counts["item"] = len(named["item"]) if "item" in named else needed or len(ids["item"])
    if unused := [side for side in given.ids if side not in counts]:
        what = "says its ids itself" if model.triples else f"has no rows of {unused[0]}s"
        raise UsageError(f"--{unused[0]}-ids: {contents.where} {what}; leave the option out")
    rows: dict[Side, Rows] = {}
    said: dict[Side, str] = {}
    for side, count in sorted(counts.items(), reverse=True):  # users first
        if side in named:
            rows[side] = _rows_by_ids(contents.where, side, count, named[side], ids[side])
            said[side] = "their ids"
        else:
            rule = given.rule or "order"
            rows[side] = _rows_by_rule(contents.where, side, count, rule, ids[side])
            said[side] = _RULE_TEXTS[rule]
    if len(said) > len(set(said.values())):
        return RowMap(rows, counts, f"rows by {said['user']}")
    return RowMap(rows, counts, ", ".join(f"{side}s by {text}" for side, text in said.items()))


_RULE_TEXTS = {"order": "the order of ids", "id": "row = id", "id-1": "row = id − 1"}


def ids_of(data: Dataset) -> dict[Side, Sequence[str]]:
    return {"user": data.user_ids, "item": data.catalogue.item_ids}


def _counts(model: Model, where: str) -> dict[Side, int]:
    """Return how many rows the file has of users and of items."""
    found: dict[Side, int] = {}
    sized = [(name, array.shape) for name, array in model.arrays.items()]
    if model.sparse:
        sized.append(("weights", (model.sparse.size, model.sparse.size)))
    for name, shape in sized:
        for side, size in zip(AXES.get(name, ()), shape, strict=False):
            if found.setdefault(side, size) != size:
                raise WeightsError(
                    f"{where}: {found[side]:,} rows of {side}s in one array, {size:,} in {name}"
                )
    return found


def _numbers_of(ids: Sequence[str]) -> Rows | None:
    """Return the ids as whole numbers; None if one of them is none."""
    if not all(one.isascii() and one.isdigit() and len(one) < 10 for one in ids):
        return None
    return np.array([int(one) for one in ids], np.int64)


def rows_by(rule: str, ids: Sequence[str]) -> Rows | None:
    """Return the row of each id by one of RULES; None if the ids are not such numbers."""
    if rule == "order":
        return np.arange(len(ids))
    numbers = _numbers_of(ids)
    if numbers is None or not len(numbers) or numbers.min() < (rule == "id-1"):
        return None
    return numbers - (rule == "id-1")


def fitting_rules(count: int, ids: Sequence[str]) -> list[str]:
    """Return the rules by which a file of `count` rows has exactly a place for every id."""
    needed = {rule: size for rule in RULES if (size := _rows_needed(rule, ids)) is not None}
    return [rule for rule, size in needed.items() if size == count]


def _rows_needed(rule: str, ids: Sequence[str]) -> int | None:
    """Return how many rows a file has at least by a rule; None if ids are not such numbers."""
    rows = rows_by(rule, ids)
    return None if rows is None else int(rows.max(initial=-1)) + 1


def _rows_by_rule(where: str, side: Side, count: int, rule: str, ids: Sequence[str]) -> Rows:
    """Return the rows of the ids; raise WeightsError if the shape does not fit."""
    rows, needed = rows_by(rule, ids), _rows_needed(rule, ids)
    if rows is None or needed is None:
        raise UsageError(
            f"--rows {rule}: the {side}s of this dataset have no such numbers as ids; say the id "
            f"of each row with --{side}-ids FILE"
        )
    if count == needed or (count > needed and rule != "order"):
        return rows
    fits = [f"--rows {one}" for one in fitting_rules(count, ids) if one != rule]
    hint = f"{' or '.join(fits)} would fit" if fits else _hint(side, count, ids)
    raise WeightsError(
        f"{where}: {count:,} rows of {side}s, but {needed:,} are needed "
        f"({len(ids):,} {side}s, {_RULE_TEXTS[rule]}); {hint}"
    )


def _hint(side: Side, count: int, ids: Sequence[str]) -> str:
    file = f"--{side}-ids FILE says which id each row has"
    largest = _rows_needed("id-1", ids)
    if count == len(ids) + 1:
        return f"one row is more than that, maybe padding: {file}"
    if largest is not None and count > largest:
        return f"--rows id and --rows id-1 have room (the largest id is {largest:,}), or {file}"
    return f"{file}; or train and adopt on the same data"


def _rows_by_ids(where: str, side: Side, count: int, named: list[str], ids: Sequence[str]) -> Rows:
    option = f"--{side}-ids"
    if len(named) != count:
        raise WeightsError(f"{option}: {len(named):,} ids for {count:,} rows of {where}")
    places: dict[str, int] = {}
    for row, one in enumerate(named):
        if places.setdefault(one, row) != row:
            raise WeightsError(
                f"{option}: {one[:40]!r} is the id of row {places[one] + 1:,} and of {row + 1:,}"
            )
    missing = [one for one in ids if one not in places]
    if missing:
        some = ", ".join(repr(one[:40]) for one in missing[:5])
        raise WeightsError(
            f"{option}: no row for {len(missing):,} of {len(ids):,} {side}s of the dataset "
            f"({some}); each needs one: adopt on the data that the model was trained on"
        )
    return np.array([places[one] for one in ids], np.int64)


def placed(model: Model, rows: dict[Side, Rows]) -> Arrays:
    """Return the model's arrays with the rows of the dataset, in its order."""
    arrays: Arrays = {}
    for name, array in model.arrays.items():
        for axis, side in enumerate(AXES.get(name, ())):
            if not np.array_equal(rows[side], np.arange(array.shape[axis])):
                array = array.take(rows[side], axis=axis)
        arrays[name] = array
    return arrays
