"""Keys that come faster than screens change: none of them reaches a screen it was not meant for."""

from pathlib import Path

import pytest
from textual.widgets import Input

from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.widgets.dialogs import AskDialog, ChoiceDialog, ConfirmDialog
from tests.support.golden_runs import make_run
from tests.support.screens import settle, type_at_once

WORD = "steady"
"""Its letters stop a training, open the explorer, swap models and sort users."""


def requests(folder: Path) -> list[Path]:
    return list((folder / "requests").iterdir())


@pytest.mark.parametrize("early", [False, True])
async def test_what_follows_the_slash_is_the_filter(own_home: Path, early: bool) -> None:
    folder = make_run(own_home, "running", name=WORD)
    app = NeumfApp(None, own_home, "runs")
    with RunWriter(folder):
        async with app.run_test(size=(80, 24)) as pilot:
            if not early:
                await settle(pilot)
            await type_at_once(pilot, "slash", *WORD, "enter")
            screen = app.screen
            assert isinstance(screen, RunsScreen) and screen.filter_line.value == WORD
            assert screen.focused is screen.table
    assert not requests(folder)


LINES = {
    "explorer's search": ["slash"],
    "find a film": ["t"],
    "new user": ["f"],
    "film search on the film's screen": ["enter", "slash"],
    "failures' search": ["F", "slash"],
    "model to compare with": ["x", "slash"],
    "file name": ["w"],
}
"""Lines of screens that the explorer leads to, and the keys that lead there."""


OFTEN = [("explorer's search", True), ("new user", True), ("file name", False)]
"""Those of the fast suite."""
EACH = [
    pytest.param(line, early, marks=[] if (line, early) in OFTEN else pytest.mark.slow)
    for line in LINES
    for early in (False, True)
]


@pytest.mark.parametrize(("line", "early"), EACH)
async def test_what_follows_the_key_of_a_line_is_typed_in_it(
    trained_home: Path, line: str, early: bool
) -> None:
    keys = LINES[line]
    app = NeumfApp(trained_home / "runs" / "trained", trained_home, "explore")
    async with app.run_test(size=(80, 24)) as pilot:
        if not early:
            await settle(pilot)
        elif keys[0] not in "tfxw":  # the others wait for the model
            await pilot.pause()
        await type_at_once(pilot, *keys, *WORD)
        focused = app.focused
        assert isinstance(focused, Input), (app.screen, focused)
        assert focused.value.endswith(WORD), focused.value


async def test_a_question_is_not_answered_by_keys_typed_before_it(own_home: Path) -> None:
    folder = make_run(own_home, "running", name=WORD)
    for first, keys in (("runs", "sy"), ("runs", "Xy"), ("train", "sy"), ("train", "qsy")):
        app = NeumfApp(folder, own_home, first)
        with RunWriter(folder):
            async with app.run_test(size=(80, 24)) as pilot:
                await settle(pilot)
                await type_at_once(pilot, *keys)
                assert isinstance(app.screen, ChoiceDialog), (first, keys)
                await pilot.press("escape")
                assert not isinstance(app.screen, ChoiceDialog)
        assert not requests(folder) and folder.exists()


async def test_stopping_asks_first(own_home: Path) -> None:
    folder = make_run(own_home, "running", name=WORD)
    for first in ("runs", "train"):
        app = NeumfApp(folder, own_home, first)
        with RunWriter(folder):
            async with app.run_test(size=(80, 24)) as pilot:
                await settle(pilot)
                await pilot.press("s")
                assert isinstance(app.screen, ConfirmDialog) and not requests(folder)
                await pilot.press("enter")
                assert not isinstance(app.screen, ConfirmDialog) and not requests(folder)
                await pilot.press("s")
                await pilot.press("y")
                await settle(pilot)
                assert [path.name for path in requests(folder)] != []
        for path in requests(folder):
            path.unlink()


async def test_a_line_is_not_entered_by_keys_typed_before_it(own_home: Path) -> None:
    folder = make_run(own_home, "finished", name=WORD)
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await type_at_once(pilot, "n", *"er", "enter")
        assert isinstance(app.screen, AskDialog) and folder.exists()
        assert app.screen.query_one(Input).value == "er"
        await pilot.press("enter")
        await settle(pilot)
        assert folder.with_name("er").exists()
