"""Trainers that run beside a test."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.waiting import wait_for
from neumf_tui.runs.reader import is_locked, read_snapshot, read_status
from tests.support.commands import Cli

LONG = [
    "--preset",
    "d2l",
    "--dataset",
    "demo",
    "--epochs",
    "100000",
    "--threads",
    "1",
    "--name",
    "live",
    "--detach",
]


def lower_priority(folder: Path) -> None:
    """Let the tests go before the run's trainer, for whose work most of them do not wait."""
    psutil.Process(read_status(folder).pid).nice(5)


@contextmanager
def long_run(cli: Cli, home: Path, *options: str) -> Iterator[Path]:
    """Train on the demo dataset, for hours unless it is ended; wait for its first evaluation."""
    result = cli("train", *LONG, *options)
    assert result.returncode == 0, result.stderr
    assert "attach live" in result.stderr
    folder = home / "runs" / "live"
    wait_for(lambda: bool(read_snapshot(folder).evaluations))
    lower_priority(folder)
    yield folder
    if is_locked(folder):
        os.kill(read_status(folder).pid, signal.SIGKILL)
