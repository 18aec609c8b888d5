"""The program that is measured: its command, the data it gets, and calls of other processes."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.host import say
from benchmarks.report import Options
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.training.trainer import Trainer

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "neumf_tui"]


@dataclass(frozen=True)
class Program:
    """The program of one folder, to be measured beside that of another."""

    folder: Path
    label: str = ""
    """What its rows say after what they measure."""
    command: Sequence[str] = (sys.executable, "-P", "-m", "neumf_tui")

    @property
    def env(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.folder)}

    def run(self, *arguments: str, module: str = "neumf_tui") -> str:
        """Run a command, or another module; return its stdout. Raise SystemExit if it fails."""
        command = [*self.command[:-1], module, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | self.env)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} said\n{done.stderr[-2000:]}")
        return done.stdout


def programs(options: Options) -> list[Program]:
    """Return this program, and the earlier state of it that `--before` names."""
    earlier = [Program(options.before, ", before")] if options.before else []
    return [Program(ROOT), *earlier]


def output_of(command: Sequence[str]) -> str:
    """Run a command in the repository's root; return its stdout.

    Raises SystemExit with the end of its stderr if it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
        )
    return done.stdout


def dataset_name(options: Options) -> str:
    """Return the dataset of all benchmarks except those at ML-20M's size."""
    return "demo" if options.quick else "ml-100k"


def data_flags(options: Options) -> list[str]:
    """Return the flags of `neumf-tui train` for this dataset."""
    flags = ["--dataset", dataset_name(options)]
    if options.data_dir and not options.quick:
        flags += ["--data-dir", str(options.data_dir)]
    return flags


def open_data(options: Options, home: Path) -> Dataset:
    """Open this dataset; it is prepared under `home` if it is not yet."""
    folder = None if options.quick else options.data_dir
    return open_dataset(dataset_name(options), folder, home, say, silent)


def train_epochs(trainer: Trainer, epochs: Iterable[int]) -> None:
    """Train whole epochs, without evaluations."""
    for epoch in epochs:
        for batch in trainer.batches(epoch):
            trainer.step(batch)
