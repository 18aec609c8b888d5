"""Pictures of the train and runs screens in all states, at four sizes, and what must be on them."""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest
from textual.pilot import Pilot

from neumf_tui.host import HostReader, HostReading
from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.runs.table import RunTable
from neumf_tui.tui.runs.welcome import Welcome
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.chart import CurveChart
from tests.support.golden_runs import T0, make_run
from tests.support.screens import SIZES, settle, text_of

pytestmark = pytest.mark.skipif(
    version("textual") != "8.2.8", reason="the pictures are those of Textual 8.2.8"
)
READING = HostReading(
    gpu=None, gpu_note="no NVIDIA GPU here", cpu_percent=97.0, cpu_cores=2,
    trainer_memory=2**29, memory_used=2**31,
    memory_total=2**34, load=1.0, disk_free=2**36, disk_total=2**38,
)  # fmt: skip


@pytest.fixture
def held() -> Iterator[ExitStack]:
    """Locks that a test takes in a living trainer's stead."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same clock, host and terminal for every picture."""
    monkeypatch.setattr(HostReader, "read", lambda _self: READING)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "state", ["starting", "running", "paused", "crashed", "failed", "finished"]
)
def test_picture_of_a_run(
    own_home: Path, state: str, size: tuple[int, int], held: ExitStack, monkeypatch, snap_compare
) -> None:  # type: ignore[no-untyped-def]
    folder = make_run(own_home, state, with_data=True)
    if state in ("failed", "crashed"):
        (folder / "trainer.log").write_text("CUDA out of memory\n")
    if state in ("running", "paused"):
        held.enter_context(RunWriter(folder))
    monkeypatch.setattr("time.time", lambda: T0 + 5.0)

    async def look(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        app, screen = pilot.app, pilot.app.screen
        assert isinstance(app, NeumfApp) and isinstance(screen, TrainScreen)
        assert state in text_of(app, "#head") and "golden" in text_of(app, "#head")
        assert "optimistic" in text_of(app, "#notice")
        for chart in screen.query(CurveChart):
            assert (
                chart.size.height >= 3
                and chart.region.bottom <= size[1]
                and chart.region.right <= size[0]
            )
        if state != "starting":
            assert "● 0.350" in str(screen.query_one("#hit").border_subtitle)
            assert screen.race.runners[0].user == "186" and "+3 into the top 50" in text_of(
                app, "#epoch"
            )
        if state == "failed":
            assert "diverged" in text_of(app, "#progress")
        shown = {b.binding.action for b in screen.active_bindings.values() if b.enabled}
        assert ("pause" in shown) == (state in ("starting", "running")) and ("go_on" in shown) == (
            state == "paused"
        )
        assert ("resume" in shown) == (state in ("crashed", "failed"))

    assert snap_compare(NeumfApp(folder, own_home, "train"), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_run_with_validation(
    own_home: Path, size: tuple[int, int], held: ExitStack, monkeypatch, snap_compare
) -> None:  # type: ignore[no-untyped-def]
    folder = make_run(own_home, "running", with_data=True, validation=(0.28, 0.36, 0.33))
    held.enter_context(RunWriter(folder))
    monkeypatch.setattr("time.time", lambda: T0 + 5.0)

    async def look(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(pilot.app, NeumfApp) and isinstance(screen, TrainScreen)
        assert "● 0.300" in str(screen.query_one("#hit").border_subtitle), (
            "the second epoch, which validation chose"
        )

    assert snap_compare(NeumfApp(folder, own_home, "train"), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_no_runs(own_home: Path, size: tuple[int, int], snap_compare) -> None:  # type: ignore[no-untyped-def]
    async def look(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        assert isinstance(pilot.app, NeumfApp) and pilot.app.screen.query_one(Welcome).display

    assert snap_compare(NeumfApp(None, own_home, "runs"), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_two_runs_compared(
    own_home: Path, size: tuple[int, int], held: ExitStack, monkeypatch, snap_compare
) -> None:  # type: ignore[no-untyped-def]
    make_run(own_home, "finished", name="older", lift=0.05)
    held.enter_context(RunWriter(make_run(own_home, "running", name="newer", epochs=2)))
    monkeypatch.setattr("time.time", lambda: T0 + 5.0)

    async def look(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        await pilot.press("space", "down", "space")
        await settle(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, RunsScreen) and isinstance(pilot.app, NeumfApp)
        assert [series.info.name for series in screen.compared] == ["newer", "older"]
        assert [run.state for run in screen.query_one(RunTable).runs] == ["running", "finished"]
        legend = text_of(pilot.app, "#legend")
        assert (
            "newer Hit@50 0.3000, AUC 0.8500 @ 2, highest: optimistic" in legend
            and "older Hit@50 0.4000" in legend
        )

    assert snap_compare(NeumfApp(None, own_home, "runs"), terminal_size=size, run_before=look)
