"""Terminals that are not what their variables say."""

import signal
import sys
from pathlib import Path

import pytest

from benchmarks.pseudo_terminal import Terminal, viewer
from benchmarks.waiting import wait_for
from tests.support.golden_runs import make_run


def widest(terminal: Terminal) -> int:
    return max(map(len, terminal.text.splitlines()))


def test_the_size_is_the_terminals_own_and_follows_its_changes(own_home: Path) -> None:
    make_run(own_home, "finished")
    env = {"COLUMNS": "200", "LINES": "60"}
    with (
        viewer("runs", size=(80, 24), env=env) as terminal,
        viewer("--help", size=(80, 24), env=env) as text,
    ):
        terminal.wait_text("golden", "q Quit")
        assert widest(terminal) == 80 and "q Quit" in terminal.text.splitlines()[-1]
        terminal.resize(100, 30)
        wait_for(lambda: widest(terminal) == 100 and "q Quit" in terminal.text.splitlines()[-1])
        assert len(terminal.text.splitlines()) == 30
        assert text.wait_exit() == 0
        text.caught_up()
        first = text.stream.splitlines()
        assert max(map(len, first)) <= 80


@pytest.mark.parametrize("encoding", ["iso-8859-1", pytest.param("ascii", marks=pytest.mark.slow)])
def test_a_terminal_of_another_encoding_gets_its_own_characters(
    trained: Path, encoding: str
) -> None:
    env = {"PYTHONIOENCODING": encoding, "COLORTERM": "truecolor"}
    with Terminal([sys.executable, "-m", "neumf_tui", "explore"], size=(80, 24), env=env) as screen:
        screen.wait_text("held", "+-")
        screen.send("\xe9q" if encoding == "ascii" else "q")
        assert screen.wait_exit() == 0
        screen.caught_up()
        assert screen.received.decode(encoding) and "\\u" not in screen.stream


def test_a_viewer_goes_on_after_sigstop(own_home: Path) -> None:
    make_run(own_home, "finished")
    with viewer("runs", size=(80, 24), own_session=True) as terminal:
        terminal.wait_text("golden", "q Quit")
        terminal.kill(signal.SIGSTOP)
        terminal.kill(signal.SIGCONT)
        wait_for(lambda: terminal.stream.count("\x1b[?1049h") >= 3, "the screen again")
        terminal.wait_text("golden", "q Quit")
        terminal.send("/gold")
        terminal.wait_text("gold ")
        terminal.send("\x1b\x1b")
        terminal.settle(0.5)
        terminal.send("q")
        assert terminal.wait_exit() == 0
