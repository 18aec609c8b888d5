"""Ctrl-C and Ctrl-Q: what is asked before the program is left, from every screen and dialog."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from textual.widgets import Input

from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.train.leave_dialog import LeaveDialog
from neumf_tui.tui.train.pin_dialog import PinDialog
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.dialogs import AskDialog
from tests.support.golden_runs import make_run
from tests.support.screens import press_all, settle


class Stays(NeumfApp):
    """An app that counts when it would be left, and stays."""

    left = 0

    def exit(self, *_: object, **__: object) -> None:  # type: ignore[override]
        self.left += 1


@pytest.fixture
def live(own_home: Path) -> Iterator[Path]:
    """Return a run whose trainer lives, as its lock says."""
    with ExitStack() as stack:
        folder = make_run(own_home, "running", with_data=True)
        stack.enter_context(RunWriter(folder))
        yield folder


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_a_live_run_is_never_left_unasked(live: Path, own_home: Path, key: str) -> None:
    """The same question as q asks: on its screen, over a dialog of it, over another screen."""
    app = Stays(live, own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for before, covered in ([], TrainScreen), (["space"], PinDialog), (["m"], AskDialog):
            await press_all(pilot, *before, key)
            assert isinstance(app.screen, LeaveDialog), covered
            await press_all(pilot, key)
            assert isinstance(app.screen, LeaveDialog) and not app.left, "asked once"
            await press_all(pilot, "escape")
            assert isinstance(app.screen, covered) and not app.left
            if covered is AskDialog:
                assert app.screen.query_one(Input).value == "8", "what was typed stays"
            if before:
                await press_all(pilot, "escape")
        await press_all(pilot, key, "l")
        assert app.left == 1
