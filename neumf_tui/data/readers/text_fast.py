"""The fast reader of interactions in text: whole lines, parsed by Arrow.

It accepts only what is certainly valid, and leaves all other lines to `text_by_line`.
"""

import codecs
import re
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute as pc
from pyarrow import csv as arrow_csv

from neumf_tui.data.readers.rows import STRINGS, Ids, Part, as_ratings, narrowed
from neumf_tui.data.readers.text_layout import LINE_LIMIT, Layout
from neumf_tui.data.readers.times import BLANKS, are_unusable, since_1970

_PIECE_BYTES = 1 << 17
"""Bytes that are compared at once: they and the temporary arrays fit in the cache."""
_COLUMN_IN_ERROR = re.compile(r"CSV column #(\d+)")
_HEX_NUMBER = re.compile(rb"(?:^|[\s,;|:\"])0[xX]")


def parse_fast(block: bytes, layout: Layout) -> Part | None:
    """Return the interactions in whole lines, or None if one may be invalid."""
    if b"\0" in block or _has_lone_cr(block) or not is_utf8(block):
        return None
    if block.startswith(codecs.BOM_UTF8):
        return None  # Arrow would leave it out
    block = block if block.endswith(b"\n") else block + b"\n"
    if _may_have_long_line(block) or not _are_quotes_plain(block, layout):
        return None
    # Arrow's separators are single characters: `::` is two of them with an empty column between.
    step = len(layout.separator)
    if step == 2 and not _all_separators_double(block, layout):
        return None
    if layout.separator == " " and not _all_blanks_single(block):
        return None
    names = [str(number) for number in range(step * (len(layout.header) - 1) + 1)]
    table = _parse_with_arrow(block, layout, names, _types(block, layout))
    lines = block.count(b"\n")
    if table is None or len(table) != _count_filled(block, lines):
        return None

    def column(place: int | None) -> Any:
        return None if place is None else table[str(step * place)].combine_chunks()

    users, items = (_as_ids(column(place), layout) for place in (layout.user, layout.item))
    times, ratings = column(layout.time), column(layout.rating)
    if times is not None:
        is_hex = pa.types.is_integer(times.type) and _may_have_hex(block)
        times = None if is_hex else checked_times(times)
    if ratings is not None:
        ratings = as_ratings(ratings.to_numpy())
        if ratings is None:
            return None
    if users is None or items is None or (times is None and layout.time is not None):
        return None
    return Part(users, items, times, ratings, lines)


def _has_lone_cr(text: bytes) -> bool:
    """Return whether a line ends with a carriage return alone."""
    return b"\r" in text and text.count(b"\r") != text.count(b"\r\n")


def is_utf8(block: bytes) -> bool:
    if block.isascii():
        return True
    try:
        block.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _may_have_long_line(block: bytes) -> bool:
    """Return whether a line may be longer than LINE_LIMIT."""
    step = LINE_LIMIT // 2
    return any(
        block.find(b"\n", start, start + step) < 0 for start in range(0, len(block) - step, step)
    )


def _are_quotes_plain(block: bytes, layout: Layout) -> bool:
    """Return whether quotes are around whole fields, or belong to fields that nobody reads."""
    if not layout.quoted or b'"' not in block:
        return True
    if layout.quotes_span_lines:
        return _only_whole_fields_quoted(block, layout.separator)
    return layout.separator == "\t"  # `_as_ids` looks for quotes


def _types(block: bytes, layout: Layout) -> dict[int, pa.DataType]:
    """Return the types that the columns may have, by their place in Arrow's table."""
    step = len(layout.separator)
    signs = (sign for sign in (b" ", b"-", b"+", b"\t") if sign != layout.separator.encode())
    numeric = not any(sign in block for sign in signs)
    numeric = numeric and not _may_have_leading_zeros(block, layout.separator)
    ids = pa.int64() if numeric else STRINGS
    types = {step * layout.user: ids, step * layout.item: ids}
    if layout.time is not None:
        types[step * layout.time] = {
            "number": pa.int64(),
            "ISO date": pa.timestamp("us"),
            "ISO date with zone": pa.timestamp("us", "UTC"),
            "text": STRINGS,
        }[layout.time_kind]
    if layout.rating is not None:
        types[step * layout.rating] = pa.float64()
    return types


def _wider(kind: pa.DataType, is_id: bool) -> pa.DataType | None:
    """Return the type to try where a column does not fit `kind`."""
    if kind == pa.int64():
        return STRINGS if is_id else pa.float64()
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        return pa.timestamp("ns", kind.tz)
    return None


def _parse_with_arrow(
    block: bytes, layout: Layout, names: list[str], types: dict[int, pa.DataType]
) -> pa.Table | None:
    """Return the columns in `types`, or None if Arrow finds an invalid line.

    Where a column does not fit its type, the type in `types` is replaced by a wider one: strings
    for ids, floats for times.
    """
    size = len(block) + 1
    quote = '"' if layout.quotes_span_lines else False
    ids = [len(layout.separator) * place for place in (layout.user, layout.item)]
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
            wider = _wider(types[place], place in ids) if place in types else None
            if wider is None:
                return None
            types[place] = wider


def _as_ids(column: Any, layout: Layout) -> Ids | None:
    """Return the column as `Ids`, or None if an id is empty or may have quotes around it."""
    if not isinstance(column, pa.DictionaryArray):
        return narrowed(column.to_numpy())
    texts = column.dictionary
    if layout.quoted and not layout.quotes_span_lines and _any(pc.match_substring(texts, '"')):
        return None
    return column if are_ids(texts) else None


def are_ids(texts: Any) -> bool:
    """Return whether none of these texts is empty without the blanks around it."""
    return bool(pc.index(pc.utf8_trim(texts, BLANKS), "").as_py() < 0)


def checked_times(column: Any) -> Any:
    """Return a column of Arrow as `Times`, or None if one may be invalid."""
    if isinstance(column, pa.DictionaryArray):
        trimmed = pc.utf8_trim(column.dictionary, BLANKS)
        odd = pc.or_(pc.equal(trimmed, ""), pc.not_equal(trimmed, column.dictionary))
        return None if _any(odd) or _any(pc.match_substring(trimmed, '"')) else column
    if pa.types.is_timestamp(column.type):
        numbers, units = since_1970(column)
        return None if are_unusable(numbers, units).any() else column
    times = column.to_numpy()
    if len(times) and not (times.min() >= 0 and times.max() < 2**63):  # also False for NaN
        return None
    return times if times.dtype.kind == "f" else narrowed(times)


def _may_have_hex(block: bytes) -> bool:
    """Return whether a field may be like 0x1f, which Arrow reads as a number."""
    return (b"x" in block or b"X" in block) and bool(_HEX_NUMBER.search(block))


def _any(mask: Any) -> bool:
    return bool(pc.any(mask).as_py())


def _count_filled(block: bytes, lines: int) -> int:
    """Return how many of the `lines` of the block are not empty."""
    if block.startswith((b"\n", b"\r\n")) or b"\n\n" in block or b"\n\r\n" in block:
        lines -= sum(line in (b"", b"\r") for line in block.split(b"\n")) - 1  # after the last
    return lines


def _all_separators_double(block: bytes, layout: Layout) -> bool:
    expected = _count_filled(block, block.count(b"\n")) * (len(layout.header) - 1)
    separator = layout.separator.encode()
    return block.count(separator) == expected and block.count(separator[:1]) == 2 * expected


def _all_blanks_single(block: bytes) -> bool:
    """Return whether no line starts or ends with a blank, and none has two in a row."""
    around = (b"  ", b"\n ", b" \n", b" \r", b"\t", b"\v", b"\f")
    return not block.startswith(b" ") and not any(blank in block for blank in around)


def _only_whole_fields_quoted(block: bytes, separator: str) -> bool:
    """Return whether quotes start and end fields in turn, and no field goes over lines."""
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
    letters: NDArray[np.uint8] = np.frombuffer(block, dtype=np.uint8)
    mark = ord(separator[-1])
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
