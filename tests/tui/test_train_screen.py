"""The train screen on golden run directories and on a trained run."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from neumf_tui.runs.events import Status
from neumf_tui.runs.reader import read_status
from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.explore.screen import ExploreScreen
from neumf_tui.tui.train import follow
from neumf_tui.tui.train.leave_dialog import LeaveDialog
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.chart import kept_points
from neumf_tui.tui.widgets.curves import Smoother
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.ruler import place, ruler, sparkline
from tests.support.golden_runs import make_run
from tests.support.screens import settle, text_of


async def test_the_screen_follows_what_is_written(own_home: Path) -> None:
    folder = make_run(own_home, "running", epochs=1)
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "events.jsonl").write_bytes(b"".join(lines[:2]) + lines[2][:20])
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test() as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TrainScreen)
        assert app.screen.snapshot.epochs == ()
        (folder / "events.jsonl").write_bytes(b"".join(lines))
        app.screen.reader.now()
        await settle(pilot)
        assert len(app.screen.snapshot.epochs) == 1 and len(app.screen.snapshot.points) == 10


async def test_a_reader_that_fails_says_so(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test() as pilot:
        await settle(pilot)
        shutil.rmtree(folder)
        assert isinstance(app.screen, TrainScreen)
        app.screen.reader.now()
        await settle(pilot)
        assert "this run is not there any more" in " ".join(text_of(app, "#notice").split())


async def test_a_fault_nobody_foresaw_is_said_too(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "train")
    async with app.run_test() as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TrainScreen)

        def broken(_folder: Path) -> None:
            raise KeyError("surprise")

        with monkeypatch.context() as patch:
            patch.setattr(follow, "read_status", broken)
            app.screen.reader.now()
            await settle(pilot)
        assert "KeyError: 'surprise'" in text_of(app, "#notice")
        app.screen.reader.now()
        await settle(pilot)
        assert app.screen.status.state == "finished", "it goes on reading"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of all runs that train screens have read, in order."""
    read: list[Path] = []

    def count(folder: Path) -> Status:
        read.append(folder)
        return read_status(folder)

    monkeypatch.setattr(follow, "read_status", count)
    return read


async def test_nothing_polls_for_a_screen_that_is_covered(
    trained: Path, own_home: Path, reads: list[Path]
) -> None:
    """The trainer is alive, so the train screen reads the run twice a second while it is seen."""
    app = NeumfApp(trained, own_home, "train")
    (trained / "status.json").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(read_status(trained), state="running"))
    )
    with RunWriter(trained):
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            await pilot.press("e")
            await settle(pilot)
            assert isinstance(app.screen, ExploreScreen)
            reads.clear()
            await pilot.pause(1.2)
            assert not reads
            await pilot.press("q")
            await pilot.pause(1.2)
            assert len(reads) >= 2, "it reads at once, and goes on"
            await pilot.press("ctrl+p")
            reads.clear()
            await pilot.pause(0.8)
            assert reads, "a dialog leaves the screen visible"


async def test_a_run_that_has_ended_is_looked_at_every_few_seconds(
    own_home: Path, reads: list[Path]
) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "train")
    async with app.run_test() as pilot:
        await settle(pilot)
        reads.clear()
        await pilot.pause(1.5)
        assert len(reads) <= 1


@pytest.mark.parametrize(
    ("key", "left", "asked"), [("enter", True, False), ("escape", False, False), ("s", False, True)]
)
async def test_leaving_a_training_run_asks(
    own_home: Path, key: str, left: bool, asked: bool
) -> None:
    folder = make_run(own_home, "running")
    app = NeumfApp(folder, own_home, "train")
    with RunWriter(folder):
        async with app.run_test() as pilot:
            await settle(pilot)
            await pilot.press("q")
            assert isinstance(app.screen, LeaveDialog)
            await pilot.press(key)
            await pilot.pause()
            assert app.is_running != left
            assert (folder / "requests" / "stop").exists() == asked
    assert read_status(folder).state == "crashed"


async def test_simulated_data_is_named_on_both_screens(trained: Path, own_home: Path) -> None:
    app = NeumfApp(trained, own_home, "train")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "simulated" in text_of(app, "#head") and "simulated" in text_of(app, "#notice")
        await pilot.press("e")
        await settle(pilot)
        assert isinstance(app.screen, ExploreScreen)
        assert "simulated" in text_of(app, "#run-head") and "simulated" in text_of(app, "#protocol")
        await pilot.press("q")
        assert isinstance(app.screen, TrainScreen)


async def test_hostile_cells_stay_in_their_line() -> None:
    from rich.cells import cell_len
    from textual.app import App, ComposeResult

    from neumf_tui.tui.widgets.table import Column
    from tests.support.rating_files import HOSTILE

    class One(App[None]):
        def compose(self) -> ComposeResult:
            yield Table((Column("title", 9, flex=True), Column("n", 3, right=True)))

    app = One()
    async with app.run_test(size=(24, 10)) as pilot:
        table = app.query_one(Table)
        table.show_rows(len(HOSTILE), lambda row: [HOSTILE[row], str(row)])
        await pilot.pause()
        for row in range(len(HOSTILE)):
            text = table.render_line(row + 1).text
            assert cell_len(text) == table.scrollable_content_region.width
            assert text.rstrip().endswith(str(row)) and text.isprintable()
        assert "[bold]Bold[/]" in table.render_line(1).text


def test_the_ruler_is_logarithmic_and_as_wide_as_told() -> None:
    assert [place(r, 1000, 31) for r in (1, 10, 100, 1000)] == [0, 10, 20, 30]
    line = ruler(12, 1644, 60)
    assert len(line) == 60 and line.startswith("1 ") and line.endswith(" 1,644")
    assert line.index("●") < line.index("┊50")
    assert len(ruler(None, 30, 40)) == 40 and "●" not in ruler(None, 30, 40)
    for last in (51, 55, 60, 400, 1644, 60_000, 10**9):
        for width in (14, 29, 60, 150):
            for rank in (1, 49, 50, 50.5, 51, 52, 54, last):
                line = ruler(min(rank, last), last, width)
                assert (line.index("●") < line.index("┊")) == (rank <= 50), (line, rank)
                assert len(line) == len(ruler(None, last, width))
    assert sparkline([1000, 31, 1], 1000, 8) == "▁▅█"


def test_smoothing_starts_at_the_first_value_and_keeps_a_constant() -> None:
    assert Smoother().smooth(np.array([5.0]))[0] == pytest.approx(5.0)
    assert Smoother().smooth(np.full(30, 2.0)) == pytest.approx(np.full(30, 2.0))
    assert len(Smoother().smooth(np.empty(0))) == 0


def test_smoothing_in_pieces_is_smoothing_at_once_and_passes_over_nan() -> None:
    values = np.array([1.0, 4.0, np.nan, 2.0, 8.0, 5.0])
    whole, pieces = Smoother().smooth(values), Smoother()
    for end in (1, 3, 6):
        last = pieces.smooth(values[:end])
    np.testing.assert_array_equal(last, whole)
    assert np.isfinite(whole).all() and whole[2] == whole[1]
    np.testing.assert_array_equal(
        pieces.smooth(values[:2] * 3, restarted=True), Smoother().smooth(values[:2] * 3)
    )


def test_thinning_keeps_extremes_and_the_past() -> None:
    x = np.arange(10_000.0)
    y = np.sin(x / 50)
    y[4_321] = 9.0
    few = kept_points(x, y, 200)
    few_x, few_y = x[few], y[few]
    assert len(few_x) < 600 and few_y.max() == 9.0 and (np.diff(few_x) > 0).all()
    longer = kept_points(np.arange(10_100.0), np.append(y, np.zeros(100)), 200)
    assert set(few_x[:-4]) <= set(longer), "new points at the end leave the others alone"


def test_points_at_one_time_are_thinned_too() -> None:
    """A clock that was set back gives a run of an older version many points at one time."""
    assert kept_points(np.zeros(1_000), np.arange(1_000.0), 200).tolist() == [0, 999]
