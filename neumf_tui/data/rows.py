"""Columns of ids and times as they are read, and what is made of them: indices in the order of the ids, and whole seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

UNITS = (
    (10**17, 10**9, "nanoseconds"),
    (10**14, 10**6, "microseconds"),
    (10**11, 10**3, "milliseconds"),
)
"""From which timestamp on they cannot be seconds (10¹¹ s is the year 5138), parts in a second, and their name."""
_NUMBERS = 10**18
"""Whole numbers below it are ids that go by their value."""

Ids: TypeAlias = Any
"""A stretch of a column of ids: an array of whole numbers, each written in the one plain way; or strings as an Arrow
`DictionaryArray`."""


@dataclass(frozen=True)
class Rows:
    """Who saw what when, in file order, in stretches of any length."""

    users: list[Ids]
    items: list[Ids]
    times: list[NDArray[Any]]
    """int32, int64 or float64, none negative."""
    parts: int = 0
    """Parts of a second that times count; 0: to be told by their size."""


def indices(stretches: list[Ids]) -> tuple[list[str], NDArray[np.int32]]:
    """The ids in order, by number where all are whole numbers, else by letters; and of each row its id's place among them.

    Takes the stretches out of the list as it goes, so that they and the result are never all in memory.
    """
    if all(isinstance(part, np.ndarray) for part in stretches) and stretches:
        low, high = (
            min(int(part.min()) for part in stretches),
            max(int(part.max()) for part in stretches),
        )
        rows = sum(map(len, stretches))
        if low >= 0 and high < _NUMBERS and high - low < max(1 << 24, 4 * rows):
            return _by_table(stretches, low, high, rows)
    coded = pa.chunked_array(
        [_dictionary(part) for part in stretches], type=pa.dictionary(pa.int32(), pa.string())
    )
    stretches.clear()
    coded = coded.unify_dictionaries()
    ids = coded.chunk(0).dictionary.to_pylist() if coded.num_chunks else []
    ordered, places = in_order(ids)
    result = np.empty(len(coded), dtype=np.int32)
    start = 0
    for chunk in coded.chunks:
        result[start : start + len(chunk)] = places[chunk.indices.to_numpy()]
        start += len(chunk)
    return ordered, result


def _by_table(
    stretches: list[Ids], low: int, high: int, rows: int
) -> tuple[list[str], NDArray[np.int32]]:
    """Of numbers that lie so near each other that there is room for one place each."""
    there = np.zeros(high - low + 1, dtype=bool)
    for part in stretches:
        there[part - low] = True
    places = np.cumsum(there, dtype=np.int32)
    places -= 1
    result = np.empty(rows, dtype=np.int32)
    start = 0
    for number, part in enumerate(stretches):
        np.take(places, part - low, out=result[start : start + len(part)])
        start += len(part)
        stretches[number] = part[:0]
    return [str(value) for value in (np.flatnonzero(there) + low).tolist()], result


def _dictionary(part: Ids) -> pa.DictionaryArray:
    if not isinstance(part, np.ndarray):
        return part
    numbers = pa.array(part).dictionary_encode()
    return pa.DictionaryArray.from_arrays(numbers.indices, numbers.dictionary.cast(pa.string()))


def in_order(ids: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """The ids sorted, by number where all are whole numbers below 10¹⁸, else by letters; and the place of each among them."""
    numbers = all(len(one) < 19 and one.isascii() and one.isdigit() for one in ids)
    order = sorted(range(len(ids)), key=lambda k: (int(ids[k]) if numbers else 0, ids[k]))
    places = np.empty(len(ids), dtype=np.int32)
    places[order] = np.arange(len(ids), dtype=np.int32)
    return [ids[k] for k in order], places


def in_seconds(
    stretches: list[NDArray[Any]], parts: int
) -> tuple[NDArray[Any], NDArray[np.int64] | None, str]:
    """Whole unix seconds; the order to take the rows in, None where it is the file's; and the unit's name where it is not the
    second and was told by the size of the numbers.

    Of equal seconds the first in the order counts as the latest (`split.RULE`), so that a file that tells time more finely
    has to be taken latest first.
    """
    times = np.concatenate(stretches)
    stretches.clear()
    unit = ""
    if not parts:
        latest = times.max(initial=0)
        parts, unit = next(
            ((parts, name) for least, parts, name in UNITS if latest >= least), (1, "")
        )
    if parts == 1 and times.dtype.kind == "i":
        return times, None, unit
    whole = times // parts
    order = None if (whole * parts == times).all() else np.argsort(-times, kind="stable")
    return whole.astype(np.int64), order, unit
