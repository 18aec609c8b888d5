"""Read the interactions of a text, of which only its first lines have been seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from neumf_tui.data.options import ReadOptions
from neumf_tui.data.progress import Report
from neumf_tui.data.readers import json_fast, text_fast
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.chunks import ChunkedFile, Place
from neumf_tui.data.readers.records import Record
from neumf_tui.data.readers.rows import Part, Rows
from neumf_tui.data.readers.text_blocks import BLOCK_BYTES, blocks_of, header_lines
from neumf_tui.data.readers.text_by_line import records_in
from neumf_tui.data.readers.text_layout import JSON, Layout, Sample, sample_of
from neumf_tui.data.readers.text_open import (
    NotUtf8Error,
    count_lines,
    open_text,
    single_byte_encoding,
)


def read_text(
    path: Path, layout: Layout, report: Report, reading: ReadOptions = ReadOptions()
) -> Rows:
    """Return all interactions; raise DatasetError if there are none, or for a line that is none."""
    return read_part(sample_of(path), layout, report, reading, BadRows(reading.max_bad)).check_any(
        path
    )


def read_part(
    sample: Sample, layout: Layout, report: Report, reading: ReadOptions, bad: BadRows
) -> Rows:
    """Return all interactions of one of the files of a dataset, whose bad rows `bad` counts."""
    for encoding in (sample.encoding, ""):
        layout = replace(layout, encoding=encoding or single_byte_encoding(sample.path))
        try:
            file = chunked(sample, layout)
            return file.read(sample.facts(layout), bad.copy(), reading.time_format, report)
        except NotUtf8Error:  # in lines below the sample
            continue
    raise AssertionError("a text of single bytes can be read")


def chunked(sample: Sample, layout: Layout, block_bytes: int = BLOCK_BYTES) -> ChunkedFile:
    """Return the text as a file that can be read in blocks of about `block_bytes`."""
    path, skipped = sample.path, header_lines(sample, layout)

    @contextmanager
    def opened() -> Iterator[Iterator[tuple[bytes, Place]]]:
        with open_text(path, layout.encoding) as found:
            blocks = blocks_of(found.file, skipped, block_bytes)
            yield ((block, (min(found.position(), found.size), found.size)) for block in blocks)

    def parse_fast(block: bytes) -> Part | None:
        fast = json_fast.parse_fast if layout.separator == JSON else text_fast.parse_fast
        return fast(block, layout)

    def records(block: bytes, first: int) -> Iterator[Record]:
        return records_in(path, block, layout, first)

    return ChunkedFile(path, layout, "line", 1 + skipped, opened, parse_fast, records, count_lines)
