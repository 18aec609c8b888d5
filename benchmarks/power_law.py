"""A power law fitted to measured times."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fit:
    """y = e^height · x^slope."""

    slope: float
    error: float | None
    """Standard error of the slope; None for two points, which the line meets exactly."""
    height: float

    def at(self, x: float) -> float:
        return math.exp(self.height + self.slope * math.log(x))

    def text(self) -> str:
        """Return such as 1.02 ± 0.03, the slope with its error."""
        shown = f"{self.slope:.2f}" + (f" ± {self.error:.2f}" if self.error is not None else "")
        return shown.replace("-", "−")


def fit(xs: Sequence[float], ys: Sequence[float]) -> Fit:
    """Fit a power law to points above 0, by least squares in the logarithms.

    Raises ValueError if all points have the same x.
    """
    u, v = [math.log(x) for x in xs], [math.log(y) for y in ys]
    line = statistics.linear_regression(u, v)
    if len(u) < 3:
        return Fit(line.slope, None, line.intercept)
    rest = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(u, v, strict=True))
    spread = sum((x - statistics.fmean(u)) ** 2 for x in u)
    return Fit(line.slope, math.sqrt(rest / (len(u) - 2) / spread), line.intercept)
