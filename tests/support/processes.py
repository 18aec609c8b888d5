"""Trainers that run beside a test."""

from pathlib import Path

import psutil

from neumf_tui.runs.reader import read_status


def lower_priority(folder: Path) -> None:
    """Let the tests go before the run's trainer, for whose work most of them do not wait."""
    psutil.Process(read_status(folder).pid).nice(5)
