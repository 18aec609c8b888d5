"""Keys of the screens against a living trainer, and what two viewers of one run see of it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from neumf_tui.explore.race import RaceReader, default_pins
from neumf_tui.runs.reader import is_locked, read_snapshot, read_status
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.config import Config
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.runs.table import RunTable
from neumf_tui.tui.train.pin_dialog import PinDialog
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.axes import Axis, x_marks
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.dialogs import AskDialog, ConfirmDialog
from neumf_tui.tui.widgets.plane import placed_labels
from neumf_tui.tui.widgets.table import Table
from tests.support.commands import Cli
from tests.support.golden_runs import make_run
from tests.support.processes import long_run
from tests.support.screens import settle, text_of, type_at_once


@pytest.fixture
def live(inside: Cli, with_demo: Path) -> Iterator[Path]:
    """Start a trainer on the demo dataset that would run for hours."""
    with long_run(inside, with_demo) as folder:
        yield folder


@asynccontextmanager
async def watching(
    folder: Path | None, home: Path, screen: str = "train", **options: object
) -> AsyncIterator["Pilot[None]"]:
    app = NeumfApp(folder, home, screen, **options)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        yield pilot


async def until(condition: Callable[[], bool], *pilots: "Pilot[None]") -> None:
    """Wait until what the screens have read shows it; they read twice a second."""
    for _ in range(600):
        if condition():
            return
        for pilot in pilots:
            await pilot.pause(0.05)
    raise AssertionError("waited in vain")


def screen_of(pilot: "Pilot[None]") -> TrainScreen:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, TrainScreen))


def works(pilot: "Pilot[None]", action: str) -> bool:
    return any(
        b.enabled and b.binding.action == action for b in pilot.app.screen.active_bindings.values()
    )


@pytest.mark.slow
async def test_two_viewers_see_the_same(live: Path, own_home: Path) -> None:
    async with watching(live, own_home) as one:
        await one.press("p")
        await until(lambda: screen_of(one).status.state == "paused", one)
    # One after the other, because two apps cannot share an event loop's context.
    async with watching(live, own_home) as two:
        assert (
            "paused" in text_of(two.app, "#head")
            and works(two, "go_on")
            and not works(two, "pause")
        )  # type: ignore[arg-type]
        await two.press("p")
        await until(lambda: screen_of(two).status.state == "running", two)
        assert works(two, "pause")


@pytest.mark.slow
async def test_save_stop_and_resume_from_the_screen(live: Path, own_home: Path) -> None:
    async with watching(live, own_home) as pilot:
        await pilot.press("p")
        await until(lambda: screen_of(pilot).status.state == "paused", pilot)
        await pilot.press("c")
        await until(lambda: any((live / "checkpoints").glob("*-*.safetensors")), pilot)
        await pilot.press("s", "y")
        await until(lambda: screen_of(pilot).status.state == "stopped", pilot)
        assert not works(pilot, "stop") and works(pilot, "resume")
        epoch = read_status(live).epoch
        await pilot.press("r")
        await until(
            lambda: screen_of(pilot).status.state == "running" and read_status(live).epoch > epoch,
            pilot,
        )


async def test_a_trainer_that_has_ended_is_no_zombie(live: Path, own_home: Path) -> None:
    """This process started the trainer, as a viewer does, and lives on."""
    pid = read_status(live).pid
    async with watching(live, own_home) as pilot:
        await pilot.press("s", "y")
        await until(lambda: screen_of(pilot).status.state == "stopped", pilot)
        await until(lambda: not Path(f"/proc/{pid}").exists(), pilot)


@pytest.mark.slow
async def test_stop_now_asks_first(live: Path, own_home: Path) -> None:
    async with watching(live, own_home) as pilot:
        await pilot.press("S")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("enter")
        await pilot.pause()
        assert is_locked(live) and not isinstance(pilot.app.screen, ConfirmDialog), (
            "the first choice is no"
        )
        await pilot.press("S", "y")
        await until(lambda: screen_of(pilot).status.state == "stopped", pilot)
        assert "without a checkpoint" in read_status(live).reason


@pytest.mark.slow
async def test_extending_from_the_screen(live: Path, own_home: Path) -> None:
    async with watching(live, own_home) as pilot:
        await pilot.press("p")
        await until(lambda: screen_of(pilot).status.state == "paused", pilot)
        end = read_status(live).epoch + 2
        await pilot.press("m")
        assert isinstance(pilot.app.screen, AskDialog)
        pilot.app.screen.query_one(Input).value = str(end)
        await pilot.press("enter")
        await until(lambda: screen_of(pilot).snapshot.planned == end, pilot)
        await pilot.press("p")
        await until(lambda: screen_of(pilot).status.state == "finished", pilot)
        await pilot.press("m")
        pilot.app.screen.query_one(Input).value = str(end + 1)
        await pilot.press("enter")
        await until(lambda: screen_of(pilot).status.epoch == end + 1, pilot)


@pytest.mark.slow
async def test_pinning_from_the_screen(live: Path, own_home: Path) -> None:
    async with watching(live, own_home) as pilot:
        screen = screen_of(pilot)
        await until(lambda: len(screen.race.runners) == 5, pilot)
        assert not screen.race.chosen
        await pilot.press("space")
        dialog = pilot.app.screen
        assert isinstance(dialog, PinDialog)
        await until(lambda: dialog.query_one(Table).row_count == 700, pilot)
        await pilot.press("slash", *"sim-04", "enter", "space", "down", "space", "enter")
        await until(lambda: screen.race.chosen and len(screen.race.runners) == 2, pilot)
        chosen = tuple(runner.user for runner in screen.race.runners)
        assert all(user.startswith("sim-04") for user in chosen)
        assert read_snapshot(live).pinned == chosen, "the trainer keeps them, for every viewer"


async def test_pins_of_a_finished_run_are_this_windows_own(trained: Path, own_home: Path) -> None:
    async with watching(trained, own_home) as pilot:
        screen = screen_of(pilot)
        screen._pin(("sim-003",))
        await settle(pilot)
        assert [runner.user for runner in screen.race.runners] == ["sim-003"]
        assert not list((trained / "requests").iterdir())


def test_the_race_is_that_of_the_tape(trained: Path, own_home: Path) -> None:
    import numpy as np

    from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks

    race = RaceReader(trained, read_info(trained), own_home).read(
        ("sim-003", "sim-010"), rank_epochs(trained)
    )
    last, before = (read_ranks(trained, epoch) for epoch in rank_epochs(trained)[:-3:-1])
    assert [(r.user, r.rank, r.before) for r in race.runners] == [
        ("sim-003", last[2], before[2]), ("sim-010", last[9], before[9]),
    ]  # fmt: skip
    evaluated = read_snapshot(trained).evaluations[-1]
    assert (race.entered, race.left) == (evaluated.entered, evaluated.left)
    gains = before / last
    assert race.risers[0].before / race.risers[0].rank == pytest.approx(np.nanmax(gains))
    assert race.fallers[0].before / race.fallers[0].rank == pytest.approx(np.nanmin(gains))
    chosen = default_pins(last)
    assert len(chosen) == 5 and sorted(last[chosen].tolist()) == last[chosen].tolist()
    assert last[chosen[0]] == np.nanmin(last) and last[chosen[-1]] == np.nanmax(last)


async def test_a_notice_when_a_watched_run_ends_not_for_one_that_had(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neumf_tui.runs.writer import RunWriter

    told: list[str] = []
    monkeypatch.setattr(
        NeumfApp, "tell", lambda _self, title, body: told.append(f"{title}: {body}")
    )
    async with watching(make_run(own_home, "finished", name="ended"), own_home) as pilot:
        assert not told and screen_of(pilot).status.state == "finished"
    folder = make_run(own_home, "running")
    with RunWriter(folder):
        async with watching(folder, own_home) as pilot:
            assert screen_of(pilot).status.state == "running"
            make_run(own_home, "finished", name="other")
            (folder / "status.json").write_bytes(
                (own_home / "runs" / "other" / "status.json").read_bytes()
            )
            screen_of(pilot).reader.now()
            await settle(pilot)
    assert told == ["golden finished: epoch 3, Hit@50 0.3500"]


@pytest.mark.slow
async def test_axes_scales_smoothing_and_reading(own_home: Path) -> None:
    async with watching(make_run(own_home, "finished", with_data=True), own_home) as pilot:
        screen, loss = screen_of(pilot), pilot.app.screen.query_one("#loss", CurveChart)
        await pilot.press("1", "right")
        assert loss.has_focus and loss.border_subtitle.startswith("epoch 3: ")  # type: ignore[union-attr]
        value = float(str(loss.border_subtitle).split()[2])
        await pilot.press("left")
        assert float(str(loss.border_subtitle).split()[2]) > value, "the loss was higher before"
        await pilot.press("escape")
        assert "x epoch" in str(loss.border_subtitle)
        await pilot.press("x")
        assert screen.axis == "step" and loss.plot.x_max == 40
        await pilot.press("x")
        assert screen.axis == "time" and loss.plot.x_text(65) == "01:05"
        await pilot.press("x", "y", "t")
        assert loss.view.log_y and not screen.smooth and "raw" in str(loss.border_subtitle)
        await pilot.press("plus", "plus")
        left, right = loss.across.low, loss.across.high
        assert right - left < 2.1
        await pilot.press("shift+right")
        assert loss.across.low > left
        await pilot.press("0")
        assert loss.across.low == 0 and loss.across.high == 4
        await pilot.press("enter")
        assert screen.maximized is loss
        await pilot.press("escape")
        assert screen.maximized is None


async def test_a_loss_that_is_not_finite_is_counted(own_home: Path) -> None:
    from neumf_tui.runs import events
    from neumf_tui.runs.writer import RunWriter
    from tests.support.golden_runs import T0

    folder = make_run(own_home, "finished")
    with RunWriter(folder) as writer:
        writer.event(events.Steps(t=T0 + 9, steps=[31, 32], losses=[None, None]))
    async with watching(folder, own_home) as pilot:
        assert "2 not finite" in str(pilot.app.screen.query_one("#loss").border_title)


@pytest.mark.slow
async def test_panes_come_and_go(own_home: Path) -> None:
    async with watching(make_run(own_home, "finished", with_data=True), own_home) as pilot:
        screen = pilot.app.screen
        for key, pane in (
            ("2", "#race"),
            ("3", "#host"),
            ("4", "#log"),
            ("right_square_bracket", "#side"),
        ):
            assert screen.query_one(pane).display
            await pilot.press(key)
            assert not screen.query_one(pane).display, pane
            await pilot.press(key)
            assert screen.query_one(pane).display
        assert not screen.query_one("#overview").display
        await pilot.press("left_square_bracket")
        assert screen.query_one("#overview").display and "learning_rate" in text_of(
            pilot.app, "#overview-text"
        )  # type: ignore[arg-type]


async def test_own_keys_replace_the_given_ones(own_home: Path) -> None:
    config = Config(keys={"charts.axis": "f6", "train.leave": "Q,f10"})
    async with watching(make_run(own_home, "finished"), own_home, config=config) as pilot:
        await pilot.press("x")
        assert screen_of(pilot).axis == "epoch"
        await pilot.press("f6")
        assert screen_of(pilot).axis == "step"
        await pilot.press("q")
        assert pilot.app.is_running and pilot.app.return_value is None
        await pilot.press("f10")
        await pilot.pause()
        assert not pilot.app.is_running


async def test_the_palette_has_every_key_of_the_screen(own_home: Path) -> None:
    async with watching(make_run(own_home, "finished"), own_home) as pilot:
        screen = pilot.app.screen
        titles = [command.title for command in pilot.app.get_system_commands(screen)]
        for wanted in (
            "train: X axis",
            "train: Pin",
            "train: Explore",
            "train: More epochs",
            "train: Suspend",
        ):
            assert wanted in titles
        assert "train: Pause" not in titles, "only what works now"
        command = next(
            c for c in pilot.app.get_system_commands(screen) if c.title == "train: X axis"
        )
        command.callback()
        await pilot.pause()
        assert screen_of(pilot).axis == "step"


@pytest.mark.parametrize("keys", [["d", "s"], ["d", "space"], ["q", "l", "c", "p"], ["d", "e"]])
async def test_what_is_typed_after_leaving_is_the_shells(own_home: Path, keys: list[str]) -> None:
    from neumf_tui.runs.writer import RunWriter

    folder = make_run(own_home, "running")
    with RunWriter(folder):
        async with watching(folder, own_home) as pilot:
            if keys[0] == "q":
                await pilot.press(keys.pop(0))
            await type_at_once(pilot, *keys)
            assert not pilot.app.is_running
    assert not list((folder / "requests").iterdir())


async def test_a_run_that_cannot_be_read_for_a_moment_has_not_ended(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(NeumfApp, "tell", lambda _self, title, _body: told.append(title))
    folder = make_run(own_home, "finished")
    async with watching(folder, own_home) as pilot:
        away = folder.rename(own_home / "away")
        screen_of(pilot).reader.now()
        await settle(pilot)
        assert screen_of(pilot).status.state == "damaged"
        assert "not there any" in text_of(pilot.app, "#notice")  # type: ignore[arg-type]
        away.rename(folder)
        screen_of(pilot).reader.now()
        await settle(pilot)
        assert screen_of(pilot).status.state == "finished" and "optimistic" in text_of(
            pilot.app, "#notice"
        )  # type: ignore[arg-type]
    assert told == []


async def test_a_run_that_is_gone_is_damaged_and_can_be_left(own_home: Path) -> None:
    import shutil

    folder = make_run(own_home, "running")
    async with watching(folder, own_home) as pilot:
        shutil.rmtree(folder)
        screen_of(pilot).reader.now()
        await settle(pilot)
        assert "damaged" in text_of(pilot.app, "#head") and "cannot be read" in text_of(
            pilot.app, "#progress"
        )  # type: ignore[arg-type]
        assert not works(pilot, "stop") and not works(pilot, "resume")
        await pilot.press("q")
        await pilot.pause()
        assert not pilot.app.is_running


@pytest.mark.parametrize("width", [50, 80, 120])
def test_no_label_of_the_x_axis_is_cut(width: int) -> None:
    for end in (10, 99, 1000, 2060, 30_000):
        axis = Axis(0, end)
        marks, _ = x_marks(axis, "step", width)
        placed = placed_labels(marks, axis, width)
        ends = [column + len(label) for column, label in placed]
        starts = [column for column, _ in placed]
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
        assert starts[0] >= 0 and ends[-1] <= width and len(placed) >= 2


async def test_copying_writes_a_file(own_home: Path) -> None:
    async with watching(make_run(own_home, "finished"), own_home) as pilot:
        await pilot.press("Y")
        await pilot.pause()
    copied = (own_home / "clipboard.txt").read_text()
    assert (
        "golden" in copied
        and "highest 0.3500 at epoch 3, chosen on the held-out items, so it is optimistic" in copied
    )


@pytest.mark.slow
async def test_runs_are_filtered_opened_renamed_and_deleted(own_home: Path) -> None:
    for name, state in (("alpha", "finished"), ("beta", "failed"), ("gamma", "crashed")):
        make_run(own_home, state, name=name, lift=0.1 * (name == "beta"))
    (own_home / "runs" / "broken").mkdir()
    (own_home / "runs" / "broken" / "run.json").write_text("{")
    async with watching(None, own_home, "runs") as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen)
        assert {row.folder.name for row in screen.query_one(RunTable).runs} == {
            "alpha",
            "beta",
            "gamma",
            "broken",
        }
        await pilot.press("slash", *"best>0.4")
        assert [row.folder.name for row in screen.query_one(RunTable).runs] == ["beta"]
        await pilot.press("enter")
        assert works(pilot, "resume") and not works(pilot, "stop")
        await pilot.press("escape", "slash", *"-state=failed al", "enter")
        assert [row.folder.name for row in screen.query_one(RunTable).runs] == ["alpha"]
        await pilot.press("n")
        pilot.app.screen.query_one(Input).value = "omega"
        await pilot.press("enter")
        await until(lambda: (own_home / "runs" / "omega").exists(), pilot)
        await pilot.press("escape")
        await until(
            lambda: "omega" in {row.folder.name for row in screen.query_one(RunTable).runs}, pilot
        )
        await pilot.press("slash", *"omega", "enter", "X")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        await pilot.press("escape")
        assert (own_home / "runs" / "omega").exists()
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, TrainScreen)
        await pilot.press("q")
        await pilot.press("X", "y")
        await until(lambda: not (own_home / "runs" / "omega").exists(), pilot)


async def test_the_list_of_runs_is_reached_from_a_run_and_back(own_home: Path) -> None:
    async with watching(make_run(own_home, "finished"), own_home) as pilot:
        await pilot.press("u")
        await settle(pilot)
        assert isinstance(pilot.app.screen, RunsScreen)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, TrainScreen)
        await pilot.press("u")
        assert isinstance(pilot.app.screen, RunsScreen), "not a second one"
