"""The columns of interactions as they are read, and their conversion to indices and seconds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNITS = (
    (10**17, 10**9, "nanoseconds"),
    (10**14, 10**6, "microseconds"),
    (10**11, 10**3, "milliseconds"),
)
"""The smallest timestamp of each unit, its number per second, and its name.

10¹¹ seconds are the year 5138."""
STRINGS = pa.dictionary(pa.int32(), pa.string())
_NUMERIC_LIMIT = 10**18
"""Ids that are whole numbers below it are ordered by value."""

Ids: TypeAlias = Any
"""A part of a column of ids: an integer array, if every id is written in the canonical way (no sign
or leading zero), else an Arrow `DictionaryArray` of strings."""


@dataclass(frozen=True)
class Rows:
    """User, item and time of every interaction, in file order, in parts of any length."""

    users: list[Ids] = field(default_factory=list)
    items: list[Ids] = field(default_factory=list)
    times: list[NDArray[Any]] = field(default_factory=list)
    """int32, int64 or float64, not negative."""
    ratings: list[NDArray[np.float32]] = field(default_factory=list)
    """Empty if the file has no ratings; NaN for a missing one."""
    units_per_second: int = 0
    """Units of `times` in a second; 0: not known, so they are judged by their size."""


def indices(parts: list[Ids]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct ids in order, and each row's index among them.

    The order is by value if all ids are whole numbers, else by letters. `parts` is emptied on the
    way, so that the input and the result are never in memory as a whole at the same time.
    """
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        low = min(int(part.min()) for part in parts)
        high = max(int(part.max()) for part in parts)
        rows = sum(map(len, parts))
        if low >= 0 and high < _NUMERIC_LIMIT and high - low < max(1 << 24, 4 * rows):
            return _indices_by_table(parts, low, high, rows)
    coded = pa.chunked_array([_dictionary(part) for part in parts], type=STRINGS)
    parts.clear()
    coded = coded.unify_dictionaries()
    ids = coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else []
    ordered, places = in_order(ids)
    result = np.empty(len(coded), dtype=np.int32)
    start = 0
    for chunk in coded.chunks:
        result[start : start + len(chunk)] = places[chunk.indices.to_numpy()]
        start += len(chunk)
    return ordered, result


def _indices_by_table(
    parts: list[Ids], low: int, high: int, rows: int
) -> tuple[list[str], NDArray[np.int32]]:
    """Return `indices` of numbers from `low` to `high`, with a table of all these in memory."""
    present = np.zeros(high - low + 1, dtype=bool)
    for part in parts:
        present[part - low] = True
    places = np.cumsum(present, dtype=np.int32)
    places -= 1
    result = np.empty(rows, dtype=np.int32)
    start = 0
    for number, part in enumerate(parts):
        np.take(places, part - low, out=result[start : start + len(part)])
        start += len(part)
        parts[number] = part[:0]
    return [str(value) for value in (np.flatnonzero(present) + low).tolist()], result


def _dictionary(part: Ids) -> pa.DictionaryArray:
    if not isinstance(part, np.ndarray):
        return part
    numbers = pa.array(part).dictionary_encode()
    return pa.DictionaryArray.from_arrays(numbers.indices, numbers.dictionary.cast(pa.string()))


def in_order(ids: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the ids sorted as in `indices`, and the place of each of `ids` among them."""
    numbers = all(len(one) < 19 and one.isascii() and one.isdigit() for one in ids)
    order = sorted(range(len(ids)), key=lambda k: (int(ids[k]) if numbers else 0, ids[k]))
    places = np.empty(len(ids), dtype=np.int32)
    places[order] = np.arange(len(ids), dtype=np.int32)
    return [ids[k] for k in order], places


def whole_times(parts: list[NDArray[Any]], units_per_second: int) -> tuple[NDArray[Any], int, str]:
    """Return whole times, their units per second, and the unit's name.

    The unit is empty unless it was judged by size and is not the second. Times that are all whole
    seconds are returned as such. `parts` is emptied.
    """
    times = np.concatenate(parts)
    parts.clear()
    unit = ""
    if not units_per_second:
        latest = times.max(initial=0)
        fitting = ((number, name) for smallest, number, name in UNITS if latest >= smallest)
        units_per_second, unit = next(fitting, (1, ""))
    if times.dtype.kind == "f":
        # Parts of a unit: the finest that a float of this size can tell apart is a microsecond.
        finest = max(units_per_second, 10**6)
        times = np.rint(times * (finest // units_per_second)).astype(np.int64)
        units_per_second = finest
    if units_per_second > 1:
        seconds = times // units_per_second
        if (seconds * units_per_second == times).all():
            return seconds, 1, unit
    return times, units_per_second, unit
