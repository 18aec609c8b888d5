"""The log of a run: what the trainer printed is data of a file, whatever it is."""

import os
from pathlib import Path

import pytest

from neumf_tui.files import UnusableFileError
from neumf_tui.views import log
from tests.support.commands import Cli


def trainers(folder: Path) -> list[str]:
    lines = log.follow_log(folder, follow=False)
    return [line.removeprefix("trainer:  ") for line in lines if line.startswith("trainer:")]


def test_output_has_no_control_characters(trained: Path, inside: Cli) -> None:
    (trained / "trainer.log").write_bytes(b"\x1b[31mred\xc2\x9b1m\n\xe2\x80\xae\xff\x07bell\r\n")
    assert trainers(trained) == ["·[31mred·1m", "�·bell"]
    assert log.last_output(trained, 1) == ["�·bell"]
    shown = inside("logs", "trained").stdout
    assert "·[31mred" in shown and "\x1b" not in shown and "\x9b" not in shown


def test_output_that_is_no_file_is_not_waited_for(trained: Path, inside: Cli) -> None:
    path = trained / "trainer.log"
    path.unlink()
    assert trainers(trained) == log.last_output(trained, 3) == []
    os.mkfifo(path)
    with pytest.raises(UnusableFileError, match="a FIFO"):
        trainers(trained)
    assert log.last_output(trained, 3) == []
    result = inside("logs", "trained")
    assert result.returncode == 1 and "trainer.log" in result.stderr
