"""What the quality benchmarks measure, and means over it."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

import msgspec

METRICS = {"hit@10": "Hit@10", "hit@50": "Hit@50", "ndcg@10": "NDCG@10", "auc": "AUC"}
CHOOSING = "hit@50"
"""The metric of the validation items by which epochs and settings are chosen."""
Z = statistics.NormalDist().inv_cdf(0.975)


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Times of one command; wall time except for `cpu`."""

    work: float
    """Training and all evaluations. For a baseline: one fit with chosen settings, and ranking."""
    process: float
    """The whole command, with Python's start and the choice of a baseline's settings."""
    cpu: float
    """Processor time of the command on all cores."""
    others: float
    """Processor time of other programs on the same cores; near 0 if the times can be trusted."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one command."""

    seed: int | None
    """None if the model does not depend on a seed."""
    heldout: dict[str, float]
    interval: tuple[float, float]
    """95 % interval over users of the held-out Hit@50."""
    validation: dict[str, float] | None
    epoch: int | None
    """The epoch that is reported; None for a model without epochs."""
    seconds: Seconds
    against: dict[str, tuple[float, float, float]] = {}
    """For each baseline: held-out Hit@50 minus the baseline's on the same users, and the low and
    high end of the 95 % interval of that difference over users."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A model with fixed settings, and its runs."""

    name: str
    kind: str
    """preset, baseline, or change (of a preset)."""
    title: str
    settings: dict[str, Any]
    """Of a preset all except the seed, of a baseline the chosen ones, of a change what differs."""
    optimistic: bool
    """Whether held-out items are never drawn as negatives, which makes results look better."""
    runs: list[Run]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """The data and all rows of a table. In an ablation the other rows change the first."""

    dataset: str
    fingerprint: str
    num_users: int
    num_items: int
    num_train: int
    num_heldout: int
    protocol: dict[str, str]
    cores: int
    """Number of cores that each run could use."""
    rows: list[Row]


class Mean(msgspec.Struct, frozen=True):
    """Mean and standard deviation (n − 1) over runs; a single run has no deviation."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    def text(self, sign: str = "-") -> str:
        """Return such as 0.412 ± 0.006; with `sign` + also +0.006 ± 0.002."""
        shown = f"{self.mean:{sign}.3f}".replace("-", "−")
        return shown if self.deviation is None else f"{shown} ± {self.deviation:.3f}"


def figures(row: Row, fold: str) -> list[dict[str, float]]:
    """Return the metrics of the row's runs on `fold` (heldout or validation) where they exist."""
    found = [run.heldout if fold == "heldout" else run.validation for run in row.runs]
    return [one for one in found if one is not None]


def metric(row: Row, fold: str, key: str) -> Mean | None:
    """Return the mean over the row's runs; None if a run has no items of this fold."""
    known = [one[key] for one in figures(row, fold)]
    return Mean.of(known) if len(known) == len(row.runs) else None


def change(row: Row, base: Row) -> Mean | None:
    """Return validation Hit@50 minus that of `base`, over the seeds that both have.

    None if they share no seed or have no validation items.
    """
    before = {run.seed: run.validation[CHOOSING] for run in base.runs if run.validation}
    pairs = [
        run.validation[CHOOSING] - before[run.seed]
        for run in row.runs
        if run.validation and run.seed in before
    ]
    return Mean.of(pairs) if pairs else None


def noise(rows: Sequence[Row]) -> float | None:
    """Return the difference that two means of validation Hit@50 exceed by chance in 5 % of cases.

    Chance is the choice of seeds. The variance of one seed is pooled over all rows, each about
    its own mean. None if no row has two seeds.
    """
    values = [[one[CHOOSING] for one in figures(row, "validation")] for row in rows]
    several = [one for one in values if len(one) > 1]
    if not several:
        return None
    freedom = sum(len(one) - 1 for one in several)
    variance = sum(statistics.variance(one) * (len(one) - 1) for one in several) / freedom
    seeds = min(len(one) for one in several)
    return Z * math.sqrt(2 * variance / seeds)


def by_hit(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with the highest held-out Hit@50 first."""
    return sorted(
        rows, key=lambda row: -statistics.fmean(run.heldout[CHOOSING] for run in row.runs)
    )


def seconds_text(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"
