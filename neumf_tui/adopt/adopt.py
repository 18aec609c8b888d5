"""Make a run of weights that were trained elsewhere: whole, or not at all."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neumf_tui import __version__
from neumf_tui.adopt.check import (
    Beside,
    BetterRows,
    Expectation,
    beside_popularity,
    find_better_rows,
)
from neumf_tui.adopt.contents import WeightsError, merged
from neumf_tui.adopt.epochs import Epoch, split_epochs
from neumf_tui.adopt.layouts import Model, recognise
from neumf_tui.adopt.read import read_contents
from neumf_tui.adopt.rows import Given, RowMap, map_rows
from neumf_tui.adopt.tensors import Adopted, adopted
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import Metrics
from neumf_tui.evaluation.records import EvaluationRecords
from neumf_tui.home import runs_dir
from neumf_tui.runs import events
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.writer import RunWriter, new_run
from neumf_tui.scorers.open import open_scorer
from neumf_tui.text import clean

_NAMED_FILES = 5
"""Files whose names stand in run.json."""


@dataclass(frozen=True)
class Order:
    """What a person asks to be adopted."""

    name: str
    """The name of the run."""
    files: list[Path]
    kind: events.ModelKind | None = None
    """What the files hold, if the person says so."""
    cosine: bool = False
    given: Given = field(default_factory=Given)
    expected: list[Expectation] = field(default_factory=list)


class Unmet(NeumfTuiError):
    """Metrics are not those that were expected, so no run was made."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """A run that was made, and what was found out about it."""

    folder: Path
    info: events.RunInfo
    epochs: list[int]
    metrics: Metrics
    """The metrics of the last epoch; all that follows is of this epoch, too."""
    interval: tuple[float, float]
    popularity: Metrics
    beside: Beside
    better_rows: BetterRows | None
    expected: list[Expectation]
    warnings: list[str]
    notices: list[str]


@dataclass(frozen=True, eq=False)
class _Opened:
    """The files of one epoch, read and checked."""

    epoch: Epoch
    where: str
    model: Model
    rows: RowMap
    made: Adopted


def adopt(home: Path, data: Dataset, order: Order, report: Report) -> Outcome:
    """Make the run that `order` asks for and return what was found.

    Raises WeightsError, UsageError, Unmet, or RunError if the name is taken.
    """
    epochs, note = split_epochs(order.files)
    opened = (_open(epoch, order, data) for epoch in epochs)
    first = next(opened)
    evaluator = Evaluator(data)
    popular = evaluator.popularity_ranks()
    settings = {
        "files": _names(order.files),
        "layout": first.model.what,
        "rows": first.rows.what or "ids of the table",
    } | first.made.shape
    info = make_info(
        home,
        data,
        order.name,
        settings,
        kind="adopted",
        model=first.made.kind,
        planned=epochs[-1].number,
    )
    folder = runs_dir(home) / order.name
    with new_run(folder, info) as scratch, RunWriter(scratch) as writer:
        making = _Making(writer, data, evaluator, popular, report, len(epochs))
        making.start()
        making.add(first)
        last = first
        for last in opened:
            if last.made.kind != first.made.kind:
                raise WeightsError(f"{last.where}: {last.made.kind}, but {first.made.kind} before")
            making.add(last)
        better = find_better_rows(
            last.where,
            last.model,
            last.rows,
            data,
            lambda share: report(Progress("trying other rows", int(100 * share), 100)),
        )
        beside = beside_popularity(making.ranks, popular, evaluator.candidates)
        _check_expected(order.expected, making.metrics, better)
        warnings = _warnings(beside, better)
        making.end(warnings, order.expected)
    return Outcome(
        folder=folder,
        info=info,
        epochs=[epoch.number for epoch in epochs],
        metrics=making.metrics,
        interval=hit_interval(making.ranks),
        popularity=making.popularity,
        beside=beside,
        better_rows=better,
        expected=order.expected,
        warnings=warnings,
        notices=[*([note] if note else []), *last.made.notices],
    )


def _open(epoch: Epoch, order: Order, data: Dataset) -> _Opened:
    contents = merged([read_contents(file) for file in epoch.files])
    model = recognise(contents, order.kind, order.cosine, data.num_items)
    rows = map_rows(model, contents, order.given, data)
    return _Opened(
        epoch, contents.where, model, rows, adopted(contents.where, model, rows.rows, data)
    )


def _names(files: list[Path]) -> str:
    """Return the names of the files for people; bytes that are not UTF-8 as `\\xff`."""
    names = [clean(os.fsencode(path.name).decode("utf-8", "backslashreplace")) for path in files]
    more = f" and {len(names) - _NAMED_FILES} more" if len(names) > _NAMED_FILES else ""
    return ", ".join(names[:_NAMED_FILES]) + more


class _Making:
    """A run that is being written."""

    def __init__(
        self,
        writer: RunWriter,
        data: Dataset,
        evaluator: Evaluator,
        popular: NDArray[np.float32],
        report: Report,
        epochs: int,
    ) -> None:
        self._writer, self._data, self._evaluator = writer, data, evaluator
        self._report, self._epochs = report, epochs
        self._records = EvaluationRecords(writer, {"ranks": evaluator.candidates})
        self.popularity = self._records.metrics("ranks", popular)
        self.ranks, self.metrics = popular, self.popularity
        """Ranks and metrics of the latest epoch."""

    def start(self) -> None:
        versions = {"neumf-tui": __version__, "numpy": np.__version__}
        started = events.Started(
            device="", epoch=0, step=0, steps=0, popularity=self.popularity, versions=versions
        )
        self._writer.event(started)

    def add(self, opened: _Opened) -> None:
        """Rank all held-out items by the model of an epoch, and write ranks and checkpoint."""
        began, made, epoch = time.perf_counter(), opened.made, opened.epoch.number
        scorer = open_scorer(made.kind, made.tensors, made.shape, self._data)
        self.ranks = self._evaluator.ranks(scorer, self._share)
        seconds = time.perf_counter() - began
        self.metrics = self._records.write(epoch, {"ranks": self.ranks}, seconds).metrics
        self._records.keep(epoch, made.tensors, made.shape, self._data.fingerprint)

    def _share(self, share: float) -> None:
        users = self._data.num_users
        done = int((len(self._records.quality) + share) * users)
        self._report(Progress("ranking held-out items", done, self._epochs * users, "users"))

    def end(self, warnings: list[str], expected: list[Expectation]) -> None:
        """Write what was found, and that the run has ended."""
        last = max(self._records.quality)
        for warning in warnings:
            self._writer.event(events.Warned(text=warning))
        met = ", ".join(f"{one.metric} {one.text}" for one in expected)
        reason = f"as reported: {met}" if met else ""
        self._writer.event(events.Finished(state="finished", reason=reason))
        status = events.Status(
            state="finished", pid=os.getpid(), epoch=last, epochs=last, reason=reason
        )
        self._writer.status(status)


def _check_expected(
    expected: list[Expectation], metrics: Metrics, better: BetterRows | None
) -> None:
    """Raise Unmet if a metric is not as it was reported."""
    wrong = [one for one in expected if not one.holds(metrics[one.metric])]
    if wrong:
        texts = [f"{one.metric} is {metrics[one.metric]:.6f}, not {one.text}" for one in wrong]
        why = (
            better.text
            if better
            else (
                "other rows, another split, other candidates or another epoch would do that; "
                "without --expect the run is made as it is"
            )
        )
        raise Unmet(f"no run was made: {'; '.join(texts)}; {why}")


def _warnings(beside: Beside, better: BetterRows | None) -> list[str]:
    found = []
    if beside.by_chance:
        found.append(
            "no better than items in random order: most likely the rows belong to other users or "
            "items (--rows, --user-ids, --item-ids)"
        )
    elif not beside.is_better:
        found.append(
            "no better than popularity: either the model is that bad, or its rows belong to other "
            "users or items (--rows, --user-ids, --item-ids)"
        )
    return [*found, better.text] if better else found
