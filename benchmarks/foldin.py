"""Whether fold-in can be trusted: trained users folded in from their own history.

Their held-out items are ranked with the embeddings from fold-in and with those from training.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.host import say
from benchmarks.program import open_data, train_epochs
from benchmarks.report import Options, Report, Table, times
from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.ranks import rank_among
from neumf_tui.home import home_dir
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.events import CUTOFF
from neumf_tui.scorers.scorer import Scorer
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import ModelRanks, scorer_of
from neumf_tui.training.trainer import Trainer

USERS = 200
DRAWS = 5
RULES = {"`d2l`": True, "`d2l --no-exclude-heldout`": False}
COLUMNS = (
    "", "median rank, trained", "folded in", "Hit@50, trained", "folded in",
    "least correlation of log ranks",
)  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Results of `users` as trained, and as folded in with each draw of negatives."""

    users: int
    median_trained: float
    median_folded: list[float]
    hits_trained: float
    """Hit@50."""
    hits_folded: list[float]
    log_rank_correlation: list[float]
    """Correlation over users between the logarithms of both ranks."""


def compare(
    model: NeuMF,
    dataset: Dataset,
    *,
    weight_decay: float,
    count: int = USERS,
    seed: int = 0,
    draws: int = DRAWS,
) -> Comparison:
    """Fold trained users in and rank their held-out items with both pairs of embeddings.

    `count` users who have a held-out item are drawn by `seed`; each is folded in with seeds 0 to
    `draws` − 1.
    """
    have_heldout = np.flatnonzero(np.asarray(dataset.split.heldout) >= 0)
    users = np.random.default_rng(seed).permutation(have_heldout)[:count]
    evaluator = ModelRanks(dataset, torch.device("cpu"))
    trained = evaluator.by_model(model)[users]
    scorer = scorer_of(model, evaluator.histories, weight_decay)
    medians, hits, log_correlations = [], [], []
    for draw in range(draws):
        ranks = np.array([folded_rank(scorer, dataset, user, draw) for user in users.tolist()])
        medians.append(float(np.median(ranks)))
        hits.append(float(np.mean(ranks <= CUTOFF)))
        log_correlations.append(float(np.corrcoef(np.log(trained), np.log(ranks))[0, 1]))
    return Comparison(
        len(users),
        float(np.median(trained)),
        medians,
        float(np.mean(trained <= CUTOFF)),
        hits,
        log_correlations,
    )


def folded_rank(scorer: Scorer, dataset: Dataset, user: int, seed: int) -> float:
    """Return the rank of a user's held-out item by vectors that fold-in gives their history."""
    history = dataset.history(user)
    scores = scorer.item_scores(scorer.newcomer(history, seed)).total
    scores[history] = np.nan
    return float(rank_among(scores, scores[dataset.split.heldout[user]]))


def run(options: Options) -> Report:
    draws = 1 if options.quick else options.rounds or DRAWS
    torch.set_num_threads(1)
    data = open_data(options, home_dir())
    found, rows = {}, []
    for name, rule in RULES.items():
        settings = make_settings("d2l", {"exclude_heldout": rule})
        trainer = Trainer(data, settings, torch.device("cpu"))
        train_epochs(trainer, range(1, settings.epochs + 1))
        one = compare(trainer.model, data, weight_decay=settings.weight_decay, draws=draws)
        medians, hits = _range(one.median_folded, "{:g}"), _range(one.hits_folded, "{:.3f}")
        correlation = f"{min(one.log_rank_correlation):.2f}"
        hit = f"{one.hits_trained:.3f}"
        rows.append([name, f"{one.median_trained:g}", medians, hit, hits, correlation])
        say(f"  {name}: median rank {one.median_trained:g}, folded in {medians}")
        found[name] = asdict(one)
    return Report(
        title="Trained users folded in from their own history",
        figures=found,
        repeats=f"Least and most of {times(draws, 'draw')} of negatives",
        tables=[Table(COLUMNS, rows)],
        notes=[
            f"{data.name}, preset `d2l`, seed 0. {USERS} users who have a held-out item, drawn by "
            "seed 0, are folded in from their own training history while everything else is "
            "frozen. The rank of their held-out item is compared with that of the user as trained."
        ],
    )


def _range(values: Sequence[float], form: str) -> str:
    return f"{form.format(min(values))} to {form.format(max(values))}"
