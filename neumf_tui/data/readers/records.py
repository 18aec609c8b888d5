"""Records, one by one: which are interactions, and what is wrong with the others.

This explains errors. It accepts every valid record, but is much slower than Arrow.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from neumf_tui.data.columns import SEPARATOR_NAMES
from neumf_tui.data.readers.rows import LARGEST_RATING, Part, short
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.readers.times import (
    BLANKS,
    NUMBER,
    are_unusable,
    kind_of,
    parse_iso,
    since_1970,
)
from neumf_tui.errors import DatasetError

_KINDS = {
    "number": "a number",
    "ISO date": "an ISO date without time zone",
    "ISO date with zone": "an ISO date with time zone",
}


class UnfinishedError(DatasetError):
    """A record that does not end where the text does."""


class Record(NamedTuple):
    """A record: the number of its line or row, its fields, and why it is no interaction."""

    number: int
    fields: list[str]
    problem: str = ""
    remedy: str = ""


class Sorted(NamedTuple):
    """Records, sorted into interactions and others."""

    good: list[Record]
    stamps: Any
    """The times of the good ones as an Arrow array, if they are ISO dates."""
    bad: list[Record]


def sort_records(records: Iterable[Record], layout: Layout) -> Sorted:
    """Return which records are interactions, and which are not and why."""
    good, bad = [], []
    for record in records:
        problem, remedy = record[2:] if record.problem else problem_of(record.fields, layout)
        if problem:
            bad.append(record._replace(problem=problem, remedy=remedy))
        else:
            good.append(record)
    if layout.time is None or not layout.time_kind.startswith("ISO"):
        return Sorted(good, None, bad)
    stamps = _stamps_of(good, layout)
    if stamps is None:
        known = [_stamps_of([record], layout) is not None for record in good]
        problem = f"{layout.header[layout.time]} is not a date between 1970 and 9999"
        wrong = [record for record, is_known in zip(good, known, strict=True) if not is_known]
        bad += [record._replace(problem=problem) for record in wrong]
        bad.sort(key=lambda record: record.number)
        good = [record for record, is_known in zip(good, known, strict=True) if is_known]
        stamps = _stamps_of(good, layout)
    return Sorted(good, stamps, bad)


def part_of(found: Sorted, layout: Layout, lines: int) -> Part:
    """Return the interactions as columns; `lines`: lines or rows that they were found in."""
    fields = [record.fields for record in found.good]
    users, items = (
        pa.array([one[place] for one in fields], pa.string()).dictionary_encode()
        for place in (layout.user, layout.item)
    )
    times, ratings = found.stamps, None
    if layout.rating is not None:
        ratings = np.array([float(one[layout.rating]) for one in fields], np.float32)
    if layout.time is not None and times is None:
        texts = [one[layout.time].strip(BLANKS) for one in fields]
        if layout.time_kind == "number":
            times = np.array([_number_in(text) for text in texts])
        else:
            times = pa.array(texts, pa.string()).dictionary_encode()
    return Part(users, items, times, ratings, lines)


def problem_of(fields: list[str], layout: Layout) -> tuple[str, str]:
    """Return why a record is no interaction, and a remedy; both empty if it is one."""
    if len(fields) != len(layout.header):
        expected = f"{len(layout.header)} separated by {SEPARATOR_NAMES[layout.separator]}"
        if layout.has_header:
            expected = f"the {len(layout.header)} of the header"
        hint = " (quote a field that contains a comma)" if layout.separator == "," else ""
        return f"{len(fields)} columns; expected {expected}{hint}", ""
    header = layout.header
    for place in (layout.user, layout.item):
        if not fields[place].strip(BLANKS):
            return f"{header[place]} is empty", ""
    if layout.rating is not None and not _is_number(fields[layout.rating], LARGEST_RATING):
        text = fields[layout.rating].strip(BLANKS)
        problem = f"{short(text)} is not a number" if text else "is empty"
        without = replace(layout.columns, rating=None)
        return f"{header[layout.rating]} {problem}", f"{without.flag} to go without ratings"
    if layout.time is not None and (problem := _problem_of_time(fields[layout.time], layout)):
        return f"{header[layout.time]} {problem}", ""
    return "", ""


def _problem_of_time(field: str, layout: Layout) -> str:
    text = field.strip(BLANKS)
    if not text:
        return "is empty"
    if layout.time_kind == "text":
        return ""
    kind = kind_of(text)
    if kind != layout.time_kind or (kind == "number" and not _is_number(text)):
        like = f" like that of {layout.time_example}" if layout.time_example else ""
        return f"{short(field)} is not {_KINDS[layout.time_kind]}{like}"
    if kind == "number" and not 0 <= _number_in(text) < 2**63:
        return f"{field[:60]} is out of range; expected seconds since 1970"
    return ""


def _stamps_of(records: list[Record], layout: Layout) -> Any:
    """Return the ISO dates of the records, None if one does not exist or is out of range."""
    assert layout.time is not None
    place = layout.time
    texts = pa.array([record.fields[place].strip(BLANKS) for record in records], pa.string())
    try:
        stamps = parse_iso(texts, layout.time_kind)
    except pa.ArrowInvalid:
        return None
    return None if are_unusable(*since_1970(stamps)).any() else stamps


def _is_number(field: str, limit: float = math.inf) -> bool:
    return bool(NUMBER.fullmatch(field)) and abs(float(field)) < limit


def _number_in(text: str) -> float:
    """Return a number of `NUMBER`: an int if it is written as one."""
    digits = text.strip().lstrip("+-")
    if not digits.isdecimal() or len(digits.lstrip("0")) > 19:
        return float(text)
    number = int(digits.lstrip("0") or "0")  # Python refuses more than 4,300 digits
    return -number if text.strip().startswith("-") else number
