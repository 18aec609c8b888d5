"""The welcome of the runs screen: each way to a first run does its thing."""

from pathlib import Path

import pytest
from textual.widgets import Footer, Input, Static
from textual.widgets._footer import FooterKey

from neumf_tui.runs.events import Finished
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.help.screen import keys_of
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.runs.welcome import Welcome, path_problem
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.dialogs import AskDialog
from tests.support.golden_runs import make_run
from tests.support.screens import press_all, settle, text_of


async def test_each_way_to_a_first_run(
    with_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr("neumf_tui.runs.launch.launch_trainer", lambda run, _: started.append(run))
    app = NeumfApp(None, with_demo, "runs")
    async with app.run_test(size=(60, 20)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, RunsScreen) and screen.query_one(Welcome).display
        await press_all(pilot, "4")
        assert "neumf-tui adopt FILE" in text_of(app, "#welcome-says")
        await press_all(pilot, "up", "enter")
        dialog = app.screen
        assert isinstance(dialog, AskDialog)
        (tmp_path / "ratings.csv").write_text("a,b\n1,2\n")
        for typed, says in (
            (f"{tmp_path}/rating.csv", "did you mean 'ratings.csv'?"),
            (f"{tmp_path}/nowhere/x", "there is no such folder"),
            (f"{tmp_path}/ratings.csv", ""),
        ):
            dialog.query_one(Input).value = typed
            await press_all(pilot, "enter")
            if says:
                assert says in text_of(app, "#problem")
        await settle(pilot)
        dialog = app.screen  # again, with what is wrong in the file
        assert isinstance(dialog, AskDialog) and dialog.query_one(Input).value.endswith(".csv")
        assert "--data-dir" in str(dialog.query_one("#problem", Static).render())
        await press_all(pilot, "escape", "1")
        await settle(pilot)
        assert isinstance(app.screen, TrainScreen) and app.new_runs == set(started)
        (folder,) = started
        assert read_info(folder).dataset.name == "demo" and read_info(folder).preset == "tuned"
        with RunWriter(folder) as writer:  # its trainer refuses
            writer.event(Finished(state="failed", reason="no device"))
            (folder / "status.json").write_text(
                '{"state": "failed", "pid": 1, "reason": "no device", "exit_code": 2}'
            )
        await press_all(pilot, "escape")
        await settle(pilot)
        assert app.screen is screen and not folder.exists()
        assert any("no device" in str(notice.message) for notice in app._notifications)


def footer(app: NeumfApp) -> dict[str, str]:
    """Return what the footer of the screen or dialog in front calls its keys."""
    keys = app.screen.query_one(Footer).query(FooterKey)
    return {key.key_display: key.description for key in keys}


async def test_a_new_run_beside_others_and_what_footers_say(own_home: Path) -> None:
    make_run(own_home, "finished", with_data=True)
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = app.screen
        keys = footer(app)
        assert {"space": "Mark", "c": "Compare", "N": "New", "q": "Quit"}.items() <= keys.items()
        assert "New run" not in keys_of(screen, {})
        await press_all(pilot, "N")
        welcome, asks = screen.query_one(Welcome), "#welcome-asks"
        assert welcome.display and text_of(app, asks).startswith("A new run. ")
        here = keys_of(screen, {})
        assert len(here["New run"]) == 4 and "Lists" not in here
        assert [key for key, _ in here["This screen"]] == ["Esc", "q"]
        await press_all(pilot, "4")
        assert "neumf-tui adopt FILE" in text_of(app, "#welcome-says")
        await press_all(pilot, "escape")
        assert not welcome.display and screen.query_one("#runs-pane").display
        for key, typed in (("n", "Rename"), ("X", "Choose")):
            await press_all(pilot, key)
            await settle(pilot)
            keys = footer(app)
            assert keys["⏎"] == typed and "q" not in keys and "?" not in keys
            await press_all(pilot, "escape")
        await press_all(pilot, "enter")
        await settle(pilot)
        assert isinstance(app.screen, TrainScreen) and footer(app)["q"] == "Back"


def test_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    assert path_problem("") and not path_problem(str(tmp_path))
