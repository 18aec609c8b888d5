"""The reader of interactions in text that explains errors: it goes line by line.

It reads every valid file, but is thirty times slower than `text_fast`.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import count, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from neumf_tui import files
from neumf_tui.data.columns import SEPARATOR_NAMES
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.readers.rows import Rows
from neumf_tui.data.readers.text_layout import (
    LINE_LIMIT,
    Layout,
    first_line,
    not_utf8,
    too_long,
    unreadable,
)
from neumf_tui.errors import DatasetError

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
CHUNK_ROWS = 1 << 14
"""Rows that are collected as Python objects before they are converted to arrays."""


def read_by_line(
    path: Path, layout: Layout, report: Report = silent, chunk_rows: int = CHUNK_ROWS
) -> Rows:
    """Read all interactions; raise DatasetError for the first line that is not valid."""
    rows, total, done = Rows(), _count_lines(path), 0
    checked = (
        (
            fields[layout.user],
            fields[layout.item],
            _checked_time(where, fields, layout),
            0.0 if layout.rating is None else float(fields[layout.rating]),
        )
        for where, fields in interaction_records(path, layout)
    )
    while chunk := list(islice(checked, chunk_rows)):
        users, items, times, ratings = zip(*chunk, strict=True)
        rows.users.append(pa.array(users, pa.string()).dictionary_encode())
        rows.items.append(pa.array(items, pa.string()).dictionary_encode())
        rows.times.append(np.array(times))
        if layout.rating is not None:
            rows.ratings.append(np.array(ratings, np.float32))
        done += len(chunk)
        report(Progress(f"reading {path.name} line by line", min(done, total), total, "lines"))
    if not done:
        raise DatasetError(
            f"{path}: no lines below the header; expected interactions; get the file again"
        )
    return rows


def _checked_time(where: str, fields: list[str], layout: Layout) -> float:
    """Return the time of an interaction; raise DatasetError if one of its fields is not valid."""
    for place in (layout.user, layout.item):
        if not fields[place]:
            raise DatasetError(f"{where}: {layout.header[place]} is empty; fix the line")
    for place in layout.places[:1:-1]:  # the rating, if there is one, then the time
        name, field = layout.header[place], fields[place]
        if not _NUMBER.fullmatch(field) or not np.isfinite(float(field)):
            raise DatasetError(f"{where}: {name} {_short(field)} is not a number; fix the line")
    text = fields[layout.time]
    time = float(text)
    if 0 <= time <= 2**63 and _INTEGER.fullmatch(text):
        time = int(text.strip().lstrip("+-0") or "0")  # Python refuses more than 4,300 digits
    if not 0 <= time < 2**63:
        raise DatasetError(
            f"{where}: {layout.header[layout.time]} {text[:60]} is out of range; expected seconds "
            "since 1970; fix the line"
        )
    return time


def _short(field: str) -> str:
    return repr(field if len(field) <= 60 else f"{field[:59]}…")


def _count_lines(path: Path) -> int:
    with files.open_given(path) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))


def interaction_records(path: Path, layout: Layout) -> Iterator[tuple[str, list[str]]]:
    """Yield "file, line" and the fields of each interaction, as `records` does."""
    width, has_header = len(layout.header), layout.has_header
    return records(path, layout.separator, width, has_header=has_header, quoted=layout.quoted)


def records(
    path: Path,
    separator: str,
    width: int,
    *,
    has_header: bool = True,
    quoted: bool = True,
    encoding: str = "utf-8-sig",
) -> Iterator[tuple[str, list[str]]]:
    """Yield "file, line" and the `width` fields of each record; skip the header and empty lines.

    Raises DatasetError for a line with another number of fields, or if the file cannot be read.
    """
    first_line(path)  # raises for an empty file
    try:
        with _opened(path, encoding) as file:
            read = _quoted if quoted else _plain
            for number, (where, fields) in enumerate(read(path, _lines(path, file), separator)):
                if not fields or (has_header and number == 0):
                    continue
                if len(fields) != width:
                    expected = f"{width} separated by {SEPARATOR_NAMES[separator]}"
                    if has_header:
                        expected = f"the {width} of the header"
                    hint = " (quote a field that contains a comma)" if quoted else ""
                    raise DatasetError(
                        f"{where}: {len(fields)} columns; expected {expected}; fix the line{hint}"
                    )
                yield where, fields
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError:
        raise _first_bad_byte(path) from None


def _opened(path: Path, encoding: str, errors: str = "strict") -> TextIOWrapper:
    return TextIOWrapper(files.open_given(path), encoding, errors, newline="")


def _lines(path: Path, file: TextIOWrapper) -> Iterator[str]:
    """Yield lines with their ends: a line feed, a carriage return, or both."""
    for number in count(1):
        line = file.readline(LINE_LIMIT)
        if len(line) == LINE_LIMIT:
            raise too_long(path, number)
        if not line:
            return
        yield line


def _quoted(path: Path, file: Iterable[str], separator: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the records of CSV, in which a quoted field may contain line ends."""
    rows = csv.reader(file, delimiter=separator, strict=True)
    where = f"{path}, line 1"
    try:
        for fields in rows:
            yield where, fields
            where = f"{path}, line {rows.line_num + 1}"
    except csv.Error as error:
        raise DatasetError(
            f"{where}: cannot be read ({error}); expected fields separated by "
            f"{SEPARATOR_NAMES[separator]}, with doubled quotes in a quoted field; fix the line"
        ) from error


def _plain(path: Path, file: Iterable[str], separator: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        yield f"{path}, line {number}", text.split(separator) if text else []


def _first_bad_byte(path: Path) -> DatasetError:
    with _opened(path, "utf-8", "surrogateescape") as file:
        for number, line in enumerate(_lines(path, file), start=1):
            if bad := re.search("[\udc80-\udcff]", line):
                return not_utf8(path, number, ord(bad[0]) - 0xDC00)
    return DatasetError(f"{path}: the file changed while it was read; run again")
