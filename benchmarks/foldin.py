"""Whether fold-in is to be trusted: trained users folded in from their own history, against what training made of them."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from benchmarks.host import say
from benchmarks.report import Options, Report, Table, times
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.explore.foldin import FoldIn
from neumf_tui.home import home_dir
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.events import CUTOFF
from neumf_tui.settings import make_settings
from neumf_tui.training.trainer import Trainer

USERS = 200
DRAWS = 5


@dataclass(frozen=True)
class Alike:
    """Figures of `users` as trained, and as folded in with each draw of negatives."""

    users: int
    median_trained: float
    median_folded: list[float]
    hits_trained: float
    """Hit@50."""
    hits_folded: list[float]
    log_rank_correlation: list[float]
    """Of the logarithms of both ranks, over users."""


def check(
    model: NeuMF,
    dataset: Dataset,
    *,
    weight_decay: float,
    count: int = USERS,
    seed: int = 0,
    draws: int = DRAWS,
) -> Alike:
    """Fold trained users in from their own history, and rank their held-out items with both pairs of embeddings.

    `count` users who have a held-out item, drawn by `seed`; each folded in with seeds 0 to `draws` − 1.
    """
    users = np.random.default_rng(seed).permutation(
        np.flatnonzero(np.asarray(dataset.split.heldout) >= 0)
    )[:count]
    evaluator = Evaluator(dataset, torch.device("cpu"))
    trained = evaluator.ranks(model)[users]
    fold_in, folded = FoldIn(model, weight_decay=weight_decay), copy.deepcopy(model)
    medians, hits, log_correlations = [], [], []
    for draw in range(draws):
        vectors = fold_in.fit([dataset.history(user) for user in users], draw)
        with torch.no_grad():
            folded.user_gmf.weight[users] = torch.from_numpy(vectors.gmf)
            folded.user_mlp.weight[users] = torch.from_numpy(vectors.mlp)
        ranks = evaluator.ranks(folded)[users]
        medians.append(float(np.median(ranks)))
        hits.append(float(np.mean(ranks <= CUTOFF)))
        log_correlations.append(float(np.corrcoef(np.log(trained), np.log(ranks))[0, 1]))
    return Alike(
        len(users),
        float(np.median(trained)),
        medians,
        float(np.mean(trained <= CUTOFF)),
        hits,
        log_correlations,
    )


def run(options: Options) -> Report:
    draws = 1 if options.quick else options.rounds or DRAWS
    torch.set_num_threads(1)
    name = "demo" if options.quick else "ml-100k"
    data = open_dataset(
        name, None if options.quick else options.data_dir, home_dir(), say, lambda _: None
    )
    found, rows = {}, []
    for words, rule in (("`d2l`", True), ("`d2l --no-exclude-heldout`", False)):
        settings = make_settings("d2l", {"exclude_heldout": rule})
        trainer = Trainer(data, settings, torch.device("cpu"))
        for epoch in range(1, settings.epochs + 1):
            for batch in trainer.batches(epoch):
                trainer.step(batch)
        found[words] = one = check(
            trainer.model, data, weight_decay=settings.weight_decay, draws=draws
        )
        medians, hits = (_range(one.median_folded, "{:g}"), _range(one.hits_folded, "{:.3f}"))
        likeness = f"{min(one.log_rank_correlation):.2f}"
        rows.append(
            [words, f"{one.median_trained:g}", medians, f"{one.hits_trained:.3f}", hits, likeness]
        )
        say(f"  {words}: median rank {one.median_trained:g}, folded in {medians}")
    columns = [
        "",
        "median rank, trained",
        "folded in",
        "Hit@50, trained",
        "folded in",
        "least correlation of log ranks",
    ]
    return Report(
        title="Trained users folded in from their own history",
        figures={words: asdict(one) for words, one in found.items()},
        repeats=f"Least and most of {times(draws, 'draw')} of negatives",
        tables=[Table(columns, rows)],
        notes=[
            f"{name}, preset `d2l`, seed 0: {USERS} users who have a held-out item, drawn by seed 0, each folded in from their "
            "own training history with everything else frozen, and the rank of their held-out item compared with that of the "
            "user as trained."
        ],
    )


def _range(values: Sequence[float], form: str) -> str:
    return f"{form.format(min(values))} to {form.format(max(values))}"
