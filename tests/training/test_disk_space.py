"""A trainer raises an alarm once before the disk is full."""

import shutil
from pathlib import Path

import pytest

from neumf_tui.home import home_dir
from neumf_tui.runs.control import make_ready
from neumf_tui.runs.reader import read_snapshot
from neumf_tui.training import worker
from tests.support.commands import Cli


def test_a_trainer_tells_once_of_little_space(
    inside: Cli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(trained)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    make_ready(trained, 12).close()
    assert worker.train(trained, home_dir(), None) == 0
    lines = [text for _, text in read_snapshot(trained).log if "has room for about" in text]
    assert len(lines) == 1
