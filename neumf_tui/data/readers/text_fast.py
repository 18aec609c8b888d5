"""The fast reader of interactions in text: blocks of whole lines, parsed by Arrow on all cores.

It accepts only what is certainly valid, and leaves every other file to `text_by_line`.
"""

import codecs
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import csv as arrow_csv

from neumf_tui import files
from neumf_tui.cores import usable_cores
from neumf_tui.data.progress import Progress, Report
from neumf_tui.data.readers.rows import STRINGS, Ids, Rows
from neumf_tui.data.readers.text_by_line import read_by_line
from neumf_tui.data.readers.text_layout import LINE_LIMIT, Layout, first_line

BLOCK_BYTES = 1 << 23
"""Bytes that are parsed at once."""
_PIECE_BYTES = 1 << 17
"""Bytes that are compared at once: they and the temporary arrays fit in the cache."""
_COLUMN_IN_ERROR = re.compile(r"CSV column #(\d+)")
_HEX_NUMBER = re.compile(rb"(?:^|[\s,;|:])0[xX]")

_Part = tuple[Ids, Ids, NDArray[Any], NDArray[np.float32]]


def read_text(path: Path, layout: Layout, report: Report) -> Rows:
    """Read all interactions, fast if possible; raise DatasetError for the first invalid line."""
    first_line(path)  # raises for a file that is empty or cannot be opened
    return read_fast(path, layout, report) or read_by_line(path, layout, report)


def read_fast(
    path: Path, layout: Layout, report: Report, block_bytes: int = BLOCK_BYTES
) -> Rows | None:
    """Read all interactions, or return None if any line may be invalid.

    Memory: the columns and a few blocks.
    """
    workers = usable_cores()
    rows = Rows()
    waiting: deque[tuple[Future[_Part | None], int]] = deque()
    total, done = path.stat().st_size, 0
    with files.open_given(path) as file, ThreadPoolExecutor(workers) as pool:
        blocks = _blocks(file, layout.has_header, block_bytes)
        while True:
            while len(waiting) <= workers and (block := next(blocks, b"")):
                waiting.append((pool.submit(_parse, block, layout), len(block)))
            if not waiting:
                break
            job, size = waiting.popleft()
            part = job.result()
            if part is None:
                for other, _ in waiting:
                    other.cancel()
                return None
            if len(part[2]):  # else only empty lines
                columns = rows.users, rows.items, rows.times, rows.ratings
                for column, values in zip(columns, part, strict=True):
                    if column is not rows.ratings or layout.rating is not None:
                        column.append(values)
            done += size
            report(Progress(f"reading {path.name}", min(done, total), total, "B"))
    return rows if rows.times else None


def _blocks(file: Any, has_header: bool, block_bytes: int) -> Iterator[bytes]:
    """Yield whole lines, about `block_bytes` at a time, without header and byte order mark.

    A block with a NUL, which `_parse` refuses, stands for lines that `text_by_line` has to read.
    """
    if has_header:
        if _has_lone_cr(file.readline(LINE_LIMIT)):
            yield b"\0"  # the line holds interactions too
    elif file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while block := file.read(block_bytes):
        line = file.readline(LINE_LIMIT)
        yield block + line if len(line) < LINE_LIMIT else b"\0"


def _has_lone_cr(text: bytes) -> bool:
    """Return whether a line ends with a carriage return alone."""
    return b"\r" in text and text.count(b"\r") != text.count(b"\r\n")


def _parse(block: bytes, layout: Layout) -> _Part | None:
    """Return user ids, item ids, times and ratings of the lines; None if one may be invalid."""
    if b"\0" in block or _has_lone_cr(block) or not _is_utf8(block):
        return None
    if block.startswith(codecs.BOM_UTF8):
        return None  # Arrow would leave it out
    block = block if block.endswith(b"\n") else block + b"\n"
    if layout.quoted and not _only_whole_fields_quoted(block, layout.separator):
        return None
    # Arrow's separators are single characters: `::` is two of them with an empty column between.
    step = len(layout.separator)
    if step == 2 and not _all_separators_double(block, layout):
        return None
    places = [step * place for place in layout.places]
    signs = (b" ", b"-", b"+") if layout.separator == "\t" else (b" ", b"-", b"+", b"\t")
    numeric = not any(sign in block for sign in signs)
    numeric = numeric and not _may_have_leading_zeros(block, layout.separator)
    ids = pa.int64() if numeric else STRINGS
    kinds = (ids, ids, pa.int64(), pa.float64())
    types: dict[int, pa.DataType] = dict(zip(places, kinds, strict=False))
    names = [str(number) for number in range(step * (len(layout.header) - 1) + 1)]
    table = _parse_with_arrow(block, layout, names, types)
    if table is None:
        return None
    user, item, time, *rating = (table[str(place)].combine_chunks() for place in places)
    times = time.to_numpy()
    ratings = rating[0].to_numpy() if rating else np.zeros(0)
    if not np.isfinite(ratings).all() or len(times) != _count_lines(block):
        return None
    if len(times) and not (times.min() >= 0 and times.max() < 2**63):  # also False for NaN
        return None
    if times.dtype.kind == "i" and (b"x" in block or b"X" in block) and _HEX_NUMBER.search(block):
        return None  # Arrow reads these as numbers
    users, items = _as_ids(user), _as_ids(item)
    if users is None or items is None:
        return None
    whole = times.dtype.kind == "i"
    return users, items, _narrowed(times) if whole else times, ratings.astype(np.float32)


def _is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _count_lines(block: bytes) -> int:
    """Return the number of lines that are not empty."""
    lines = block.count(b"\n")
    if block.startswith((b"\n", b"\r\n")) or b"\n\n" in block or b"\n\r\n" in block:
        lines -= sum(line in (b"", b"\r") for line in block.split(b"\n")) - 1  # after the last
    return lines


def _all_separators_double(block: bytes, layout: Layout) -> bool:
    expected = _count_lines(block) * (len(layout.header) - 1)
    separator = layout.separator.encode()
    return block.count(separator) == expected and block.count(separator[:1]) == 2 * expected


def _parse_with_arrow(
    block: bytes, layout: Layout, names: list[str], types: dict[int, pa.DataType]
) -> pa.Table | None:
    """Return the columns in `types`, or None if Arrow finds an invalid line.

    Where a column does not fit its type, the type in `types` is replaced by a wider one: strings
    for ids, floats for times.
    """
    size, quote = len(block) + 1, '"' if layout.quoted else False
    reading = arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=size)
    parsing = arrow_csv.ParseOptions(delimiter=layout.separator[0], quote_char=quote)
    while True:
        kinds = {str(place): kind for place, kind in types.items()}
        converting = arrow_csv.ConvertOptions(
            column_types=kinds, include_columns=[*kinds], null_values=[], strings_can_be_null=False
        )
        try:
            return arrow_csv.read_csv(pa.py_buffer(block), reading, parsing, converting)
        except pa.ArrowInvalid as error:
            found = _COLUMN_IN_ERROR.search(str(error))
            place = int(found[1]) if found else -1
            if place not in types:
                return None
            role = [*types].index(place)  # user, item, time, rating
            wider = STRINGS if role < 2 else pa.float64()
            if types[place] == wider:
                return None
            types[place] = wider


def _as_ids(column: Any) -> Ids | None:
    """Return the column as `Ids`, or None if an id is empty."""
    if not isinstance(column, pa.DictionaryArray):
        return _narrowed(column.to_numpy())
    return None if pc.index(column.dictionary, "").as_py() >= 0 else column


def _narrowed(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Return the numbers as int32 if they fit."""
    return numbers.astype(np.int32) if numbers.max(initial=0) < 2**31 else numbers


def _only_whole_fields_quoted(block: bytes, separator: str) -> bool:
    """Return whether quotes start and end fields in turn, and no field goes over lines."""
    if b'"' not in block:
        return True
    letters, mark, line_end = np.frombuffer(block, dtype=np.uint8), ord(separator), ord("\n")
    quotes = np.flatnonzero(letters == ord('"'))
    if len(quotes) % 2:
        return False
    lines = np.searchsorted(np.flatnonzero(letters == line_end), quotes)
    before = letters[quotes[::2] - 1]  # of the first letter: the line end at the end of the block
    after = letters[quotes[1::2] + 1]
    return bool(
        np.isin(before, (mark, line_end)).all()
        and np.isin(after, (mark, line_end, ord("\r"))).all()
        and (lines[::2] == lines[1::2]).all()
    )


def _may_have_leading_zeros(block: bytes, separator: str) -> bool:
    """Return whether a field may start with a needless zero: `007` and `7` are different ids."""
    letters, mark = np.frombuffer(block, dtype=np.uint8), ord(separator[-1])
    if letters[0] == ord("0") and letters[1] >= ord("0") and letters[1] != mark:
        return True
    for start in range(0, len(letters), _PIECE_BYTES):
        piece = letters[start : start + _PIECE_BYTES + 2]
        # Line ends, quotes and most separators sort before "-"; the point of 0.5 and 3.05 does not.
        at_start = (piece[:-2] < ord("-")) | (piece[:-2] == mark)
        zero = piece[1:-1] == ord("0")
        if (at_start & zero & (piece[2:] >= ord("0")) & (piece[2:] != mark)).any():
            return True
    return False
