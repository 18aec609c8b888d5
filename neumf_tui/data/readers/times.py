"""Times: how a column of them is written, and their conversion to whole units since 1970.

Imports no pyarrow and pandas at once: the header alone decides whether a file is a dataset.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.split import LATEST_TIME

BLANKS = " \t\n\r\f\v\u00a0\u2007\u202f\u3000"
"""What is cut around ids and times."""
TimeKind = Literal["number", "ISO date", "ISO date with zone", "text"]
"""How the times of a column are written. `text` is what pandas has to read."""
UNITS = (
    (10**17, 10**9, "nanoseconds"),
    (10**14, 10**6, "microseconds"),
    (10**11, 10**3, "milliseconds"),
    (0, 1, "seconds"),
)
"""The smallest timestamp of each unit, its number per second, and its name.

10¹¹ seconds are the year 5138."""
NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[ T]\d\d(?::?\d\d(?::?\d\d(?:\.\d{1,9})?)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})", re.ASCII)
_CLOCK = re.compile(
    r"(?P<gap>[T ,]+)\d{1,2}(?P<minute>:\d\d)(?P<second>:\d\d)?(?P<part>\.\d+)?(?P<half> ?[AP]M)?"
    r"(?P<before> ?)(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_TWITTER = "%a %b %d %H:%M:%S %z %Y"
_COMPACT = (
    (1970_01_01, 2100_12_31, "%Y%m%d"),
    (1970_01_01_00_00_00, 2100_12_31_23_59_59, "%Y%m%d%H%M%S"),
)
"""Dates as numbers, the first and the last, and their format. As seconds the former would be of
1970, as milliseconds the latter of the years from 2594."""
_LONGEST = 100
"""Letters of a date in words; a longer text is none."""


def kind_of(text: str) -> TimeKind:
    """Return how a time is written."""
    if NUMBER.fullmatch(text):
        return "number"
    if found := _ISO.fullmatch(text.strip(BLANKS)):
        return "ISO date with zone" if found[1] else "ISO date"
    return "text"


def is_time(text: str) -> bool:
    """Return whether a text is certainly a time: a date in figures or words, with a year."""
    return kind_of(text) != "number" and (
        _ISO.fullmatch(text.strip(BLANKS)) is not None or bool(_formats(text.strip(BLANKS)))
    )


def parse_iso(texts: Any, kind: TimeKind) -> Any:
    """Return an Arrow array of ISO dates as timestamps in micro- or nanoseconds.

    Raises ArrowInvalid if one of them is not written like this, or does not exist.
    """
    import pyarrow as pa

    zone = "UTC" if kind == "ISO date with zone" else None
    try:
        return texts.cast(pa.timestamp("us", zone))
    except pa.ArrowInvalid:
        return texts.cast(pa.timestamp("ns", zone))


def since_1970(stamps: Any) -> tuple[NDArray[np.int64], int]:
    """Return an Arrow array of timestamps as numbers, and their units per second."""
    import pyarrow as pa

    units = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[stamps.type.unit]
    return stamps.cast(pa.int64()).to_numpy(zero_copy_only=False), units


class Resolved(NamedTuple):
    """Whole times, and the rows of which no time could be made."""

    times: NDArray[Any]
    units_per_second: int
    bad: NDArray[np.bool_] | None = None
    """Rows that do not fit; their `times` are not valid."""
    problem: str = ""
    """What is wrong with these rows."""
    notice: str = ""


def resolve_numbers(times: NDArray[Any]) -> Resolved:
    """Return numbers as whole times; the unit is judged by their size."""
    latest, earliest = times.max(initial=0), times.min(initial=0 if not len(times) else times[0])
    for first, last, form in _COMPACT:
        if first <= earliest and latest <= last:
            dates = _compact_dates(times, form)
            if dates is not None:
                return Resolved(dates, 1, notice=f"times such as {latest:.0f} are read as {form!r}")
    smallest, per_second, name = next(unit for unit in UNITS if latest >= unit[0])
    notice = ""
    if per_second > 1:
        if ((times < smallest) & (times > 0)).any():
            return _mixed_units(times)
        notice = f"timestamps are too large for seconds, and are read as {name}"
    if times.dtype.kind == "f":
        # Parts of a unit: the finest that a float of this size can tell apart is a microsecond.
        finest = max(per_second, 10**6)
        times = np.rint(times * (finest // per_second)).astype(np.int64)
        per_second = finest
    return Resolved(*_coarsest(times, per_second), notice=notice)


def resolve_stamps(parts: Sequence[Any]) -> Resolved:
    """Return timestamps of Arrow as whole times."""
    numbers = [since_1970(part) for part in parts]
    finest = max(units for _, units in numbers)
    times = np.concatenate([times * (finest // units) for times, units in numbers])
    return Resolved(*_coarsest(times, finest))


def resolve_texts(texts: list[str], codes: NDArray[Any], time_format: str) -> Resolved:
    """Return texts as whole times; `codes`: the place in `texts` of each row's.

    Without `time_format` the format is that which fits all texts. Where day and month can be
    exchanged, all rows of which that changes the time are bad.
    """
    formats = [time_format] if time_format else _formats(texts[0])
    parsed = [_parsed(texts, one) for one in formats] or [np.full(len(texts), _NOTHING)]
    failures = [int((times == _NOTHING).sum()) for times in parsed]
    best = int(np.argmin(failures))
    times, bad = parsed[best], parsed[best] == _NOTHING
    problem = "is not a known way to write a time"
    if formats:
        problem = f"does not have the format {formats[best]!r}"
    for other, (way, failed) in enumerate(zip(parsed, failures, strict=True)):
        if other != best and failed == failures[best] and (way != times).any():
            bad = way != times
            problem = f"can be {formats[best]!r} or {formats[other]!r}"
            break
    notice = "" if time_format or not formats else f"times are read as {formats[best]!r}"
    whole, units = _coarsest(np.where(bad, 0, times), 10**6)
    return Resolved(whole[codes], units, bad[codes] if bad.any() else None, problem, notice)


def format_flag(problem: str) -> str:
    """Return the flag that says how times are written, for a message about `problem`."""
    found = re.search(r"'(%[^']*)'", problem)
    return f"--time-format '{found[1]}'" if found else "--time-format '%d.%m.%Y %H:%M'"


_NOTHING = np.iinfo(np.int64).min


def _parsed(texts: list[str], time_format: str) -> NDArray[np.int64]:
    """Return microseconds since 1970, `_NOTHING` where a text does not have this format."""
    import pandas as pd

    try:
        found = pd.to_datetime(
            pd.Series(texts, dtype=object), format=time_format, errors="coerce", utc=True
        )
    except ValueError:  # not a format
        return np.full(len(texts), _NOTHING)
    whole = found.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return np.asarray(whole.astype(np.int64))


def _formats(text: str) -> list[str]:
    """Return the formats, as strptime takes them, that `text` may have."""
    if match := _DATE.match(text):
        rest = _clock_format(text[match.end() :])
        first, mark, _, last = match.groups()
        if rest is None:
            return []
        if len(first) == 4:
            orders = ["%Y %m %d"]
        elif len(last) == 4:
            orders = ["%d %m %Y", "%m %d %Y"]
        else:
            orders = ["%d %m %y", "%m %d %y", "%y %m %d"]
        return [order.replace(" ", mark) + rest for order in orders]
    import warnings

    from pandas.tseries.api import guess_datetime_format

    # pandas takes the square of the time for a text twice as long.
    if len(text) > _LONGEST or not re.search("[A-Za-z]", text) or not re.search(r"\d", text):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [guess_datetime_format(text, dayfirst=one) for one in (True, False)]
        if _parsed([text], _TWITTER)[0] != _NOTHING:
            found.append(_TWITTER)
    return [one for one in dict.fromkeys(found) if one and ("%Y" in one or "%y" in one)]


def _clock_format(text: str) -> str | None:
    """Return the format of the time of day behind a date; None if it is none."""
    if not text:
        return ""
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour = "%I" if match["half"] else "%H"
    half = f"{match['half'][:-2]}%p" if match["half"] else ""
    zone = match["zone"] or ""
    if zone and zone.upper() not in ("UTC", "GMT"):
        zone = "%z"
    seconds = ":%S" if match["second"] else ""
    part = ".%f" if match["part"] else ""
    return f"{match['gap']}{hour}:%M{seconds}{part}{half}{match['before']}{zone}"


def _coarsest(times: NDArray[Any], per_second: int) -> tuple[NDArray[Any], int]:
    """Return times as seconds if they are all whole seconds."""
    if per_second > 1:
        seconds = times // per_second
        if (seconds * per_second == times).all():
            return seconds, 1
    return times, per_second


def _compact_dates(times: NDArray[Any], form: str) -> NDArray[np.int64] | None:
    """Return dates written as one number, 20240413, in seconds; None if one is not a date."""
    if times.dtype.kind == "f" and (times % 1).any():
        return None
    values, places = np.unique(times.astype(np.int64), return_inverse=True)
    days = _parsed([str(value) for value in values.tolist()], form)
    return None if (days == _NOTHING).any() else (days // 10**6)[places]


def _mixed_units(times: NDArray[Any]) -> Resolved:
    """Return times of more than one unit: the rows of all but the most frequent are bad."""
    limits = [smallest for smallest, _, _ in reversed(UNITS)]
    units = np.searchsorted(limits, times, side="right")
    counts = np.bincount(units, minlength=len(UNITS) + 1)
    most = int(counts.argmax())
    bad = units != most
    rest = resolve_numbers(times[~bad])
    whole = np.zeros(len(times), dtype=np.int64)
    whole[~bad] = rest.times
    name = UNITS[len(UNITS) - most][2]
    return Resolved(whole, rest.units_per_second, bad, f"is not in {name}", rest.notice)


def are_unusable(times: NDArray[Any], per_second: int) -> NDArray[np.bool_]:
    """Return which times are before 1970 or after the year 9999."""
    return np.asarray((times < 0) | (times >= (LATEST_TIME + 1) * per_second))
