"""How a search stands: what its screen shows and its lines tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neumf_tui.search.plan import Plan
from neumf_tui.search.space import is_base
from neumf_tui.search.study import Record


@dataclass(frozen=True)
class Running:
    """The trial under way."""

    trial: int
    run: str
    epoch: int
    """Whole epochs done."""
    epochs: int
    validation: float | None
    """Hit@50 of the newest evaluation."""
    best: float | None
    best_epoch: int | None
    seconds: float
    stopping: str
    """Not empty: it has been asked to stop, for this reason."""
    searched: dict[str, Any]


@dataclass(frozen=True)
class State:
    """All of a search at one moment."""

    records: tuple[Record, ...]
    running: Running | None
    target: int | None
    """Trials there are to be; None: as many as the time allows."""
    seconds_left: float | None
    """Until no further trial begins; None: no such limit."""

    @property
    def best(self) -> Record | None:
        return best_of(self.records)

    @property
    def counted(self) -> int:
        """Trials done, pruned or failed: those that count towards the target."""
        return counted(self.records)

    @property
    def eta(self) -> float | None:
        """Seconds until all is done, by the mean of the trials so far; None where nothing tells."""
        spent = [record.seconds for record in self.records if record.state != "stopped"]
        if not spent:
            return self.seconds_left
        each = sum(spent) / len(spent)
        running = max(0.0, each - self.running.seconds) if self.running else 0.0
        ends = [
            running + max(0.0, seconds) for seconds in (self.seconds_left,) if seconds is not None
        ]
        if self.target is not None:
            ends.append(
                running + each * max(0, self.target - self.counted - (self.running is not None))
            )
        return min(ends, default=None)


def best_of(records: Sequence[Record]) -> Record | None:
    """The highest validation Hit@50 of the trials that are done, the earliest if equal."""
    done = [
        record for record in records if record.state == "done" and record.validation is not None
    ]
    return max(done, key=lambda record: (record.validation or 0.0, -record.trial), default=None)


def unchanged(plan: Plan, records: Sequence[Record]) -> Record | None:
    """The trial that is the plan's own settings, once it is done: what the search is to better."""
    return next(
        (r for r in records if r.state == "done" and is_base(r.searched, plan.settings)), None
    )


def counted(records: Sequence[Record]) -> int:
    return sum(record.state != "stopped" for record in records)


def counts(records: Sequence[Record]) -> dict[str, int]:
    """How many trials ended in which way."""
    return {
        state: sum(record.state == state for record in records)
        for state in ("done", "pruned", "failed", "stopped")
    }
