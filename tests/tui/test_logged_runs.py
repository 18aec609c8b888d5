"""Runs that somebody's own loop writes, on the train screen and on the list of runs."""

from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from neumf_tui.runs.curve import Points
from neumf_tui.runs.events import Scalars
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.runs.requests import take_requests
from neumf_tui.runs.writer import RunWriter
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.runs.screen import RunsScreen
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.axes import value_labels
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.chart_pane import ROW_HEIGHT
from neumf_tui.tui.widgets.curves import RunSeries, loss_plot, metric_plot
from tests.support.commands import Cli
from tests.support.golden_runs import make_run
from tests.support.logged_runs import make_logged
from tests.support.screens import settle, text_of

HOSTILE = "[bold]x[/] \x1b[31m\x1b]0;y\x07"


def titles(app: NeumfApp) -> list[str]:
    """Return the titles of the charts that are seen."""
    charts = app.screen.query(CurveChart)
    return [str(chart.border_title) for chart in charts if chart.display]


async def turn(pilot: Pilot[object]) -> None:
    await pilot.press("g")
    await settle(pilot)


@pytest.mark.parametrize(("size", "pages"), [((80, 24), 5), ((120, 40), 3)])
async def test_every_name_has_a_chart_on_some_page(
    own_home: Path, size: tuple[int, int], pages: int
) -> None:
    names = [f"name {n}" for n in range(8)] + [HOSTILE]
    app = NeumfApp(make_logged(own_home, scalars=names), own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        found: list[str] = []
        for page in range(1, pages + 1):
            shown = titles(app)
            assert f"{page}/{pages} (g)" in shown[0]
            found += shown
            charts = [chart for chart in app.screen.query(CurveChart) if chart.display]
            least = 5 if size[0] < 100 else ROW_HEIGHT
            assert min(chart.size.height for chart in charts) >= least - 2, "none is squeezed"
            await turn(pilot)
        assert "loss 0.3333" in found[0] and "Hit@50" in found[1] and "AUC" in found[2]
        assert sum("name " in title for title in found) == 8 and len(found) == 15
        assert r"\[bold]x\[/]" in found[-4] or "[bold]x[/]" in found[-4]
        assert "\x1b" not in "".join(found)
        assert f"1/{pages} (g)" in titles(app)[0], "after the last page comes the first"


async def test_a_run_of_our_trainer_has_pages_too(own_home: Path) -> None:
    folder = make_run(own_home, "finished")
    with RunWriter(folder) as writer:
        writer.event(Scalars(curves={f"name {n}": ([1], [1.0]) for n in range(9)}))
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert len(titles(app)) == 3 and "1/5 (g)" in titles(app)[0]


async def test_few_charts_are_on_one_page_and_other_metrics_on_the_next(own_home: Path) -> None:
    app = NeumfApp(make_logged(own_home, scalars=["lr"]), own_home, "train")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert len(titles(app)) == 4 and "1/2 (g)" in titles(app)[0]


async def test_without_a_loss_there_is_no_empty_chart(own_home: Path) -> None:
    folder = make_logged(own_home, loss=False, popularity=False)
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert len(titles(app)) == 2 and "loss" not in "".join(titles(app))
        await pilot.press("x", "left_square_bracket")
        await settle(pilot)
        text = text_of(app, "#overview-text")
        assert "[bold]SGD[/]" in text and "some" in text and "popular" not in text.split("data")[0]


async def test_a_loop_is_asked_and_not_resumed(own_home: Path) -> None:
    folder = make_logged(own_home, state="running")
    app = NeumfApp(folder, own_home, "train")
    with RunWriter(folder):
        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            assert "epoch 3  step 30" in text_of(app, "#progress")
            assert "own loop" in text_of(app, "#head") and "logged" in text_of(app, "#head")
            keys = ("checkpoint", "resume", "more", "extend")
            assert [key for key in keys if app.screen.check_action(key, ())] == []
            await pilot.press("p")
            await settle(pilot)
            assert [request.what for request in take_requests(folder)[0]] == ["pause"]
            await pilot.press("s")
            await settle(pilot)
            assert "Ask the loop to stop?" in text_of(app, "Static")
            await pilot.press("y")
            await settle(pilot)
            assert [request.what for request in take_requests(folder)[0]] == ["stop"]
    async with NeumfApp(folder, own_home, "train").run_test() as pilot:
        await settle(pilot)
        assert isinstance(pilot.app.screen, TrainScreen)
        assert pilot.app.screen.status.state == "crashed"
        assert pilot.app.screen.check_action("resume", ()) is False


async def test_the_list_of_runs_shows_all_kinds(own_home: Path) -> None:
    make_logged(own_home, scalars=["lr"])
    make_run(own_home, "finished")
    make_logged(own_home, name="bare", epochs=0, popularity=False, state="stopped")
    app = NeumfApp(None, own_home, "runs")
    async with app.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        cells = {row.folder.name: screen.table._texts(n) for n, row in enumerate(screen.rows)}
        assert cells["logged"][4:6] == ["logged", "3"] and cells["golden"][4:6] == ["d2l", "3/4"]
        for _ in range(3):
            await pilot.press("space", "down")
        await settle(pilot)
        assert len(screen.compared) == 3


def test_commands_know_runs_of_others(own_home: Path, inside: Cli) -> None:
    make_logged(own_home, planned=20, scalars=["lr"])
    card = inside("status", "logged").stdout
    assert "logged  own loop" in card and "epoch 3 of 20" in card and "explore logged" in card
    assert "3/20" in inside("runs", "--plain").stdout
    for command in (["resume", "logged"], ["extend", "30", "logged"]):
        refused = inside(*command)
        assert refused.returncode == 4 and "no training to go on with" in refused.stderr
    stopped = inside("stop", "logged")
    assert stopped.returncode == 4 and "does not run any more" in stopped.stderr
    assert "Hit@50 0.3500" in inside("logs", "logged").stdout


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0, 1e-5, ["0", "2e-6", "4e-6", "6e-6", "8e-6", "10e-6"]),
        (-1e-2, 1e-2, ["-.010", "-.005", ".000", ".005", ".010"]),
        (0, 5e6, ["0", "1e6", "2e6", "3e6", "4e6", "5e6"]),
    ],
)
def test_labels_of_small_and_large_values_fit(low: float, high: float, labels: list[str]) -> None:
    ticks = np.linspace(low, high, len(labels)).tolist()
    assert value_labels(ticks, ticks[1] - ticks[0]) == labels


def series_of(folder: Path) -> RunSeries:
    series = RunSeries(read_info(folder))
    series.update(read_snapshot(folder))
    return series


def test_places_on_the_axes_where_epochs_are_not_counted_in_steps(own_home: Path) -> None:
    series = series_of(make_logged(own_home))
    np.testing.assert_allclose(series.x_of_points("epoch")[[0, 9, 29]], [0.1, 1, 3])
    assert series.x_of_evaluations("step").tolist() == [10, 20, 30]
    assert series.x_max("step") == 32 and series.x_max("epoch") == 3
    beyond = Points().appended([35], np.zeros(1), [1.0])
    assert series.x_of_points("epoch", beyond).tolist() == [3.5]


def test_an_axis_that_nobody_knows_is_replaced(own_home: Path) -> None:
    never = series_of(make_logged(own_home, epochs=0))
    assert metric_plot([never], "step", "hit@50").x_kind == "epoch"
    silent = series_of(make_logged(own_home, name="silent", loss=False, planned=9))
    assert metric_plot([silent], "step", "hit@50").x_kind == "epoch"
    assert silent.x_of_evaluations("step").tolist() == [1, 2, 3] and silent.x_max("epoch") == 9
    lone = series_of(make_logged(own_home, name="lone"))
    assert loss_plot([lone], "epoch", True).x_kind == "epoch"
