"""A run's settings under other protocols: where models change places."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.compute import Baselines
from neumf_tui.baselines.kept import read_kept_ranks
from neumf_tui.baselines.registry import named
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import SplitName, SplitOptions
from neumf_tui.data.progress import Progress, Report
from neumf_tui.data.registry import Reopened, reopen
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import user_metrics
from neumf_tui.evaluation.sampled import NEGATIVES, sampled_user_metrics
from neumf_tui.explore.evaluate import evaluate
from neumf_tui.explore.ranker import Ranker
from neumf_tui.settings import check
from neumf_tui.training.device import pick_device, set_threads
from neumf_tui.training.retrain import retrain

METRICS = ("hit@10", "hit@50", "ndcg@10", "auc")
RUN, EASE, POPULARITY = "run", "ease", "popularity"
OWN, SAMPLED = "as trained", f"sampled-{NEGATIVES}"
CORE = 5
"""Interactions that every user and every item has in the 5-core."""
Values = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Standing:
    """One model under one protocol."""

    model: str
    """RUN, EASE or POPULARITY."""
    values: Values
    """Each metric of every user who is evaluated."""
    places: Mapping[str, int]
    """By each metric, from 1; equal models share one."""
    moved: Mapping[str, int] = field(default_factory=dict)
    """How many places the model is higher than under the first protocol."""


@dataclass(frozen=True, eq=False)
class ProtocolResult:
    """All models under one protocol."""

    name: str
    """`latest` (`random` without times), `time`, `5-core`, SAMPLED, or OWN for another one that the
    run was made with."""
    data: Dataset | None = None
    """The dataset, split so; None where the data do not allow it."""
    epoch: int | None = None
    """The epoch that was chosen in the training for this protocol; None: the run's checkpoint."""
    standings: tuple[Standing, ...] = ()
    notes: tuple[str, ...] = ()
    """Why a model, or the whole protocol, is missing."""


@dataclass(frozen=True, eq=False)
class _Ranked:
    """The ranks of the held-out items by model, (num_users,)."""

    ranks: dict[str, NDArray[np.float32]]
    candidates: NDArray[np.int64]
    epoch: int | None
    notes: tuple[str, ...]


def compare_protocols(ranker: Ranker, report: Report) -> list[ProtocolResult]:
    """Train the run's settings under each protocol, and rank by them, by EASE and by popularity.

    The protocol that the run was made with comes first, with its checkpoint as it is; the sampled
    one ranks as `latest`. Raises UsageError for a run that was not trained here, DatasetError
    without the original files, NeumfTuiError where a score is not a number.
    """
    info, own = ranker.info, ranker.dataset
    if not info.is_trained:
        raise UsageError(
            f"--protocols: run {info.name} is {info.kind}; only the settings of a run that "
            "`neumf-tui train` made can be trained again"
        )
    source = info.source_in(ranker.home)
    opened = reopen(own, ranker.home, source, report)
    if opened is None:
        raise DatasetError(
            f"--protocols splits {own.label} again, but its original files ({source or own.name}) "
            "are not found or have changed; set NEUMF_TUI_DATA to where they are now"
        )
    results, sampled = [], []
    for name, data, problem in _datasets(own, opened):
        if data is None:
            results.append(ProtocolResult(name, notes=(problem,)))
            continue
        try:
            found = _rank(ranker, name, data, report)
        except DatasetError as error:  # nothing is held out, or nobody has a validation item
            results.append(ProtocolResult(name, notes=(str(error),)))
            continue
        values = {model: user_metrics(one, found.candidates) for model, one in found.ranks.items()}
        results.append(_result_of(name, data, found, values))
        if name in ("latest", "random"):
            values = {
                model: sampled_user_metrics(one, found.candidates)
                for model, one in found.ranks.items()
            }
            sampled.append(_result_of(SAMPLED, data, found, values))
    return _with_moves([*results, *sampled])


def _datasets(own: Dataset, opened: Reopened) -> list[tuple[str, Dataset | None, str]]:
    """Return name, dataset and, where there is none, the reason, for each protocol."""
    options = own.options.splitting
    first: SplitName = "latest" if own.facts.has_times else "random"
    usual = SplitOptions(split=first, min_rating=options.min_rating)
    replaced = msgspec.structs.replace
    wanted = {
        first: usual,
        "time": replaced(usual, split="time", cut=options.cut),
        f"{CORE}-core": replaced(usual, min_user_count=CORE, min_item_count=CORE),
    }
    found: list[tuple[str, Dataset | None, str]] = []
    for name, splitting in wanted.items():
        try:
            data = opened(splitting)
            found.append((name, own if data.fingerprint == own.fingerprint else data, ""))
        except (DatasetError, UsageError) as error:
            found.append((name, None, str(error)))
    if all(data is not own for _, data, _ in found):
        found.append((OWN, own, ""))
    return sorted(found, key=lambda one: one[1] is not own)


def _rank(ranker: Ranker, name: str, data: Dataset, report: Report) -> _Ranked:
    """Rank held-out items by the run's checkpoint, or by its settings trained on other data."""
    if data is ranker.dataset:
        done = evaluate(ranker)
        ranks, candidates, epoch = done.ranks, done.candidates, None
        popularity = Evaluator(data).popularity_ranks()
    else:
        settings = check(ranker.info.settings)
        set_threads(settings)
        device, what = pick_device(settings.device), f"{name}: epochs"
        again = retrain(data, settings, device, report, what)
        ranks, candidates, epoch = again.ranks, again.candidates, again.epoch
        popularity = again.popularity

    def report_ease(progress: Progress) -> None:
        report(replace(progress, what=f"{name}: {progress.what}"))

    found, notes = {RUN: ranks, POPULARITY: popularity}, []
    try:
        (ease,) = Baselines(data, ranker.home, report_ease).outcomes(named(EASE))
        if ease.result is None:
            notes.append(ease.note)
        else:
            fingerprint, users = data.fingerprint, data.num_users
            found[EASE] = read_kept_ranks(ranker.home, fingerprint, EASE, users)
    except DatasetError as error:  # its settings cannot be chosen
        notes.append(f"{EASE}: {error}")
    return _Ranked(found, candidates, epoch, tuple(notes))


def _result_of(
    name: str, data: Dataset, found: _Ranked, values: Mapping[str, Values]
) -> ProtocolResult:
    means = {
        metric: {model: float(each[metric].mean()) for model, each in values.items()}
        for metric in METRICS
    }
    standings = [
        Standing(
            model,
            values[model],
            {
                metric: 1 + sum(other > of[model] for other in of.values())
                for metric, of in means.items()
            },
        )
        for model in (RUN, EASE, POPULARITY)
        if model in values
    ]
    return ProtocolResult(name, data, found.epoch, tuple(standings), found.notes)


def _with_moves(results: list[ProtocolResult]) -> list[ProtocolResult]:
    """Say how many places higher each model is than under the first protocol of the same models."""
    found = []
    for result in results:
        models = [one.model for one in result.standings]
        first = next(
            one for one in results if [each.model for each in one.standings] == models
        ).standings
        standings = [
            replace(one, moved={key: was.places[key] - one.places[key] for key in METRICS})
            for one, was in zip(result.standings, first, strict=True)
        ]
        found.append(replace(result, standings=tuple(standings)))
    return found
