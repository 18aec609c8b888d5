"""How much results improve if held-out items are never drawn as negatives.

Preset `d2l` with this rule, which is the notebook's, and without it.
"""

import statistics
from collections.abc import Sequence

import torch

from benchmarks.host import say
from benchmarks.program import open_data, train_epochs
from benchmarks.report import Options, Report, Table, times
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.home import home_dir
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer

SEEDS = 40
FEW = 5
"""The number of seeds in other tables."""
METRICS = {"hit@50": "Hit@50", "auc": "AUC"}
RULES = {"`d2l`": True, "`d2l --no-exclude-heldout`": False}


def run(options: Options) -> Report:
    seeds = FEW if options.quick else options.rounds or SEEDS
    device = torch.device("cpu")
    torch.set_num_threads(1)
    data = open_data(options, home_dir())
    evaluator = ModelRanks(data, device)
    found: dict[str, list[dict[str, float]]] = {}
    for name, rule in RULES.items():
        found[name] = []
        for seed in range(seeds):
            changes = {"seed": seed, "exclude_heldout": rule}
            settings = make_settings("d2l", changes | ({"epochs": 1} if options.quick else {}))
            trainer = Trainer(data, settings, device)
            train_epochs(trainer, range(1, settings.epochs + 1))
            ranks = evaluator.by_model(trainer.model)
            found[name].append(metrics_from_ranks(ranks, evaluator.candidates))
        say(f"  {name}: Hit@50 {statistics.fmean(one['hit@50'] for one in found[name]):.4f}")
    few = min(FEW, seeds)
    columns, rows = [""], [[name] for name in found]
    for count in (few, seeds):
        for key, title in METRICS.items():
            columns.append(f"{title}, seeds 0 to {count - 1}")
            for row, runs in zip(rows, found.values(), strict=True):
                row.append(_spread([one[key] for one in runs[:count]]))
    return Report(
        title="How much it helps never to draw held-out items as negatives",
        figures={"seeds": list(range(seeds)), "runs": found},
        repeats=f"Means ± standard deviations over {times(few, 'seed')} and over {seeds}",
        tables=[Table(columns, rows)],
        notes=[
            f"{data.name}, the preset's ten epochs; every held-out item is ranked after the last."
        ],
    )


def _spread(values: Sequence[float]) -> str:
    mean = f"{statistics.fmean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean
