"""The values that a loop logs, collected until they are written as a few points."""

import math
import operator
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import UsageError
from neumf_tui.runs.curve import averaged
from neumf_tui.runs.events import LARGEST, AnyEvent, Scalars, Steps
from neumf_tui.runs.snapshot import SCALARS_LIMIT

LOSS = "loss"
"""The name that has the first chart; all others are scalars."""
LARGEST_STEP = 10**18
NAME_LENGTH = 60
Points = tuple[list[int], list[float | None]]


class LoggedValues:
    """Values by step and name since they were last taken."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Mapping[str, Any]]] = []
        """Steps in the order of logging, with the values of each."""
        self.newest = 0
        """The last step that was logged."""
        self._last: dict[str, int] = {}
        """The newest step of each name."""
        self._losses: list[float] = []
        """All finite losses since `mean_loss` was called."""
        self._warned: set[str] = set()

    def add(self, step: int | None, values: dict[str, Any]) -> None:
        """Keep the values of one step; raises UsageError for what is not a number."""
        if step is None:
            step = self.newest + 1
        elif type(step) is not int or not 0 <= step <= LARGEST_STEP:
            step = _checked_step(step)
        for name, value in values.items():
            if type(value) is not float:
                values[name] = _kept(name, value)
        self.newest = step
        self.rows.append((step, values))

    def take(self) -> tuple[list[AnyEvent], list[str]]:
        """Return events with what was logged since the last call, and warnings."""
        rows, self.rows = self.rows, []
        columns: dict[str, tuple[list[int], list[Any]]] = {}
        for step, values in rows:
            for name, value in values.items():
                if name not in columns:
                    columns[name] = [], []
                steps, kept = columns[name]
                steps.append(step)
                kept.append(value)
        points: dict[str, Points] = {}
        warnings: list[str] = []
        for name, (steps, kept) in columns.items():
            warnings += self._refusal(name)
            if name in self._last:
                found, warned = self._in_order(name, np.array(steps), _floats(kept))
                warnings += warned
                if found is not None:
                    points[name] = found
        found_events: list[AnyEvent] = []
        if loss := points.pop(LOSS, None):
            found_events.append(Steps(steps=loss[0], losses=loss[1]))
        if points:
            found_events.append(Scalars(curves=points))
        return found_events, warnings

    def mean_loss(self) -> float | None:
        """Return the mean of the finite losses since the last call; None if there are none."""
        losses, self._losses = self._losses, []
        return math.fsum(losses) / len(losses) if losses else None

    def _refusal(self, name: str) -> Iterable[str]:
        """Begin the curve of a name, or return once why it has none."""
        if name in self._last or name in self._warned:
            return
        others = len(self._last.keys() - {LOSS})
        if not 0 < len(name) <= NAME_LENGTH:
            why = f"expected a name of 1 to {NAME_LENGTH} characters"
        elif name != LOSS and others >= SCALARS_LIMIT:
            why = f"a run has charts for at most {SCALARS_LIMIT} names beside the loss"
        else:
            self._last[name] = -1
            return
        self._warned.add(name)
        yield f"log: {name[:NAME_LENGTH]!r} is left out: {why}"

    def _in_order(
        self, name: str, steps: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[Points | None, list[str]]:
        """Return points without steps that go back; of equal steps the last value counts."""
        highest = np.maximum.accumulate(np.append(self._last[name], steps))
        stays = steps >= highest[:-1]
        warnings = []
        if not stays.all() and name not in self._warned:
            self._warned.add(name)
            at = int(np.flatnonzero(~stays)[0])
            warnings.append(
                f"log: {name} of step {steps[at]} comes after step {highest[at]}; values that go "
                "back are left out: count steps over the whole run"
            )
        steps, values = steps[stays], values[stays]
        if not len(steps):
            return None, warnings
        self._last[name] = int(steps[-1])
        if name == LOSS:
            self._losses += values[np.isfinite(values)].tolist()
        last = np.append(steps[1:] > steps[:-1], True)
        steps, values = steps[last], values[last]
        return averaged(steps, values, np.ones(len(steps))), warnings


def _checked_step(step: object) -> int:
    try:
        number = operator.index(step)  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(f"log: step is {step!r}: expected a whole number") from error
    if not 0 <= number <= LARGEST_STEP:
        raise UsageError(f"log: step is {number}: expected a number from 0 to {LARGEST_STEP:.0e}")
    return number


def _kept(name: str, value: Any) -> Any:
    """Return a value that does not change any more and can become a number.

    A tensor on an accelerator stays there until it is taken: to fetch it would wait for all work.
    """
    if hasattr(value, "detach") and getattr(value, "device", None) is not None:
        if getattr(value, "numel", lambda: 1)() != 1:
            shape = tuple(value.shape)
            raise UsageError(f"log: {name} is a tensor of shape {shape}: expected one number")
        if value.device.type != "cpu":
            return value.detach().clone().reshape(())
        value = value.detach()
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        shown = f"{value!r}"[:80]
        raise UsageError(f"log: {name} is {shown}: expected a number") from error


def _floats(values: list[Any]) -> NDArray[np.float64]:
    """Return the values as numbers; tensors are fetched from their device at once."""
    tensors = [row for row, value in enumerate(values) if type(value) is not float]
    if tensors:
        torch = sys.modules["torch"]  # somebody has made the tensors with it
        one = values[tensors[0]].device
        found = torch.stack([values[row].to(one, torch.float32) for row in tensors]).tolist()
        for row, value in zip(tensors, found, strict=True):
            values[row] = value
    array = np.array(values, dtype=np.float64)
    array[~(np.abs(array) <= LARGEST)] = np.nan
    return array
