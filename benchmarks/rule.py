"""What the notebook's rule, never to draw held-out items as negatives, adds to its figures: preset `d2l` with it and without."""

import statistics
from collections.abc import Sequence

import torch

from benchmarks.host import say
from benchmarks.report import Options, Report, Table, times
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.home import home_dir
from neumf_tui.settings import make_settings
from neumf_tui.training.trainer import Trainer

SEEDS = 40
FEW = 5
"""As many as the other tables have."""
METRICS = {"hit@50": "Hit@50", "auc": "AUC"}


def run(options: Options) -> Report:
    seeds = FEW if options.quick else options.rounds or SEEDS
    device = torch.device("cpu")
    torch.set_num_threads(1)
    name = "demo" if options.quick else "ml-100k"
    data = open_dataset(
        name, None if options.quick else options.data_dir, home_dir(), say, lambda _: None
    )
    evaluator = Evaluator(data, device)
    found: dict[str, list[dict[str, float]]] = {}
    for words, rule in (("`d2l`", True), ("`d2l --no-exclude-heldout`", False)):
        found[words] = []
        for seed in range(seeds):
            settings = make_settings(
                "d2l",
                {"seed": seed, "exclude_heldout": rule, "epochs": 1 if options.quick else None},
            )
            trainer = Trainer(data, settings, device)
            for epoch in range(1, settings.epochs + 1):
                for batch in trainer.batches(epoch):
                    trainer.step(batch)
            found[words].append(
                metrics_from_ranks(evaluator.ranks(trainer.model), evaluator.candidates)
            )
        say(f"  {words}: Hit@50 {statistics.fmean(one['hit@50'] for one in found[words]):.4f}")
    few = min(FEW, seeds)
    columns = [
        f"{title}, seeds 0 to {last - 1}" for last in (few, seeds) for title in METRICS.values()
    ]
    rows = [
        [
            words,
            *(
                _spread([one[metric] for one in runs[:last]])
                for last in (few, seeds)
                for metric in METRICS
            ),
        ]
        for words, runs in found.items()
    ]
    return Report(
        title="What it adds never to draw held-out items as negatives",
        figures={"seeds": list(range(seeds)), "runs": found},
        repeats=f"Means ± standard deviations over {times(few, 'seed')} and over {seeds}",
        tables=[Table(["", *columns], rows)],
        notes=[f"{name}, the preset's ten epochs, every held-out item ranked after the last."],
    )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.fmean(values):.3f}" + (
        f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    )
