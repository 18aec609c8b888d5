"""The check of the order: how much of a run's metrics comes from how equal times are ordered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Report
from neumf_tui.data.registry import reopen
from neumf_tui.data.reordered import has_ties, lacks_times, num_tied, reordered, with_times_of
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.evaluation.intervals import Interval, mean_difference_interval
from neumf_tui.evaluation.metrics import user_metrics
from neumf_tui.explore.users import dataset_of
from neumf_tui.runs.events import RunInfo
from neumf_tui.settings import Settings
from neumf_tui.training.device import pick_device, set_threads
from neumf_tui.training.retrain import Retrained, retrain

METRICS = ("hit@50", "ndcg@10", "auc")
LEVEL = 1 - 0.05 / len(METRICS)
"""That of the intervals: so that in 5 % of checks at most any metric of the run is said to differ
though ties change nothing (Bonferroni)."""
Values = NDArray[np.float64]
"""A metric of each user with a held-out item, shape (users,): the mean over the rounds."""


@dataclass(frozen=True)
class Difference:
    """A metric in the run's own order less that in another, over the same users."""

    value: float
    interval: Interval
    """Over users, of LEVEL."""
    verdict: str
    """`above`, `below`, or `none` where chance explains it."""


@dataclass(frozen=True)
class Ordering:
    """The metrics of one model in one order."""

    order: str
    """`own`, `ties` (equal timestamps shuffled), or `all` (everything shuffled)."""
    model: str
    """`run` or `popularity`."""
    metrics: Mapping[str, float]
    differences: Mapping[str, Difference]
    """From the run's own order; empty for that itself."""


@dataclass(frozen=True)
class OrderCheck:
    """The outcome of a check of the order."""

    rounds: int
    users: int
    """Those with a held-out item."""
    tied: int
    """Those of them whose held-out item has the time of the one before it."""
    any_ties: bool
    """Whether any two interactions of a user have the same time."""
    epochs: Mapping[str, tuple[int, ...]]
    """The epoch that each round chose, by order."""
    orderings: list[Ordering]

    def find(self, order: str, model: str = "run") -> Ordering:
        return next(one for one in self.orderings if (one.order, one.model) == (order, model))

    @property
    def shown(self) -> str:
        """The first metric of the run that ties change by more than chance; empty: none."""
        found = self.find("ties").differences
        return next((name for name in METRICS if found[name].verdict != "none"), "")


def check_run(info: RunInfo) -> None:
    """Raise UsageError for a run that cannot be trained in another order."""
    if not info.is_trained:
        raise UsageError(
            f"run {info.name} is {info.kind}: only runs that `neumf-tui train` made can be trained "
            "again; name one of those"
        )
    split = info.protocol.get("split_name", "latest")
    if split != "latest":
        raise UsageError(
            f"run {info.name} has the split {split!r}, in which the latest interaction decides "
            "nothing; name a run of --split latest"
        )


def load_timed(info: RunInfo, home: Path, folder: Path, report: Report) -> Dataset:
    """Return a run's dataset with the times of its held-out items; raises DatasetError.

    Version 0.1.0 did not keep these times: then the original files are read again.
    """
    data = dataset_of(info, home, folder)
    if not lacks_times(data):
        return data
    source = info.source_in(home)
    opened = reopen(data, home, source, report)
    if opened is None:
        raise DatasetError(
            f"run {info.name}: version 0.1.0 prepared {data.label} without the times of held-out "
            f"items, and its original files ({source or data.name}) are not found or have changed; "
            "set NEUMF_TUI_DATA to where they are now"
        )
    return with_times_of(data, opened(data.options.splitting))


def check_order(dataset: Dataset, settings: Settings, rounds: int, report: Report) -> OrderCheck:
    """Train `rounds` times each: in the dataset's order, with ties shuffled, with all shuffled.

    Round r has the seed r beyond that of the settings in all three. Raises UsageError for a missing
    device, DatasetError where nothing is held out, NeumfTuiError where a score is not a number.
    """
    device = pick_device(settings.device)
    set_threads(settings)
    orders: dict[str, Callable[[int], Dataset]] = {
        "own": lambda _: dataset,
        "ties": lambda seed: reordered(dataset, seed),
        "all": lambda seed: reordered(dataset, seed, whole=True),
    }
    any_ties = has_ties(dataset)
    if not any_ties:
        del orders["ties"]  # the same as its own
    trainings = [(order, number) for order in orders for number in range(rounds)]
    done: dict[str, list[Retrained]] = {order: [] for order in orders}
    for place, (order, number) in enumerate(trainings, 1):
        what = f"training {place} of {len(trainings)}: epochs"
        seed = settings.seed + number
        again = retrain(orders[order](seed), replace(settings, seed=seed), device, report, what)
        done[order].append(again)
    done = {"own": done["own"], "ties": done.get("ties", done["own"]), "all": done["all"]}
    values = {
        (order, model): _values(found, model)
        for order, found in done.items()
        for model in ("run", "popularity")
    }
    orderings = [
        Ordering(
            order,
            model,
            {name: float(each.mean()) for name, each in found.items()},
            {}
            if order == "own"
            else {name: _difference(values["own", model][name] - found[name]) for name in METRICS},
        )
        for (order, model), found in values.items()
    ]
    epochs = {order: tuple(one.epoch for one in found) for order, found in done.items()}
    users = int((np.asarray(dataset.split.heldout) >= 0).sum())
    return OrderCheck(rounds, users, num_tied(dataset), any_ties, epochs, orderings)


def _values(found: list[Retrained], model: str) -> dict[str, Values]:
    """Return every metric of each user, the mean over the rounds."""
    rounds = [
        user_metrics(one.ranks if model == "run" else one.popularity, one.candidates)
        for one in found
    ]
    return {name: np.mean([each[name] for each in rounds], axis=0) for name in METRICS}


def _difference(values: Values) -> Difference:
    low, high = mean_difference_interval(values, level=LEVEL)
    verdict = "above" if low > 0 else "below" if high < 0 else "none"
    return Difference(float(values.mean()), (low, high), verdict)
