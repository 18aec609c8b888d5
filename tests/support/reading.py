"""What the readers of `data/readers` read: datasets, rows, and rows read in two ways."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.formats import source_at, sources_in
from neumf_tui.data.options import make_options
from neumf_tui.data.prepare import prepare_content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.chunks import ChunkedFile
from neumf_tui.data.readers.records import part_of, sort_records
from neumf_tui.data.readers.rows import Coded, Part, Rows, coded, indices
from neumf_tui.data.readers.text_blocks import BLOCK_BYTES
from neumf_tui.data.readers.text_layout import Layout, sample_of
from neumf_tui.data.readers.text_read import chunked, read_text
from neumf_tui.data.readers.times import resolve_stamps


def dataset_from(reader: ModuleType, place: Path, name: str = "x", **options: object) -> Dataset:
    """Read `place` with a module of `data/readers` and split it; options by their names."""
    given = make_options(**options)
    return prepare_content(name, str(place), reader.read(place, given.reading), given)


def dataset_at(place: Path, **options: object) -> Dataset:
    """Read the one dataset at `place`, a folder or file; options by their names."""
    reading, splitting = make_options(**options)
    found = source_at(place, reading) if place.is_file() else None
    (source,) = [found] if found else sources_in(place, reading)
    return source.read(splitting)


def in_blocks(path: Path, layout: Layout, block_bytes: int = BLOCK_BYTES) -> ChunkedFile:
    """Return a text as it is read with blocks of this size."""
    sample = sample_of(path)
    return chunked(sample, replace(layout, encoding=sample.encoding), block_bytes)


def read_in_blocks(
    path: Path, layout: Layout, block_bytes: int = BLOCK_BYTES, report: Report = silent
) -> Rows:
    """Read a text with blocks of this size."""
    file = in_blocks(path, layout, block_bytes)
    return file.read(sample_of(path).facts(layout), BadRows(), "", report).check_any(path)


def read_whole(path: Path, layout: Layout) -> Coded:
    """Read a text, also the times that only all of them explain."""
    return coded(read_text(path, layout, silent))


def fast_blocks(path: Path, layout: Layout, block_bytes: int = BLOCK_BYTES) -> list[bool]:
    """Return which blocks are read fast; these are read record by record with the same result."""
    file, number, fast = in_blocks(path, layout, block_bytes), 1, []
    with file.chunks() as chunks:
        for chunk, _ in chunks:
            part = file.parse_fast(chunk)
            fast.append(part is not None)
            if part is not None:
                found = sort_records(file.records(chunk, number), layout)
                assert found.bad == []
                slow = part_of(found, layout, file.count(chunk))
                assert plain(part) == plain(slow)
            number += file.count(chunk)
    return fast


def plain(part: Part) -> list[Any]:
    """Return the columns of some interactions as lists."""
    users, items = (indices([ids]) for ids in (part.users, part.items))
    ids = [[names[place] for place in places] for names, places, _ in (users, items)]
    ratings = None if part.ratings is None else part.ratings.tolist()
    return [*ids, times_in(part.times), ratings]


def times_in(times: Any) -> Any:
    """Return a part of a column of times as a list; those of timestamps in their unit."""
    if isinstance(times, np.ndarray) or times is None:
        return None if times is None else times.tolist()
    if pa.types.is_timestamp(times.type):
        found = resolve_stamps([times])
        return (found.times.tolist(), found.units_per_second)
    return times.to_pylist()


def listed(rows: Rows) -> list[tuple[str, str, Any]]:
    """Return user, item and time of every row."""
    users, items = indices(list(rows.users)), indices(list(rows.items))
    times = np.concatenate(rows.times).tolist() if rows.times else [None] * len(users[1])
    return [
        (users[0][user], items[0][item], time)
        for user, item, time in zip(users[1], items[1], times, strict=True)
    ]
