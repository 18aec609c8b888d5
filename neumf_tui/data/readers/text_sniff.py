"""Find out how a text of interactions is laid out: separator, header, columns, times."""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from neumf_tui.data.columns import (
    SEPARATOR_NAMES,
    Columns,
    choose_columns,
    columns_named,
    looks_known,
    numbered,
    where_to_read,
)
from neumf_tui.data.readers.text_layout import JSON, Layout, Sample, sample_of
from neumf_tui.data.readers.text_open import plain_name
from neumf_tui.data.readers.times import NUMBER, UNITS, is_time, kind_of
from neumf_tui.errors import DatasetError

_SEPARATORS = ("::", "\t", ";", "|", ",", " ")
_USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|", ".inter": "\t"}
"""Separators that the endings of files promise."""
_SURE = ("::", "\t")
"""Separators that are hardly ever within a field."""
_EPOCH = (10**8, 4 * 10**9)
"""Seconds from 1973 to 2096; a number of another size is hardly a time of today."""
_TIME_WORDS = re.compile(r"time|date|stamp|(?:^|_)at$|when|day", re.IGNORECASE)
_OTHER_TIMES = re.compile(r"birth|dob|releas|publi|expir|regist|signup|joined", re.IGNORECASE)
"""Names of columns whose times are not those of interactions."""

Records = list[tuple[int, list[str]]]
"""The lines at which records start, and their fields."""


def layout_of(
    path: Path,
    separator: str | None = None,
    columns: Columns | None = None,
    *,
    quoted: bool = True,
    time_format: str = "",
) -> Layout:
    """Return the layout of a text; raise DatasetError if columns are missing or not clear.

    `separator`: None to find it out. `time_format`: how times are written, if a person said so.
    """
    return layout_in(sample_of(path), separator, columns, quoted=quoted, time_format=time_format)


def layout_in(
    sample: Sample,
    separator: str | None = None,
    columns: Columns | None = None,
    *,
    quoted: bool = True,
    time_format: str = "",
) -> Layout:
    """Return the layout of the text with this sample, as `layout_of` does."""
    is_given = separator is not None
    separator = separator_of(sample, quoted) if separator is None else separator
    records, path = sample.records(separator, quoted), sample.path
    if not records:
        raise DatasetError(
            f"{path}, line {sample.first_line}: a quoted field does not end; expected the names of "
            "the columns; fix the header"
        )
    if separator == JSON:
        header, has_header, where = sample.json_header(), True, str(path)
    else:
        has_header = is_header(records, columns)
        first, fields = records[0]
        header, where = [name.strip() for name in fields], f"{path}, line {first}"
        records = records[1:] if has_header else records
    names = None if has_header else [f"column {n}" for n in range(1, len(header) + 1)]
    guess = _guess(names or header, records, bool(names))
    if names is None:
        chosen = choose_columns(where, header, columns, separator, guess)
        if columns is None and chosen.time is None:
            _check_unknown_times(path, header, records, chosen)
    else:
        chosen = _by_number(path, where, header, names, columns, guess)
        header = names
    time, rating = (
        None if name is None else header.index(name) for name in (chosen.time, chosen.rating)
    )
    layout = Layout(
        separator, tuple(header), header.index(chosen.user), header.index(chosen.item), time,
        rating, has_header, quoted, sample.encoding,
    )  # fmt: skip
    notices = _notices(sample.path, records, layout, is_given)
    if columns is None and chosen.item == "parent_asin" and "asin" in header:
        notices += ("items are told apart by parent_asin, not by asin",)
    return replace(with_times(layout, records, time_format), notices=notices)


def separator_of(sample: Sample, quoted: bool = True) -> str:
    """Return the separator that splits the sample into columns; raise DatasetError if none does."""
    start = "".join(sample.lines).lstrip()
    if start.startswith("{"):
        return JSON
    if re.match(r"\[\s*\{", start):
        raise DatasetError(
            f"{sample.path}, line {sample.first_line}: an array; expected a JSON object in each "
            f"line; convert it: jq -c '.[]' {shlex.quote(sample.path.name)} > interactions.jsonl"
        )
    best, most = "", (False, False, 0, 0)
    for separator in reversed(_SEPARATORS):
        records = [fields for _, fields in sample.records(separator, quoted)]
        if not records:
            continue
        (width, often), *_ = Counter(map(len, records)).most_common(1)
        # Blanks within fields are frequent, and so is a list of words with '|' in the last column.
        worth = len(_SEPARATORS) if separator in _SURE else 1 if separator != " " else 0
        found = (looks_known(records[0]), often >= 0.9 * len(records), worth, width * worth)
        if width > 1 and found > most:
            best, most = separator, found
    if not best:
        line = next((line for line in sample.lines if line.strip()), "").strip()
        raise DatasetError(
            f"{sample.path}, line {sample.first_line}: {line[:60]!r} has no columns; expected "
            "fields separated by commas, semicolons, tabs, '|', '::' or blanks, or a JSON object "
            "in each line"
        )
    return best


def is_header(records: Records, columns: Columns | None) -> bool:
    """Return whether the first record holds the names of the columns, not an interaction."""
    first, below = [field.strip() for field in records[0][1]], [row for _, row in records[1:]]
    if looks_known(first) or first == [str(number) for number in range(len(first))]:
        return True
    if any(NUMBER.fullmatch(field) or is_time(field) for field in first):
        return False
    if columns is not None and any(name in first for name in columns.by_role.values()):
        return True
    if len(set(first)) < len(first) or "" in first:
        return False
    for place, name in enumerate(first):
        values = [row[place] for row in below if len(row) == len(first)]
        if values and all(NUMBER.fullmatch(value) or is_time(value) for value in values):
            return True
        if name in values:
            return False
    # Nothing but words: whoever numbers the columns has no names for them.
    return columns is None or not all(name.isdecimal() for name in columns.by_role.values())


def _by_number(
    path: Path,
    where: str,
    first: Sequence[str],
    names: Sequence[str],
    columns: Columns | None,
    guess: Columns | None,
) -> Columns:
    """Return the columns of a text without a header; raise DatasetError if they have no number."""
    if columns is None or not all(
        name.isdecimal() and 0 < int(name) <= len(names) for name in columns.by_role.values()
    ):
        problem = "the first line is not a header"
        if columns is not None:
            problem += f", and --columns {columns} does not number its columns"
        example = guess or Columns("1", "2", "4" if len(names) > 3 else None)
        raise DatasetError(
            f"{where}: {problem}; found {numbered(first)}; expected names of columns, or their "
            f"numbers: {where_to_read(path, example)}"
        )
    numbers = {role: names[int(name) - 1] for role, name in columns.by_role.items()}
    return Columns(**numbers)


def _guess(names: Sequence[str], records: Records, by_number: bool) -> Columns | None:
    """Return which columns may be meant, for a message: by what their values look like."""
    rows = [row for _, row in records if len(row) == len(names)]
    if not rows or len(names) < 2:
        return None
    values = {name: [row[place].strip() for row in rows] for place, name in enumerate(names)}
    found: dict[str, str] = {}
    for role in ("time", "user", "item"):
        if not by_number and len(named := columns_named(names, role)) == 1:
            found[role] = named[0]
    if len({"user", "item"} & found.keys()) == 1:
        return Columns(**({"user": "NAME", "item": "NAME"} | found))
    times = [name for name in names if all(map(_is_today, values[name]))]
    if "time" not in found and times:
        found["time"] = times[-1]
    rest = [name for name in names if name not in found.values()]
    ids = [name for name in rest if not any(map(_is_fraction, values[name]))]
    for role in ("user", "item"):
        if role not in found and ids:
            found[role] = ids.pop(0)
    ratings = [name for name in rest if name not in found.values() and _are_ratings(values[name])]
    if ratings:
        found["rating"] = ratings[0]
    if not {"user", "item"} <= found.keys():
        return None
    if by_number:
        found = {role: str(names.index(name) + 1) for role, name in found.items()}
    return Columns(**found)


def _is_today(text: str) -> bool:
    """Return whether a field may be the time of an interaction."""
    if kind_of(text) != "number":
        return is_time(text)
    return any(
        low <= abs(float(text)) / per <= high for _, per, _ in UNITS for low, high in [_EPOCH]
    )


def _is_fraction(text: str) -> bool:
    return bool(NUMBER.fullmatch(text)) and not float(text).is_integer()


def _are_ratings(values: list[str]) -> bool:
    return all(NUMBER.fullmatch(one) and 0 <= float(one) <= 10 for one in values)


def _check_unknown_times(
    path: Path, header: Sequence[str], records: Records, chosen: Columns
) -> None:
    """Raise DatasetError if a column looks like the times, but no known name says so."""
    for place, name in enumerate(header):
        if name in chosen.by_role.values() or _OTHER_TIMES.search(name):
            continue
        values = [row[place] for _, row in records if len(row) == len(header)]
        if not values or not all(map(_is_today, values)):
            continue
        if all(map(NUMBER.fullmatch, values)) and not _TIME_WORDS.search(name):
            continue
        named = replace(chosen, time=name)
        raise DatasetError(
            f"{path}: no column is known as the time, but {name} looks like it ({values[0]!r}); "
            f"expected a name such as timestamp or date; name it: {named.flag}; or go without "
            f"times: {chosen.flag}"
        )


def with_times(layout: Layout, records: Records, time_format: str, unit: str = "line") -> Layout:
    """Return the layout with how most times of the sample are written, and an example."""
    if layout.time is None:
        return layout
    times = [
        (number, fields[layout.time])
        for number, fields in records
        if len(fields) == len(layout.header) and fields[layout.time].strip()
    ]
    if not times:
        return layout
    kinds = [kind_of(text) for _, text in times]
    kind = Counter(kinds).most_common(1)[0][0]
    number, text = times[kinds.index(kind)]
    example = f"{unit} {number}: {text.strip()[:40]!r}"
    return replace(layout, time_kind="text" if time_format else kind, time_example=example)


def _notices(path: Path, records: Records, layout: Layout, is_given: bool) -> tuple[str, ...]:
    """Return what a person should know of how the file is understood."""
    notices, separator = [], layout.separator
    usual = _USUAL.get(Path(plain_name(path)).suffix.lower())
    if not is_given and separator not in (usual, JSON):
        notices.append(f"{path.name} is read as separated by {SEPARATOR_NAMES[separator]}")
    if not layout.has_header and records:
        line = separator.join(records[0][1])
        notices.append(f"the first line is read as data, not as a header: {line[:60]}")
    return tuple(notices)
