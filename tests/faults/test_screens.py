"""A screen that ends by a fault of the program: exit code 1, a whole terminal, and the details."""

import re
import stat
import sys
import termios
from pathlib import Path

import pytest

from benchmarks.pseudo_terminal import Terminal
from tests.support.golden_runs import make_run

LEFT = {7, 25}
"""Private modes of a terminal that was left in good order: line wrap and the cursor."""
FAULTS = {
    "a key's action": "RunsScreen.action_axis = fail",
    "an answer of a thread": "RunsScreen.show_runs = fail",
    "the thread that reads keys": "keyboard.Keyboard._keys = fail",
    "the thread that writes": "driver.encode = lambda text, _: fail() if 'neumf' in text else b''",
    "the start of the driver": "driver.MeteredDriver.start_application_mode = fail",
    "the end of the driver": "driver.MeteredDriver.disable_input = fail",
    "drawing": "RunTable.render_line = fail",
    "a timer": "TerminalApp._meter = fail",
}
SCRIPT = """
import sys
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.runs.table import RunTable
from neumf_tui.tui.terminal import driver, keyboard
from neumf_tui.tui.terminal.app import TerminalApp

def fail(*_):
    raise RuntimeError("[red]staged\\x1b]0;title\\x07")

{fault}
sys.argv = ["neumf-tui", "runs"]
from neumf_tui.cli.main import main
main()
"""


OFTEN = {"a key's action", "the thread that writes"}
"""Those of the fast suite."""
EACH = [
    where if where in OFTEN else pytest.param(where, marks=pytest.mark.slow) for where in FAULTS
]


@pytest.mark.parametrize("where", EACH)
def test_a_fault_ends_a_screen_in_good_order(own_home: Path, where: str) -> None:
    make_run(own_home, "finished")
    command = [sys.executable, "-c", SCRIPT.format(fault=FAULTS[where])]
    with Terminal(command, size=(100, 30)) as terminal:
        if "key" in where or "end" in where:
            terminal.wait_text("golden", "q Quit")
            terminal.send("q" if "end" in where else "x")
        assert terminal.wait_exit() == 1
        terminal.caught_up()
        assert terminal.modes == LEFT and not terminal.alternate
        assert termios.tcgetattr(terminal.master) == terminal.modes_before
        said = terminal.main_text.replace("\n", "")
        assert "RuntimeError: [red]staged·]0;title·" in said and "Traceback" not in said
        path = Path(re.search(r"(/\S*?\.txt) ?has the details", said)[1])  # type: ignore[index]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "RuntimeError: [red]staged" in path.read_text() and "in fail" in path.read_text()
        assert [other.name for other in path.parent.iterdir()] == [path.name]
