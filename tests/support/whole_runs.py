"""Runs of three epochs: whole ones, and ones that are interrupted and must become the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from neumf_tui.runs.checkpoint import last_checkpoint, load_checkpoint
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks, read_snapshot, read_status
from neumf_tui.runs.writer import reopen_run

ARGS = ("--preset", "d2l", "--dataset", "demo", "--plain", "--epochs", "3", "--threads", "1")


def worker(folder: Path, **options: object) -> "subprocess.Popen[bytes]":
    reopen_run(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "neumf_tui.training.worker", str(folder)],
        **options,  # type: ignore[call-overload]
    )


def state_of(folder: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Return every weight, every optimiser value, and the rank tape."""
    path = last_checkpoint(folder)
    assert path is not None
    tensors, _ = load_checkpoint(path, read_info(folder).dataset.fingerprint)
    return dict(tensors) | {f"rank {e}": read_ranks(folder, e) for e in rank_epochs(folder)}


def assert_same(a: Path, b: Path) -> None:
    left, right = state_of(a), state_of(b)
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


def restarted(whole: Path, name: str) -> Path:
    """Return a copy of the run as it was before its first step."""
    folder = whole.parent / name
    shutil.copytree(whole, folder)
    (folder / "events.jsonl").unlink()
    for path in [*(folder / "ranks").iterdir(), *(folder / "checkpoints").iterdir()]:
        path.unlink()
    return folder


def check_readable(folder: Path) -> None:
    read_status(folder)
    read_snapshot(folder)
    for epoch in rank_epochs(folder):
        read_ranks(folder, epoch)
    for path in (folder / "checkpoints").glob("[0-9]*.safetensors"):
        load_checkpoint(path, read_info(folder).dataset.fingerprint)
