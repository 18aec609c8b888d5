"""Read interactions in the plainest way: the reference for the readers of the program.

It imports no part of them.
"""

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

BOM = b"\xef\xbb\xbf"
BLANKS = " \t\n\r\f\v\u00a0\u2007\u202f\u3000"
Row = tuple[str, str, float]


class Refused(Exception):
    """The file is not valid; one of `lines` is to blame, or None if it is no line."""

    def __init__(self, *lines: int | None) -> None:
        super().__init__(f"lines {lines}")
        self.lines = lines or (None,)


class Unclear(Exception):
    """The file may be read in another way than its form says, or refused."""


@dataclass(frozen=True)
class Form:
    """A form of text: its separator, and whether it has a header and quotes."""

    file: str
    separator: str
    has_header: bool
    has_quotes: bool


def read_reference(content: bytes, form: Form) -> list[Row]:
    """Return all interactions in the order of the file, with ids as they are compared.

    Raises Unclear if a fault in the header or the first times makes another table of it.
    """
    is_marked, content = content.startswith(BOM), content.removeprefix(BOM)
    if not content.strip():
        raise Refused
    if BOM.startswith(content):
        raise Refused(None, 1)
    text, bad_byte = _decoded(content, is_marked)
    places = _places(text, form)
    if bad_byte:
        try:
            _rows(text, form, *places)
        except Refused as refused:  # a line before it may be named
            lines = [line for line in refused.lines if line and line < bad_byte]
            raise Refused(bad_byte, *lines) from None
        raise Refused(bad_byte)
    rows = _rows(text, form, *places)
    users, items = (_plain_ids([row[place] for row in rows]) for place in (0, 1))
    times = [row[2] for row in rows]
    return list(zip(users, items, times, strict=True))


def _decoded(content: bytes, is_utf8: bool) -> tuple[str, int]:
    """Return the text, and the line of a byte that is not UTF-8 where the rest is."""
    text = content.decode("utf-8", "surrogateescape")
    others = re.findall("[\udc80-\udcff]", text)
    letters = [one for one in text if ord(one) > 127 and one not in others]
    if not others:
        return text, 0
    if is_utf8 or len(letters) >= len(others):
        line = len(_lines_of(text[: text.index(others[0])]))
        return text.translate({ord(one): "\ufffd" for one in others}), line
    names = {"\udc81"}
    return content.decode("latin-1" if names & {*others} else "cp1252"), 0


def _plain_ids(ids: list[str]) -> list[str]:
    """Cut blanks around ids and, if all of them are whole numbers, `.0` and exponents."""
    ids = [one.strip(BLANKS) for one in ids]
    whole = [_whole(one) for one in ids]
    if None in whole or all(re.fullmatch("-?[0-9]+", one) for one in ids):
        return ids
    return [one for one in whole if one is not None]


def _whole(text: str) -> str | None:
    if re.fullmatch("-?[0-9]+", text):
        return text
    if found := re.fullmatch("(-?[0-9]+)[.]0+", text):
        return found[1]
    if re.fullmatch(r"-?[0-9]([.][0-9]+)?[eE][+]?[0-9]{1,2}", text):
        value = Fraction(text)
        return str(value.numerator) if value.denominator == 1 else None
    return None


def _rows(
    text: str, form: Form, user: int, item: int, rating: int | None, time: int, width: int
) -> list[Row]:
    def row_of(fields: list[str]) -> Row | None:
        if len(fields) != width or not (fields[user].strip(BLANKS) and fields[item].strip(BLANKS)):
            return None
        when = _number(fields[time])
        if when is None or (rating is not None and not _is_rating(fields[rating])):
            return None
        return (fields[user], fields[item], when) if 0 <= when < 2**63 else None

    _check_swallowed(text, form, row_of)
    records = _records(text, form, width)[form.has_header :]
    found = [(line, row_of(fields)) for line, fields in records]
    if wrong := [line for line, row in found if row is None]:
        raise Refused(*wrong)
    rows = [(line, row) for line, row in found if row is not None]
    if not rows:
        raise Refused
    times = [row[2] for _, row in rows]
    if any(isinstance(when, float) for when in times):
        times = [float(when) for when in times]
    units = [sum(when >= limit for limit in (1e11, 1e14, 1e17)) for when in times]
    if any(when > 0 and unit < max(units) for unit, when in zip(units, times, strict=True)):
        raise Refused(*(line for line, _ in rows))
    return [(*row[:2], when) for (_, row), when in zip(rows, times, strict=True)]


def _check_swallowed(text: str, form: Form, row_of: Callable[[list[str]], Row | None]) -> None:
    """Refuse a record over several lines if one of them is a row by itself.

    The first line has all columns also if the last field goes over lines, and the last one if the
    first field does.
    """
    if not form.has_quotes or form.separator == "\t":
        return
    lines = _lines_of(text)
    for first, fields, last in _quoted_records(text, form):
        start = first - 1 + (len(_lines_of(fields[-1])) > 1)
        end = last - (len(_lines_of(fields[0])) > 1)
        if first < last and fields == [""]:
            raise Refused(first)
        if first < last and any(row_of(line.split(form.separator)) for line in lines[start:end]):
            raise Refused(first)


def _places(text: str, form: Form) -> tuple[int, int, int | None, int, int]:
    if not form.has_header:
        return 0, 1, 2, 3, 4
    lines = [line for line in _lines_of(text) if line]
    try:
        _, header = _records(lines[0], form, 4)[0]
    except (Refused, IndexError):
        raise Unclear from None
    names = [name.removesuffix(":token") for name in header]
    if sorted(names) != ["item_id", "rating", "timestamp", "user_id"]:
        raise Unclear
    user, item, rating, time = map(names.index, ("user_id", "item_id", "rating", "timestamp"))
    try:
        times = [fields[time] for _, fields in _records(text, form, 4)[1:] if len(fields) == 4]
    except Refused as refused:
        raise Unclear from refused
    if 2 * sum(_number(when) is not None for when in times) <= len(times):
        raise Unclear  # most times are of another kind, or lines of another form
    return user, item, rating, time, len(header)


def _lines_of(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def _records(text: str, form: Form, width: int) -> list[tuple[int, list[str]]]:
    """Return the number of the first line and the fields of each record that is not empty.

    A record that cannot be read has no fields but None.
    """
    if form.has_quotes and form.separator != "\t":
        return [(first, fields) for first, fields, _ in _quoted_records(text, form)]
    records = []
    for number, line in enumerate(_lines_of(text), start=1):
        fields = line.split(form.separator)
        if form.has_quotes and len(fields) == width:
            fields = [_unquoted(field) for field in fields]
        elif form.has_quotes and '"' in line:
            (_, found, _), *_ = [*_quoted_records(line, form), (0, [], 0)]
            fields = found if len(found) == width else fields
        if line:
            records.append((number, fields))
    return records


def _unquoted(field: str) -> str:
    found = re.fullmatch('"((?:[^"]|"")*)"', field, re.DOTALL)
    return found[1].replace('""', '"') if found else field


def _quoted_records(text: str, form: Form) -> list[tuple[int, list[str], int]]:
    """Return the first line, the fields and the last line of each record that is not empty.

    The fields of a record that cannot be read are [""].
    """
    records: list[tuple[int, list[str], int]] = []
    fields, field, state = [], "", "start"
    line = first = 1
    for letter in [*re.findall(r"\r\n|[\s\S]", text), ""]:
        ends_line = letter in ("\r\n", "\r", "\n", "")
        if state == "in quotes" and letter == "":
            raise Refused(first)
        if state == "wrong" and not ends_line:
            continue
        if state == "in quotes":
            if letter == '"':
                state = "after quote"
            else:
                field += letter
                line += ends_line
        elif state == "start" and letter == '"':
            state = "in quotes"
        elif state == "after quote" and letter == '"':
            field += '"'
            state = "in quotes"
        elif state == "wrong" or letter == form.separator or ends_line:
            if state == "wrong":
                fields = [""]
            elif fields or state != "start" or not ends_line:
                fields.append(field)
            field, state = "", "start"
            if ends_line:
                if fields:
                    records.append((first, fields, line))
                fields = []
                line += 1
                first = line
        elif state == "after quote":
            state = "wrong"
        else:
            field += letter
            state = "plain"
    return records


def _is_rating(text: str) -> bool:
    value = _number(text)
    return value is not None and abs(value) < 1e38


def _number(text: str) -> float | None:
    """Return an int for a whole number, a float for another, None for what is not a number."""
    text = text.strip(" \t\n\r\f\v")
    if re.fullmatch(r"[+-]?[0-9]+", text):
        digits = text.lstrip("+-").lstrip("0") or "0"
        if len(digits) > 309:
            return None
        return -int(digits) if text[0] == "-" else int(digits)
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def histories(rows: list[Row]) -> dict[str, tuple[list[str], str | None]]:
    """Return each user's items, oldest first, and the held-out item.

    Of a pair that occurs twice the latest counts. The latest of a user is held out, at equal times
    that with the greatest hash; a user's only one is not.
    """
    kept: dict[tuple[str, str], float] = {}
    for user, item, when in rows:
        kept[user, item] = max(when, kept.get((user, item), when))
    by_user: dict[str, list[tuple[float, int, str]]] = {}
    for (user, item), when in kept.items():
        by_user.setdefault(user, []).append((when, _pair_hash(user, item), item))
    found: dict[str, tuple[list[str], str | None]] = {}
    for user, all_of_user in by_user.items():
        items = [item for _, _, item in sorted(all_of_user)]
        found[user] = (items[:-1], items[-1]) if len(items) > 1 else (items, None)
    return found


def _pair_hash(user: str, item: str) -> int:
    """Return the last steps of SplitMix64 on the BLAKE2b hashes of the two ids."""
    first, second = (
        int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest(), "little")
        for one in (user, item)
    )
    mixed = (first * 0x9E3779B97F4A7C15) % 2**64 ^ second
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ mixed >> shift) * factor % 2**64
    return mixed ^ mixed >> 31
