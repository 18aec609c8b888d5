"""Whether several processes learn the same as one.

Trains the same settings with one, two and three processes (on the CPU) and compares each
user's rank after the last epoch. Several processes add the same numbers in another order, which
rounds differently. So there is a control: one process that takes the pairs of each step in another
order.
"""

import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.host import say
from benchmarks.program import PROGRAM, data_flags, open_data
from benchmarks.report import Options, Report, Table
from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.reader import rank_epochs, read_ranks, read_snapshot
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer

EPOCHS = 5
BCE = {"loss": "bce", "scaled_init": True, "weight_decay": 0.0, "learning_rate": 0.001}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "d2l, binary cross-entropy": ("d2l", BCE),
    "d2l": ("d2l", {}),
    "tuned": ("tuned", {}),
}
"""Preset and changed settings."""
COLUMNS = (
    "settings", "processes", "largest difference of a rank", "users with another rank", "Hit@50",
    "than one process",
)  # fmt: skip


def run(options: Options) -> Report:
    epochs = 1 if options.quick else EPOCHS
    torch.set_num_threads(1)
    figures, rows = [], []
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        data = open_data(options, home)
        for name, (preset, changes) in CASES.items():
            found = {
                count: train(home, options, preset, changes, epochs, count) for count in (1, 2, 3)
            }
            one = found[1][0]
            control = train_reordered(data, preset, changes, epochs)
            ranks = {"2": found[2][0], "3": found[3][0], "1, reordered": control}
            for processes, others in ranks.items():
                differ = compare(one, others)
                figures.append({"learned": name, "processes": processes, **differ})
                rows.append([name, processes, *cells(differ)])
            seconds = {count: statistics.median(times) for count, (_, times) in found.items()}
            figures.append({"learned": name, "epoch_seconds": seconds})
            shown = ", ".join(f"{count}: {s:.2f} s" for count, s in seconds.items())
            say(f"  {name}: {shown} an epoch")
    return Report(
        title="Several processes and one",
        figures=figures,
        repeats="Once: ranks are the same each time",
        tables=[Table(COLUMNS, rows)],
        notes=[
            f"{data.label}, {epochs} epochs; each user's rank after the last one, compared with "
            "that of one process.",
            "`1, reordered` is one process that takes the pairs of each step in another order: the "
            "same sums, rounded differently. Several processes that differ from one no more than "
            "that calculate the same.",
        ],
    )


def train(
    home: Path,
    options: Options,
    preset: str,
    changes: Mapping[str, Any],
    epochs: int,
    processes: int,
) -> tuple[NDArray[np.float32], list[float]]:
    """Train with so many processes; return the ranks, (num_users,), and each epoch's seconds."""
    name = f"{preset}-{len(changes)}-{processes}"
    flags = [
        f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}")
        for key, value in changes.items()
    ]
    command = [*PROGRAM, "train", "--plain", "--home", str(home), "--name", name]
    command += ["--preset", preset, *flags, "--epochs", str(epochs), *data_flags(options)]
    command += ["--threads", "1", "--device", "cpu", "--processes", str(processes)]
    subprocess.run(command, check=True, capture_output=True)
    folder = home / "runs" / name
    ranks = read_ranks(folder, rank_epochs(folder)[-1])
    return ranks, [epoch.seconds for epoch in read_snapshot(folder).epochs]


def train_reordered(
    data: Dataset, preset: str, changes: Mapping[str, Any], epochs: int
) -> NDArray[np.float32]:
    """Train the control; return its ranks, (num_users,)."""
    settings = make_settings(preset, {**changes, "epochs": epochs})
    cpu = torch.device("cpu")
    trainer, generator = Trainer(data, settings, cpu), torch.Generator().manual_seed(0)
    for epoch in range(1, epochs + 1):
        for batch in trainer.batches(epoch):
            order = torch.randperm(len(batch.rows), generator=generator)
            negatives = batch.negatives if settings.shared_negatives else batch.negatives[:, order]
            parts = {name: getattr(batch, name)[order] for name in ("rows", "users", "items")}
            trainer.step(replace(batch, negatives=negatives, places=order, **parts))
    return ModelRanks(data, cpu).by_model(trainer.scored(epochs))


def compare(one: NDArray[np.float32], others: NDArray[np.float32]) -> dict[str, float]:
    """Return how much ranks differ; NaN marks users without a held-out item."""
    differences = np.abs(one - others)[~np.isnan(one)]
    return {
        "largest": float(differences.max()),
        "users": float((differences > 0).mean()),
        "hit50": float((others <= 50).mean()),
        "hit50_of_one": float((one <= 50).mean()),
    }


def cells(differ: dict[str, float]) -> list[str]:
    more = f"{differ['hit50'] - differ['hit50_of_one']:+.4f}".replace("-", "−")
    return [f"{differ['largest']:,.0f}", f"{differ['users']:.1%}", f"{differ['hit50']:.4f}", more]
