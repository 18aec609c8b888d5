"""The fast reader of interactions in JSON Lines: whole lines, parsed by Arrow.

It accepts only what is certainly valid, and leaves all other lines to `text_by_line`.
"""

import re
from typing import Any

import pyarrow as pa
from pyarrow import json as arrow_json

from neumf_tui.data.readers.rows import Ids, Part, as_ratings, narrowed
from neumf_tui.data.readers.text_fast import are_ids, checked_times, is_utf8
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.readers.times import parse_iso

_OTHER_KIND = re.compile(r"Column\(/(.*)\) changed from \w+ to (string|number) ", re.DOTALL)
_NOT_WHOLE = "Failed to convert JSON to int64"


def parse_fast(block: bytes, layout: Layout) -> Part | None:
    """Return the interactions in whole lines, or None if one may be invalid."""
    if not is_utf8(block) or b"\r" in block.replace(b"\r\n", b"") or b"\0" in block:
        return None
    lines = [line for line in map(bytes.strip, block.split(b"\n")) if line]
    # Arrow reads objects, in a line or over several; here each line has to be one.
    if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return None
    table = _parse_with_arrow(block, layout)
    if table is None or len(table) != len(lines):
        return None

    def column(place: int | None) -> Any:
        return None if place is None else table[layout.header[place]].combine_chunks()

    users, items = (_as_ids(column(place)) for place in (layout.user, layout.item))
    times, ratings = column(layout.time), column(layout.rating)
    if users is None or items is None:
        return None
    if times is not None and (times := _as_times(times, layout)) is None:
        return None
    if ratings is not None:
        ratings = as_ratings(ratings.to_numpy(zero_copy_only=False))  # null is NaN
        if ratings is None:
            return None
    return Part(users, items, times, ratings, block.count(b"\n"))


def _parse_with_arrow(block: bytes, layout: Layout) -> pa.Table | None:
    """Return the columns as Arrow reads them, None if it finds an invalid line.

    Ids and times are texts or numbers, whichever they are in all lines.
    """
    kinds = {layout.header[place]: pa.string() for place in layout.places}
    if layout.time is not None and layout.time_kind == "number":
        kinds[layout.header[layout.time]] = pa.int64()
    if layout.rating is not None:
        kinds[layout.header[layout.rating]] = pa.float64()
    reading = arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    tried = set()
    while (schema := pa.schema(kinds)).to_string() not in tried:
        tried.add(schema.to_string())
        parsing = arrow_json.ParseOptions(
            explicit_schema=schema, unexpected_field_behavior="ignore"
        )
        try:
            return arrow_json.read_json(pa.BufferReader(block), reading, parsing)
        except pa.ArrowInvalid as error:
            if (found := _OTHER_KIND.search(str(error))) and found[1] in kinds:
                kinds[found[1]] = pa.string() if found[2] == "string" else pa.int64()
            elif _NOT_WHOLE in str(error) and layout.time is not None:
                kinds[layout.header[layout.time]] = pa.float64()
    return None


def _as_ids(column: Any) -> Ids | None:
    """Return the column as `Ids`, or None if an id may be missing."""
    if column.null_count:
        return None
    if not pa.types.is_string(column.type):
        return narrowed(column.to_numpy())
    found = column.dictionary_encode()
    return found if are_ids(found.dictionary) else None


def _as_times(column: Any, layout: Layout) -> Any:
    """Return the column as `Times`, or None if one may be invalid."""
    if column.null_count or pa.types.is_string(column.type) == (layout.time_kind == "number"):
        return None
    if layout.time_kind == "text":
        column = column.dictionary_encode()
    elif layout.time_kind != "number":
        try:
            column = parse_iso(column, layout.time_kind)
        except pa.ArrowInvalid:
            return None
    return checked_times(column)
