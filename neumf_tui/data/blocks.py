"""The fast reader of interactions in text: blocks of whole lines, parsed by Arrow on all cores. It takes only what is plainly
right, and leaves every doubt to the reader that goes line by line."""

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

from neumf_tui.cores import usable_cores
from neumf_tui.data.layout import Layout
from neumf_tui.data.progress import Progress, Report
from neumf_tui.data.rows import Ids, Rows

BLOCK = 1 << 23
"""Bytes that are parsed at once."""
_PIECE = 1 << 17
"""Bytes that are compared at once: what they need stays in the cache."""
_STRINGS = pa.dictionary(pa.int32(), pa.string())
_COLUMN = re.compile(r"CSV column #(\d+)")
_HEX = re.compile(rb"(?:^|[\s,;|:])0[xX]")

_Part = tuple[Ids, Ids, NDArray[Any]]


def read_fast(path: Path, layout: Layout, report: Report) -> Rows | None:
    """All interactions of the file, or None where any line of it may not be right. Memory: the columns and a few blocks."""
    workers = usable_cores()
    rows = Rows([], [], [])
    waiting: deque[tuple[Future[_Part | None], int]] = deque()
    total, done = path.stat().st_size, 0
    with path.open("rb") as file, ThreadPoolExecutor(workers) as pool:
        blocks = _blocks(file, layout.has_header)
        while True:
            while len(waiting) <= workers and (block := next(blocks, b"")):
                waiting.append((pool.submit(_parse, block, layout), len(block)))
            if not waiting:
                break
            job, size = waiting.popleft()
            part = job.result()
            if part is None:
                for rest, _ in waiting:
                    rest.cancel()
                return None
            for column, values in zip((rows.users, rows.items, rows.times), part, strict=True):
                column.append(values)
            done += size
            report(Progress(f"reading {path.name}", min(done, total), total, "B"))
    return rows if sum(map(len, rows.times)) else None


def _blocks(file: Any, has_header: bool) -> Iterator[bytes]:
    """Whole lines, about BLOCK bytes at a time."""
    if has_header:
        file.readline()
    elif file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while block := file.read(BLOCK):
        block += file.readline()
        yield block if block.endswith(b"\n") else block + b"\n"


def _parse(block: bytes, layout: Layout) -> _Part | None:
    """User ids, item ids and times of the lines; None where they may not be right."""
    if b"\0" in block or (layout.quoted and not _plainly_quoted(block, layout.separator)):
        return None
    double = (
        len(layout.separator) == 2
    )  # Arrow knows separators of one letter: between two of them there is an empty column
    if double:
        lines, each = block.count(b"\n"), len(layout.header) - 1
        separator = layout.separator.encode()
        if block.count(separator) != each * lines or block.count(separator[:1]) != 2 * each * lines:
            return None
    step = 2 if double else 1
    places = [step * place for place in layout.places]
    plain = not (
        b" " in block
        or b"-" in block
        or b"+" in block
        or (b"\t" in block and layout.separator != "\t")
    )
    ids = pa.int64() if plain and not _leading_zeros(block, layout.separator) else _STRINGS
    types: dict[int, pa.DataType] = dict(
        zip(places, (ids, ids, pa.int64(), pa.float64()), strict=False)
    )
    names = [str(number) for number in range(step * (len(layout.header) - 1) + 1)]
    while (table := _table(block, layout, names, types)) is None:
        pass
    if isinstance(table, str):
        return None
    user, item, time, *rating = (table[str(place)].combine_chunks() for place in places)
    times = time.to_numpy()
    stars = rating[0].to_numpy() if rating else np.zeros(0)
    if not np.isfinite(stars).all() or len(times) != table.num_rows:
        return None
    if len(times) and not (times.min() >= 0 and times.max() < 2**63):  # NaN neither
        return None
    if times.dtype.kind == "i" and (b"x" in block or b"X" in block) and _HEX.search(block):
        return None  # which Arrow takes for a number
    first, second = _ids(user), _ids(item)
    return (
        None
        if first is None or second is None
        else (first, second, _small(times) if times.dtype.kind == "i" else times)
    )


def _table(
    block: bytes, layout: Layout, names: list[str], types: dict[int, pa.DataType]
) -> pa.Table | str | None:
    """What Arrow makes of the block; why it cannot; or None, where `types` now has a wider type for a column."""
    try:
        return arrow_csv.read_csv(
            pa.py_buffer(block),
            read_options=arrow_csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block) + 1
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=layout.separator[0], quote_char='"' if layout.quoted else False
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={str(place): kind for place, kind in types.items()},
                include_columns=[str(place) for place in types],
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        found = _COLUMN.search(str(error))
        place = int(found[1]) if found else -1
        role = [*types].index(place) if place in types else 3
        wider = _STRINGS if role < 2 else pa.float64()
        if role == 3 or types[place] == wider:
            return str(error)
        types[place] = wider
        return None


def _ids(column: Any) -> Ids | None:
    """None where an id is empty."""
    if not isinstance(column, pa.DictionaryArray):
        return _small(column.to_numpy())
    return None if pc.index(column.dictionary, "").as_py() >= 0 else column


def _small(numbers: NDArray[np.int64]) -> NDArray[Any]:
    """Numbers from 0 on, in 32 bits where they fit."""
    return numbers.astype(np.int32) if numbers.max(initial=0) < 2**31 else numbers


def _plainly_quoted(block: bytes, separator: str) -> bool:
    """Whether every quote begins or ends a field, and as many do the one as the other: then none is inside a field."""
    if b'"' not in block:
        return True
    quotes = block.count(b'"')
    mark = separator.encode()
    first = block.count(mark + b'"') + block.count(b'\n"') + block.startswith(b'"')
    last = block.count(b'"' + mark) + block.count(b'"\n') + block.count(b'"\r\n')
    return first == last and first + last == quotes


def _leading_zeros(block: bytes, separator: str) -> bool:
    """Whether a field may begin with a needless zero: 007 is another id than 7, and no number for one that goes by strings."""
    letters, mark = np.frombuffer(block, dtype=np.uint8), ord(separator[-1])
    if letters[0] == ord("0") and letters[1] >= ord("0") and letters[1] != mark:
        return True
    for start in range(0, len(letters), _PIECE):
        piece = letters[start : start + _PIECE + 2]
        # Line ends, quotes and most separators are below the point that 0 stands before or after in 0.5 and 3.05.
        before = (piece[:-2] < ord("-")) | (piece[:-2] == mark)
        if (
            before & (piece[1:-1] == ord("0")) & (piece[2:] >= ord("0")) & (piece[2:] != mark)
        ).any():
            return True
    return False
