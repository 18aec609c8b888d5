"""Axes of charts: what part of them is seen, where round numbers stand, and limits that fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Kind = Literal["", "epoch", "step", "time"]
"""What an x axis counts; a chart of lines alone has none."""
Marks = list[tuple[float, str]]
"""Values on an axis, and what is written beside each."""

LABEL_WIDTH = 5
"""Cells of a label beside the y axis."""
CELLS_PER_MARK = 8
"""Least width on the x axis for each mark, with the space to the next one."""
ROWS_PER_MARK = 2
MOST_MARKS = 7
INLIERS = (2, 98)
"""Percentiles of the values between which the y axis lies without outliers."""
_ROUND = (1, 2, 5, 10)
_UNITS: Sequence[tuple[str, float, float, Sequence[float]]] = (
    ("s", 1, 180, (1, 2, 5, 10, 15, 30, 60)),
    ("min", 60, 3 * 3600, (0.5, 1, 2, 5, 10, 15, 30, 60)),
    ("h", 3600, 3 * 86_400, (0.5, 1, 2, 3, 6, 12, 24)),
    ("days", 86_400, math.inf, ()),
)
"""Units of time: name, seconds, the longest axis in seconds, and round numbers."""


@dataclass(frozen=True)
class Axis:
    """The values from `low` to `high`, which a log axis has above 0 only."""

    low: float
    high: float
    log: bool = False

    def places(self, values: ArrayLike) -> Floats:
        """Return where values lie: `low` at 0, `high` at 1; NaN for what a log axis has not."""
        found = np.asarray(values, dtype=np.float64)
        if not self.log:
            return (found - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log10(np.where(found > 0, found, np.nan))
        return (logs - math.log10(self.low)) / math.log10(self.high / self.low)

    def place(self, value: float) -> float:
        return float(self.places(value))

    def value(self, place: float) -> float:
        """Return the value at a place."""
        if not self.log:
            return self.low + place * (self.high - self.low)
        return float(self.low * (self.high / self.low) ** place)

    def part(self, start: float, end: float) -> "Axis":
        """Return the axis between two places."""
        return Axis(self.value(start), self.value(end), self.log)


# Round numbers.


def round_step(least: float, steps: Sequence[float] = ()) -> float:
    """Return the smallest round number from `least` on: of `steps`, or 1, 2, 5 times a power of 10.

    Those stand in where `least` is far below `steps` or above them.
    """
    if steps and steps[0] / 2 < least <= steps[-1]:
        return next(step for step in steps if step >= least)
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in _ROUND if step * power >= least * (1 - 1e-9))


def multiples(axis: Axis, step: float) -> list[float]:
    """Return the multiples of `step` on an axis."""
    first, last = math.ceil(axis.low / step - 1e-6), math.floor(axis.high / step + 1e-6)
    return [number * step for number in range(first, last + 1)]


def decimals(step: float) -> int:
    """Return how many decimals tell the multiples of a round step apart."""
    return max(0, -math.floor(math.log10(step) + 1e-9))


def powers(axis: Axis, most: int) -> list[float]:
    """Return round numbers on a log axis, at most `most`; none where it is too short for them."""
    low, high = math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high))
    for digits in ((1,), (1, 2, 5), tuple(range(1, 10))):
        found = [digit * 10.0**power for power in range(low, high + 1) for digit in digits]
        inside = [value for value in found if axis.low * 0.999999 <= value <= axis.high * 1.000001]
        if len(inside) >= 3:
            return inside[:: -(-len(inside) // max(1, most))]
    return []


# Marks.


def short_number(value: float) -> str:
    """Return a number in few cells: 0.5, 200, 1.5k, 20M."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1e12:
            return f"{value / size:g}{suffix}"
    return f"{value:g}"


def x_marks(axis: Axis, kind: Kind, width: int) -> tuple[Marks, str]:
    """Return the marks of an x axis that is `width` cells long, and the unit of their labels."""
    if not kind:
        return [], ""
    most = max(1, min(MOST_MARKS, width // CELLS_PER_MARK))
    span = axis.high - axis.low
    if kind == "time":
        unit, seconds, _, steps = next(one for one in _UNITS if span <= one[2])
    else:
        unit, seconds, steps = kind, 1.0, ()
    shown = Axis(axis.low / seconds, axis.high / seconds, axis.log)
    if axis.log and (values := powers(shown, most)):
        labels = [short_number(value) for value in values]
    else:
        step = round_step((shown.high - shown.low) / most, steps)
        if kind == "step" or (kind == "epoch" and span >= 1):
            step = max(1.0, step)
        values = multiples(shown, step)
        labels = [f"{value:.{decimals(step)}f}" for value in values]
        if kind == "step" and shown.high >= 10_000:
            labels = [short_number(value) for value in values]
    return [(value * seconds, text) for value, text in zip(values, labels, strict=True)], unit


def y_marks(axis: Axis, height: int) -> Marks:
    """Return the marks of a y axis that is `height` cells long."""
    most = max(1, min(MOST_MARKS, height // ROWS_PER_MARK))
    if axis.log and (values := powers(axis, most)):
        return [(value, short_number(value)) for value in values]
    for intervals in range(most, height + 1):
        step = round_step((axis.high - axis.low) / intervals)
        if len(values := multiples(axis, step)) >= 2:
            break
    return list(zip(values, value_labels(values, step), strict=True))


def value_labels(values: Sequence[float], step: float) -> list[str]:
    """Return decimals; where these are too long `5e-6`, `10e-6`, or else `-.005`, `-.010`."""
    power = math.floor(math.log10(step) + 1e-9)
    plain = [f"{value:.{decimals(step)}f}" for value in values]
    wholes = [round(value / 10.0**power) for value in values]
    as_powers = [f"{whole}e{power}" if whole else "0" for whole in wholes]
    without_zero = [label.replace("0.", ".", 1) for label in plain]
    forms = (plain, as_powers, without_zero)
    fitting = (form for form in forms if max(map(len, form), default=0) <= LABEL_WIDTH)
    return next(fitting, plain)


# Limits.


def fitting_limits(values: Floats, fixed: Sequence[float], log: bool, trimmed: bool) -> Axis:
    """Return a y axis with a little room around the finite `values` and the `fixed` ones.

    trimmed: whether outliers among `values` may lie outside.
    """
    if log:
        values, fixed = values[values > 0], [value for value in fixed if value > 0]
    values = values[np.isfinite(values)]
    if trimmed and len(values):
        values = np.percentile(values, INLIERS)
    seen = np.concatenate([values, np.array(fixed, dtype=np.float64)])
    if not len(seen):
        return Axis(0.1, 1.0, True) if log else Axis(0.0, 1.0)
    if log:
        low, high = _with_room(np.log10(seen))
        return Axis(10.0**low, 10.0**high, True)
    low, high = _with_room(seen)
    return Axis(max(0.0, low) if seen.min() >= 0 else low, high)


def _with_room(seen: Floats) -> tuple[float, float]:
    low, high = float(seen.min()), float(seen.max())
    # In steps of up to half the range: a curve that grows slowly then moves no other one.
    if high > low:
        step = 10.0 ** math.floor(math.log10(high - low)) / 2
    else:
        step = max(abs(high), 0.1) / 20
    low = math.floor((low - 0.04 * (high - low)) / step) * step
    high = math.ceil((high + 0.04 * (high - low)) / step) * step
    return low, high if high > low else low + step


def read_limits(text: str, log: bool) -> tuple[float, float] | None:
    """Return the two numbers of a line such as `0.2 0.5`, None where it is empty.

    Raises ValueError with what is wrong, for people.
    """
    words = text.replace(",", " ").split()
    if not words:
        return None
    expected = "type two numbers such as 0.2 0.5, or nothing to fit the curves"
    try:
        found = [float(word) for word in words]
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        raise ValueError(f"“{wrong}” is not a number: {expected}") from None
    if len(found) != 2:
        raise ValueError(f"{len(found)} number{'s' * (len(found) != 1)}: {expected}")
    low, high = found
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"the limits must be finite: {expected}")
    if low == high:
        raise ValueError(f"both limits are {low:g}: {expected}")
    if low > high:
        raise ValueError(f"the lower limit comes first: type {high:g} {low:g}")
    if log and low <= 0:
        raise ValueError("a log axis has numbers above 0 only; y makes it linear")
    return low, high


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
