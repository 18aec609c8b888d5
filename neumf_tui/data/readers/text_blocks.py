"""Cut a text into blocks of whole lines."""

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO

from neumf_tui.data.readers.text_layout import JSON, LINE_LIMIT, Layout, Sample

BLOCK_BYTES = 1 << 23
"""Bytes that are parsed at once."""
_LINE_END = re.compile(rb"\r\n|\r|\n")


def blocks_of(file: BinaryIO, skipped_lines: int = 0, size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield whole lines, about `size` bytes at a time, without the first ones."""
    carried = b""
    while block := carried + file.read(size) + file.readline(LINE_LIMIT + 1):
        carried = b""
        if not block.endswith(b"\n") and (more := file.read(1)):
            # Lines that end with carriage returns alone, or a line that is too long.
            cut = block.rfind(b"\r", 0, len(block) - 1) + 1 or len(block)
            block, carried = block[:cut], block[cut:] + more
        if skipped_lines:
            block, skipped_lines = _without_lines(block, skipped_lines)
        if block:
            yield block


def header_lines(sample: Sample, layout: Layout) -> int:
    """Return how many lines there are above the first interaction: comments and the header."""
    if not layout.has_header or layout.separator == JSON:
        return sample.comments
    if not layout.quotes_span_lines:
        first = sample.first_line
        return next(n for n, line in enumerate(sample.lines, first) if line.strip("\r\n"))
    rows = csv.reader(sample.lines, delimiter=layout.separator, strict=True)
    next(filter(None, rows), None)
    return sample.comments + rows.line_num


def _without_lines(block: bytes, number: int) -> tuple[bytes, int]:
    """Return the block without its first lines, and how many of these are still to come."""
    end = 0
    while number and (found := _LINE_END.search(block, end)):
        end, number = found.end(), number - 1
    return (b"" if number else block[end:]), number
