"""The state of a search, for its display."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neumf_tui.search.plan import Plan
from neumf_tui.search.space import is_base
from neumf_tui.search.study import TrialRecord


@dataclass(frozen=True)
class RunningTrial:
    """The current trial."""

    trial: int
    epoch: int
    """Whole epochs done."""
    epochs: int
    validation: float | None
    """Validation Hit@50 of the newest evaluation."""
    best: float | None
    best_epoch: int | None
    seconds: float
    stopping: str
    """The reason if it was asked to stop, else empty."""
    searched: dict[str, Any]


@dataclass(frozen=True)
class SearchState:
    """A search at one moment."""

    records: tuple[TrialRecord, ...]
    running: RunningTrial | None
    target: int | None
    """Planned number of trials; None: as many as the time allows."""
    seconds_left: float | None
    """Seconds in which another trial can start; None: no limit."""

    @property
    def best(self) -> TrialRecord | None:
        return best_of(self.records)

    @property
    def counted(self) -> int:
        return count_for_target(self.records)

    @property
    def eta(self) -> float | None:
        """Seconds until the search ends, by the mean of the trials so far; None if unknown."""
        spent = [record.seconds for record in self.records if record.state != "stopped"]
        if not spent:
            return self.seconds_left
        each = sum(spent) / len(spent)
        running = max(0.0, each - self.running.seconds) if self.running else 0.0
        ends = []
        if self.seconds_left is not None:
            ends.append(running + max(0.0, self.seconds_left))
        if self.target is not None:
            left = self.target - self.counted - (self.running is not None)
            ends.append(running + each * max(0, left))
        return min(ends, default=None)


def best_of(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the done trial with the highest validation Hit@50, the earliest if equal."""
    done = [r for r in records if r.state == "done" and r.validation is not None]
    return max(done, key=lambda record: (record.validation or 0.0, -record.trial), default=None)


def preset_trial(plan: Plan, records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial with the plan's own settings, which the search should improve on."""
    done = (record for record in records if record.state == "done")
    return next((record for record in done if is_base(record.searched, plan.settings)), None)


def count_for_target(records: Sequence[TrialRecord]) -> int:
    """Return the number of trials that are done, pruned or failed; stopped ones are repeated."""
    return sum(record.state != "stopped" for record in records)


def count_by_state(records: Sequence[TrialRecord]) -> dict[str, int]:
    return {
        state: sum(record.state == state for record in records)
        for state in ("done", "pruned", "failed", "stopped")
    }
