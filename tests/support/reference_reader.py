"""Read interactions in the plainest way: the reference for the readers of the program.

It imports no part of them, and only the choice of columns by their names.
"""

import math
import re
from dataclasses import dataclass

from neumf_tui.data.columns import choose_columns
from neumf_tui.errors import DatasetError

BOM = b"\xef\xbb\xbf"
Row = tuple[str, str, float]


class Refused(Exception):
    """The file is not valid; one of `lines` is to blame, or None if it is no line."""

    def __init__(self, *lines: int | None) -> None:
        super().__init__(f"lines {lines}")
        self.lines = lines or (None,)


@dataclass(frozen=True)
class Form:
    """A form of text: its separator, and whether it has a header and quotes."""

    file: str
    separator: str
    has_header: bool
    has_quotes: bool


def read_reference(content: bytes, form: Form) -> list[Row]:
    """Return all interactions in the order of the file."""
    content = content.removeprefix(BOM)
    if not content.strip():
        raise Refused
    if BOM.startswith(content):
        raise Refused(None, 1)
    places = _places(content, form)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        bad = len(_lines_of(content[: error.start].decode("utf-8")))
        try:
            _rows(content.decode("utf-8", "replace"), form, *places)
        except Refused as refused:  # a line before it may be named
            raise Refused(bad, *(line for line in refused.lines if line and line < bad)) from None
        raise Refused(bad) from None
    return _rows(text, form, *places)


def _rows(
    text: str, form: Form, user: int, item: int, rating: int | None, time: int, width: int
) -> list[Row]:
    records = _records(text, form)
    if form.has_header:
        next(records)
    rows: list[Row] = []
    for line, fields in records:
        if not fields:
            continue
        if len(fields) != width or not fields[user] or not fields[item]:
            raise Refused(line)
        if rating is not None and _number(fields[rating]) is None:
            raise Refused(line)
        when = _number(fields[time])
        if when is None or not 0 <= when < 2**63:
            raise Refused(line)
        rows.append((fields[user], fields[item], when))
    if not rows:
        raise Refused
    if any(isinstance(when, float) for _, _, when in rows):
        rows = [(user_id, item_id, float(when)) for user_id, item_id, when in rows]
    return rows


def _places(content: bytes, form: Form) -> tuple[int, int, int | None, int, int]:
    if not form.has_header:
        return 0, 1, 2, 3, 4
    first = re.split(rb"[\r\n]", content, maxsplit=1)[0]
    try:
        _, header = next(_records(first.decode("utf-8"), form))
        chosen = choose_columns("", header, None, form.separator)
    except (UnicodeDecodeError, DatasetError):
        raise Refused(1) from None
    rating = None if chosen.rating is None else header.index(chosen.rating)
    user, item, time = (header.index(name) for name in (chosen.user, chosen.item, chosen.time))
    return user, item, rating, time, len(header)


def _lines_of(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def _records(text: str, form: Form):  # type: ignore[no-untyped-def]
    """Yield the number of the first line and the fields of each record, also of empty lines."""
    if not form.has_quotes:
        for number, line in enumerate(_lines_of(text), start=1):
            yield number, line.split(form.separator) if line else []
        return
    fields, field, state = [], "", "start"
    line = first = 1
    for letter in [*re.findall(r"\r\n|[\s\S]", text), ""]:
        ends_line = letter in ("\r\n", "\r", "\n", "")
        if state == "in quotes":
            if letter == "":
                raise Refused(first)
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
        elif letter == form.separator or ends_line:
            if fields or state != "start" or not ends_line:
                fields.append(field)
            field, state = "", "start"
            if ends_line:
                yield first, fields
                fields = []
                line += 1
                first = line
        elif state == "after quote":
            raise Refused(first)
        else:
            field += letter
            state = "plain"


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
    the first in the file; a user's only one is not.
    """
    kept: dict[tuple[str, str], tuple[float, int]] = {}
    for place, (user, item, when) in enumerate(rows):
        if (user, item) not in kept or when > kept[user, item][0]:
            kept[user, item] = (when, place)
    by_user: dict[str, list[tuple[float, int, str]]] = {}
    for (user, item), (when, place) in kept.items():
        by_user.setdefault(user, []).append((when, -place, item))
    found: dict[str, tuple[list[str], str | None]] = {}
    for user, all_of_user in by_user.items():
        items = [item for _, _, item in sorted(all_of_user)]
        found[user] = (items[:-1], items[-1]) if len(items) > 1 else (items, None)
    return found
