"""The columns of interactions as they are read, and their conversion to ids, indices and times."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.times import (
    BLANKS,
    Resolved,
    are_unusable,
    format_flag,
    resolve_numbers,
    resolve_stamps,
    resolve_texts,
)
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError

STRINGS = pa.dictionary(pa.int32(), pa.string())
LARGEST_RATING = 1e38
"""That fits into 32 bits."""
_NUMERIC_LIMIT = 10**18
"""Ids that are whole numbers below it are ordered by value."""
_WHOLE = re.compile(r"-?\d+\.0+", re.ASCII)
_EXPONENT = re.compile(r"-?\d(\.\d+)?[eE]\+?\d{1,2}", re.ASCII)
_DIGITS = re.compile(r"-?\d+", re.ASCII)

Ids: TypeAlias = Any
"""A part of a column of ids: an integer array, if every id is written in the canonical way (no sign
or leading zero), else an Arrow `DictionaryArray` of strings."""
Times: TypeAlias = Any
"""A part of a column of times: an array of numbers, not negative and of a unit that is judged by
their size; an Arrow array of timestamps; or a `DictionaryArray` of texts that pandas reads."""


class Part(NamedTuple):
    """Some interactions."""

    users: Ids
    items: Ids
    times: Times | None
    ratings: NDArray[np.float32] | None
    lines: int = 0
    """Lines of the text that were read for them."""


@dataclass
class Rows:
    """User, item and time of every interaction, in file order, in parts of any length."""

    facts: ReadFacts = field(default_factory=ReadFacts)
    bad: BadRows = field(default_factory=BadRows)
    time_format: str = ""
    locate: Callable[[Sequence[int]], list[tuple[str, str]]] = lambda _: []
    """Return where the rows of these numbers, ascending, stand, and their times as text."""
    users: list[Ids] = field(default_factory=list)
    items: list[Ids] = field(default_factory=list)
    times: list[Times] = field(default_factory=list)
    """Empty if the file has no times."""
    ratings: list[NDArray[np.float32]] = field(default_factory=list)
    """Empty if the file has no ratings."""

    def __len__(self) -> int:
        return sum(map(len, self.users))

    def check_any(self, path: Path) -> "Rows":
        """Raise DatasetError, naming the file, if there are none."""
        if not len(self):
            raise DatasetError(
                f"{path}: no rows below the header; expected interactions; get the file again"
            )
        return self

    def add(self, part: Part) -> None:
        if not len(part.users):
            return
        self.users.append(part.users)
        self.items.append(part.items)
        if part.times is not None:
            self.times.append(part.times)
        if part.ratings is not None:
            self.ratings.append(part.ratings)


def as_ratings(numbers: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Return numbers as ratings, None if one is none or too large."""
    fits = np.abs(numbers) < LARGEST_RATING  # False for NaN
    return numbers.astype(np.float32) if fits.all() else None


def short(text: str) -> str:
    """Return a text in quotes, for a message."""
    return repr(text if len(text) <= 60 else f"{text[:59]}…")


def kind_of_times(rows: Rows) -> str:
    """Return what the parts of `times` are, which cannot be mixed."""
    if not rows.times:
        return "no times"
    if isinstance(rows.times[0], np.ndarray):
        return "times as numbers"
    return "times as text" if isinstance(rows.times[0], pa.DictionaryArray) else "dates"


class Coded(NamedTuple):
    """The interactions by number, and what their numbers stand for."""

    user_ids: list[str]
    item_ids: list[str]
    interactions: Interactions
    facts: ReadFacts


def coded(rows: Rows) -> Coded:
    """Return the rows by number; their lists are emptied.

    Raises DatasetError for rows whose times do not fit the others, unless they may be left out.
    """
    has_times = bool(rows.times)
    resolved = _resolve_times(rows) if has_times else Resolved(np.zeros(len(rows), np.int32), 1)
    times, notices = resolved.times, [resolved.notice] * bool(resolved.notice)
    ratings = np.concatenate(rows.ratings) if rows.ratings else None
    rows.ratings.clear()
    if resolved.bad is not None:
        keep = ~resolved.bad
        _select(rows, keep)
        times, ratings = times[keep], None if ratings is None else ratings[keep]
    user_ids, users, of_users = indices(rows.users)
    item_ids, items, of_items = indices(rows.items)
    notices += [*(f"users: {text}" for text in of_users), *(f"items: {text}" for text in of_items)]
    bad = rows.bad
    if bad.count:
        notices.append(f"{bad.count:,} rows could not be read and are left out: {bad.texts[0]}")
    facts = msgspec.structs.replace(
        rows.facts,
        rows=len(users),
        bad=bad.count,
        bad_rows=tuple(bad.texts),
        ratings=None if ratings is None else (float(ratings.min()), float(ratings.max())),
        notices=(*rows.facts.notices, *notices),
    )
    interactions = Interactions(users, items, times, ratings, None, resolved.units_per_second)
    return Coded(user_ids, item_ids, interactions, facts)


def _resolve_times(rows: Rows) -> Resolved:
    first = rows.times[0]
    if isinstance(first, np.ndarray):
        numbers = np.concatenate(rows.times)
        rows.times.clear()
        resolved = resolve_numbers(numbers)
    elif isinstance(first, pa.DictionaryArray):
        texts = pa.chunked_array(rows.times, type=STRINGS).unify_dictionaries()
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in texts.chunks])
        known = texts.chunk(0).dictionary.to_pylist()
        resolved = resolve_texts(known, codes, rows.time_format)
    else:
        resolved = resolve_stamps(rows.times)
    if not isinstance(first, np.ndarray):
        bad = are_unusable(resolved.times, resolved.units_per_second)
        if resolved.bad is None and bad.any():
            resolved = resolved._replace(bad=bad, problem="is not between 1970 and 9999")
    rows.times.clear()
    if resolved.bad is not None:
        _note_bad_times(rows, resolved.bad, resolved.problem)
    return resolved


def _note_bad_times(rows: Rows, bad: NDArray[np.bool_], problem: str) -> None:
    """Add rows whose times do not fit the others to the bad ones, each beside one that fits."""
    wrong = np.flatnonzero(bad)[: rows.bad.SHOWN].tolist()
    fitting = [] if bad.all() else [int(np.argmin(bad))]
    wanted = sorted(wrong + fitting)
    found = dict(zip(wanted, rows.locate(wanted), strict=True))
    beside = "".join(f", unlike {short(found[row][1])} in {found[row][0]}" for row in fitting)
    name = rows.facts.columns.get("time", "time")
    for row in wrong:
        where, text = found[row]
        rows.bad.add(f"{where}: {name} {short(text)} {problem}{beside}", format_flag(problem))
    for _ in range(int(bad.sum()) - len(wrong)):
        rows.bad.add("")
    rows.bad.check()


def _select(rows: Rows, keep: NDArray[np.bool_]) -> None:
    """Keep these rows alone, and only the ids that they have."""
    start = 0
    for number, (users, items) in enumerate(zip(rows.users, rows.items, strict=True)):
        here = keep[start : start + len(users)]
        start += len(users)
        if not here.all():
            rows.users[number], rows.items[number] = (_kept(ids, here) for ids in (users, items))


def _kept(ids: Ids, keep: NDArray[np.bool_]) -> Ids:
    if isinstance(ids, np.ndarray):
        return ids[keep]
    return ids.filter(pa.array(keep)).dictionary_decode().dictionary_encode()


def indices(parts: list[Ids]) -> tuple[list[str], NDArray[np.int32], list[str]]:
    """Return the distinct ids in order, each row's index among them, and what was changed in them.

    The order is by value if all ids are whole numbers, else by letters. `parts` is emptied on the
    way, so that the input and the result are never in memory as a whole at the same time.
    """
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        low = min(int(part.min(initial=0)) for part in parts)
        high = max(int(part.max(initial=0)) for part in parts)
        rows = sum(map(len, parts))
        if low >= 0 and high < _NUMERIC_LIMIT and high - low < max(1 << 24, 4 * rows):
            return *_indices_by_table(parts, low, high, rows), []
    dictionary = pa.chunked_array([_dictionary(part) for part in parts], type=STRINGS)
    parts.clear()
    dictionary = dictionary.unify_dictionaries()
    written = dictionary.chunk(0).dictionary.to_pylist() if dictionary.num_chunks else []
    ids, changes = plain_ids(written)
    distinct = {one: place for place, one in enumerate(dict.fromkeys(ids))}
    ordered, places = in_order([*distinct])
    if len(distinct) < len(ids) or changes:
        places = places[[distinct[one] for one in ids]]
    result = np.empty(len(dictionary), dtype=np.int32)
    start = 0
    for chunk in dictionary.chunks:
        result[start : start + len(chunk)] = places[chunk.indices.to_numpy()]
        start += len(chunk)
    return ordered, result, changes


def plain_ids(ids: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return ids in the way that they are compared, and a text on each kind of change.

    Blanks around an id are cut. If all ids are numbers, `8.0` and `8e0` are `8`.
    """
    changes = []
    plain = [one.strip(BLANKS) for one in ids]
    cut = sum(map(str.__ne__, plain, ids))
    if cut:
        changes.append(f"blanks around {cut:,} ids are cut")
    odd = [one for one in plain if not _DIGITS.fullmatch(one)]
    if odd and all(_WHOLE.fullmatch(one) or _is_whole_exponent(one) for one in odd):
        changes.append(f"ids such as {odd[0]} are read as {_as_whole(odd[0])}")
        plain = [one if _DIGITS.fullmatch(one) else _as_whole(one) for one in plain]
    return plain, changes


def _is_whole_exponent(text: str) -> bool:
    return bool(_EXPONENT.fullmatch(text)) and Decimal(text) % 1 == 0


def _as_whole(text: str) -> str:
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else str(int(Decimal(text)))


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


def narrowed(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers as int32 if they fit."""
    fits = numbers.max(initial=0) < 2**31 and numbers.min(initial=0) >= -(2**31)
    return numbers.astype(np.int32) if fits else numbers
