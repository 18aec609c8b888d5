"""The reader of text that goes line by line: thirty times as slow as Arrow, and able to say what is wrong with which line."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from neumf_tui.data.layout import SPOKEN, Layout, not_utf8, unreadable
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.rows import Rows
from neumf_tui.errors import DatasetError

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_STRETCH = 1 << 18
"""Rows that are kept as Python objects before they go into an array."""


def read_by_line(path: Path, layout: Layout, report: Report = silent) -> Rows:
    """Any file, quoted or ragged: what is right in it, or DatasetError for the first line that is not."""
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    codes: tuple[list[NDArray[np.int32]], list[NDArray[np.int32]]] = [], []
    stretches: list[NDArray[Any]] = []
    names = [layout.header[place] for place in layout.places]
    pairs: tuple[list[int], list[int]] = [], []
    times: list[float] = []

    total, done = _count_lines(path), 0

    def put_away() -> None:
        nonlocal done
        done += len(times)
        report(Progress(f"reading {path.name} line by line", min(done, total), total, "lines"))
        for kept, column in zip(codes, pairs, strict=True):
            kept.append(np.array(column, dtype=np.int32))
            column.clear()
        stretches.append(np.array(times))
        times.clear()

    for where, fields in interactions(path, layout):
        user, item, time, *rating = (fields[place] for place in layout.places)
        for column, field in zip(names[:2], (user, item), strict=True):
            if not field:
                raise DatasetError(f"{where}: {column} is empty; mend the line")
        for column, field in zip([*names[3:], names[2]], [*rating, time], strict=True):
            if not _NUMBER.fullmatch(field) or not np.isfinite(float(field)):
                raise DatasetError(f"{where}: {column} {field!r} is no number; mend the line")
        when = int(time) if _INTEGER.fullmatch(time) else float(time)
        if not 0 <= when < 2**63:
            raise DatasetError(
                f"{where}: {names[2]} {time} is out of range; expected seconds since 1970; mend the line"
            )
        pairs[0].append(users.setdefault(user, len(users)))
        pairs[1].append(items.setdefault(item, len(items)))
        times.append(when)
        if len(times) >= _STRETCH:
            put_away()
    if times:
        put_away()
    if not stretches:
        raise DatasetError(
            f"{path}: no line below the header; expected interactions; get the file again"
        )
    first, second = (
        [
            pa.DictionaryArray.from_arrays(pa.array(part), pa.array(list(ids), type=pa.string()))
            for part in column
        ]
        for column, ids in zip(codes, (users, items), strict=True)
    )
    return Rows(first, second, stretches)


def _count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 22), b""))


def interactions(path: Path, layout: Layout) -> Iterator[tuple[str, list[str]]]:
    """File and line of each interaction, and its fields; empty lines are passed over. Raises DatasetError."""
    return records(
        path,
        layout.separator,
        len(layout.header),
        has_header=layout.has_header,
        quoted=layout.quoted,
    )


def records(
    path: Path,
    separator: str,
    width: int,
    *,
    has_header: bool = True,
    quoted: bool = True,
    encoding: str = "utf-8-sig",
) -> Iterator[tuple[str, list[str]]]:
    """File and line of each record below the header, and its `width` fields; empty lines are passed over. Raises DatasetError."""
    try:
        with path.open(encoding=encoding, newline="" if quoted else "\n") as file:
            numbered = _quoted(path, file, separator) if quoted else _plain(path, file, separator)
            for number, (where, fields) in enumerate(numbered):
                if not fields or (has_header and number == 0):
                    continue
                if len(fields) != width:
                    of = (
                        "of the header"
                        if has_header
                        else f"of this form, separated by {SPOKEN[separator]}"
                    )
                    aside = " (a field with a comma in it stands in quotes)" if quoted else ""
                    raise DatasetError(
                        f"{where}: {len(fields)} columns; expected the {width} {of}; mend the line{aside}"
                    )
                yield where, fields
    except OSError as error:
        raise unreadable(path, error) from error
    except UnicodeDecodeError:
        raise _first_bad_byte(path) from None


def _quoted(path: Path, file: Iterable[str], separator: str) -> Iterator[tuple[str, list[str]]]:
    """Of CSV, in which a field may go on in the next line."""
    rows = csv.reader(file, delimiter=separator, strict=True)
    where = f"{path}, line 1"
    try:
        for fields in rows:
            yield where, fields
            where = f"{path}, line {rows.line_num + 1}"
    except csv.Error as error:
        raise DatasetError(
            f"{where}: cannot be read ({error}); expected fields separated by {SPOKEN[separator]}, "
            "quotes in a quoted field doubled; mend the line"
        ) from error


def _plain(path: Path, file: Iterable[str], separator: str) -> Iterator[tuple[str, list[str]]]:
    for number, line in enumerate(file, start=1):
        text = line.rstrip("\r\n")
        yield f"{path}, line {number}", text.split(separator) if text else []


def _first_bad_byte(path: Path) -> DatasetError:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return not_utf8(path, number, line[error.start])
    return DatasetError(f"{path}: it changed while it was read; run again")
