"""Do several processes learn what one learns? `python -m benchmarks processes`.

Trains the same settings with one, two and three processes (gloo, on the CPU) and compares every user's rank after the last epoch.
The sums of several processes are those of one in another order, and round in another way, so there is a control: one process
that takes the pairs of each step in another order.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.host import say
from benchmarks.report import Options, Report, Table
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.runs.reader import rank_epochs, read_ranks, read_snapshot
from neumf_tui.settings import make_settings
from neumf_tui.training.trainer import Trainer

EPOCHS = 5
LEARNED: dict[str, tuple[str, dict[str, Any]]] = {
    "d2l, binary cross-entropy": (
        "d2l", {"loss": "bce", "scaled_init": True, "weight_decay": 0.0, "learning_rate": 0.001},
    ),
    "d2l": ("d2l", {}),
    "tuned": ("tuned", {}),
}  # fmt: skip
"""Preset, and what is changed of it."""


def run(options: Options) -> Report:
    epochs = 1 if options.quick else EPOCHS
    name, data_dir = (
        ("demo", None)
        if options.quick or options.data_dir is None
        else ("ml-100k", options.data_dir)
    )
    torch.set_num_threads(1)
    figures, rows = [], []
    with tempfile.TemporaryDirectory() as home:
        data = open_dataset(name, data_dir, Path(home), say, lambda _: None)
        for learned, (preset, changes) in LEARNED.items():
            found = {
                count: trained(Path(home), name, data_dir, preset, changes, epochs, count)
                for count in (1, 2, 3)
            }
            one = found[1][0]
            control = reordered(data, preset, changes, epochs)
            ranks = {"2": found[2][0], "3": found[3][0], "1, reordered": control}
            for processes, others in ranks.items():
                differ = compare(one, others)
                figures.append({"learned": learned, "processes": processes, **differ})
                rows.append((
                    learned, processes, f"{differ['largest']:,.0f}", f"{differ['users']:.1%}",
                    f"{differ['hit50']:.4f}", f"{differ['hit50'] - differ['hit50_of_one']:+.4f}".replace("-", "−"),
                ))  # fmt: skip
            seconds = {count: statistics.median(times) for count, (_, times) in found.items()}
            figures.append({"learned": learned, "epoch_seconds": seconds})
            say(
                f"  {learned}: {', '.join(f'{count}: {s:.2f} s' for count, s in seconds.items())} an epoch"
            )
    columns = (
        "settings",
        "processes",
        "largest difference of a rank",
        "users with another rank",
        "Hit@50",
        "than one process",
    )
    notes = (
        f"{data.label}, {epochs} epochs, every user's rank after the last, compared with that of one process.",
        "`1, reordered` is one process that takes the pairs of each step in another order: the same sums, rounded otherwise. "
        "Processes that differ from one no more than that does calculate the same.",
    )
    return Report(
        "Several processes and one",
        figures,
        "Once: ranks are the same each time",
        [Table(columns, rows)],
        notes,
    )


def trained(
    home: Path,
    dataset: str,
    data_dir: Path | None,
    preset: str,
    changes: Mapping[str, Any],
    epochs: int,
    processes: int,
) -> tuple[NDArray[np.float32], list[float]]:
    """Ranks after the last epoch, (num_users,), and the seconds of each epoch."""
    name = f"{preset}-{len(changes)}-{processes}"
    flags = [
        f"--{key.replace('_', '-')}" + ("" if value is True else f"={value}")
        for key, value in changes.items()
    ]
    where = ["--data-dir", str(data_dir)] if data_dir else []
    command = [
        sys.executable, "-m", "neumf_tui", "train", "--home", str(home), "--name", name, "--dataset", dataset, *where, "--preset",
        preset, *flags, "--epochs", str(epochs), "--threads", "1", "--device", "cpu", "--processes", str(processes), "--plain",
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    folder = home / "runs" / name
    return read_ranks(folder, rank_epochs(folder)[-1]), [
        epoch.seconds for epoch in read_snapshot(folder).epochs
    ]


def reordered(
    data: Dataset, preset: str, changes: Mapping[str, Any], epochs: int
) -> NDArray[np.float32]:
    """Ranks of the control."""
    settings = make_settings(preset, {**changes, "epochs": epochs})
    cpu = torch.device("cpu")
    trainer, generator = Trainer(data, settings, cpu), torch.Generator().manual_seed(0)
    for epoch in range(1, epochs + 1):
        for batch in trainer.batches(epoch):
            order = torch.randperm(len(batch.rows), generator=generator)
            negatives = batch.negatives if settings.shared_negatives else batch.negatives[:, order]
            parts = {name: getattr(batch, name)[order] for name in ("rows", "users", "items")}
            trainer.step(replace(batch, negatives=negatives, places=order, **parts))
    return Evaluator(data, cpu).ranks(trainer.scored(epochs))


def compare(one: NDArray[np.float32], others: NDArray[np.float32]) -> dict[str, float]:
    apart = np.abs(one - others)[~np.isnan(one)]
    return {
        "largest": float(apart.max()),
        "users": float((apart > 0).mean()),
        "hit50": float((others <= 50).mean()),
        "hit50_of_one": float((one <= 50).mean()),
    }
