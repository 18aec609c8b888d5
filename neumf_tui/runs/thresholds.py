"""When a training raises an alarm: the table `[alarms]` of the person's `config.toml`."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from neumf_tui.config_file import ConfigFile, read_config_file
from neumf_tui.errors import UsageError
from neumf_tui.settings import did_you_mean, problem_of

TABLE = "alarms"
ABOUT = {
    "stall_minutes": "minutes without progress; 0 for no alarm, as in the next lines",
    "loss_rising": "evaluations in a row after each of which the loss was higher",
    "validation_falling": "evaluations in a row with a lower Hit@50 of the validation items",
    "cohort_drop": "share of its best Hit@50 that a cohort of users has lost, such as 0.5",
    "coverage_drop": "share of the best catalogue coverage that is lost, such as 0.8",
}
Evaluations = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Drop = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """When to raise an alarm, as `ABOUT` explains; 0 turns one off.

    Two alarms need no threshold and are always on: a value that is not a number, and a disk that
    is nearly full.
    """

    stall_minutes: Annotated[float, msgspec.Meta(ge=0, le=1e5)] = 0.0
    loss_rising: Evaluations = 0
    validation_falling: Evaluations = 0
    cohort_drop: Drop = 0.0
    coverage_drop: Drop = 0.0


class ThresholdError(UsageError):
    """A threshold that does not exist, or that has a value that it cannot have."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name = name


def read_thresholds(file: ConfigFile | None = None) -> Thresholds:
    """Return the thresholds of the config file, or the defaults where it sets none.

    Raises UsageError with the file, the line and what to do.
    """
    file = file or read_config_file()
    try:
        return make_thresholds(file.values.get(TABLE, {}))
    except ThresholdError as error:
        raise file.wrong(error.name, str(error)) from error


def make_thresholds(values: Any) -> Thresholds:
    """Return thresholds by name; raises ThresholdError."""
    if not isinstance(values, Mapping):
        what = f"{TABLE} = {values!r}: expected a table: a line [{TABLE}] and thresholds below it"
        raise ThresholdError(TABLE, what)
    for name in values:
        if name not in ABOUT:
            hint = did_you_mean(str(name), ABOUT, f"known are {', '.join(ABOUT)}")
            raise ThresholdError(str(name), f"unknown alarm {name!r}; {hint}")
    try:
        return msgspec.convert(values, Thresholds)
    except msgspec.ValidationError as error:
        problem, name = problem_of(error)
        what = f"{name} = {values.get(name)!r}: {problem}; expected {ABOUT[name]}"
        raise ThresholdError(name, what) from error
