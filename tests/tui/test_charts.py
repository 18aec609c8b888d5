"""Charts: round numbers on their axes, limits, pages, and how a person changes what is seen."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from textual.pilot import Pilot

from neumf_tui.explore.race import DEFAULT_PINS
from neumf_tui.host import HostReader, HostReading
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.axes import (
    Axis,
    Kind,
    fitting_limits,
    read_limits,
    x_marks,
    y_marks,
)
from neumf_tui.tui.widgets.chart import Curve, CurveChart, Line, Plot, View
from neumf_tui.tui.widgets.chart_pane import Grid, grid_for, paged
from neumf_tui.tui.widgets.curves import AUC, HIT, LOSS, ChartKey, RunSeries, chart_keys, plot_of
from neumf_tui.tui.widgets.dialogs import AskDialog
from neumf_tui.tui.widgets.plane import placed_labels
from tests.support.golden_runs import make_run
from tests.support.logged_runs import make_logged
from tests.support.screens import screen_lines, settle, text_of

# Axes.


@pytest.mark.parametrize(
    ("kind", "end", "width", "labels", "unit"),
    [
        ("epoch", 1, 60, "0 1", "epoch"),
        ("epoch", 4, 60, "0 1 2 3 4", "epoch"),
        ("epoch", 20, 34, "0 5 10 15 20", "epoch"),
        ("epoch", 0.5, 60, "0.0 0.1 0.2 0.3 0.4 0.5", "epoch"),
        ("step", 3, 60, "0 1 2 3", "step"),
        ("step", 2060, 60, "0 500 1000 1500 2000", "step"),
        ("step", 32_000, 60, "0 5k 10k 15k 20k 25k 30k", "step"),
        ("step", 3e6, 40, "0 1M 2M 3M", "step"),
        ("time", 5, 60, "0 1 2 3 4 5", "s"),
        ("time", 100, 60, "0 15 30 45 60 75 90", "s"),
        ("time", 400, 60, "0 1 2 3 4 5 6", "min"),
        ("time", 7200, 60, "0 30 60 90 120", "min"),
        ("time", 20_000, 60, "0 1 2 3 4 5", "h"),
        ("time", 1e6, 60, "0 2 4 6 8 10", "days"),
        ("", 1, 60, "", ""),
    ],
)
def test_an_x_axis_has_round_numbers_and_a_unit(
    kind: Kind, end: float, width: int, labels: str, unit: str
) -> None:
    marks, found = x_marks(Axis(0, end), kind, width)
    assert (" ".join(label for _, label in marks), found) == (labels, unit)
    assert len(placed_labels(marks, Axis(0, end), width)) == len(marks)


def test_no_two_labels_of_an_axis_are_the_same_wherever_one_looks() -> None:
    random = np.random.default_rng(0)
    for kind in ("epoch", "step", "time"):
        for _ in range(200):
            low = random.choice([0, 10 ** random.uniform(-2, 5)])
            axis = Axis(low, low + 10 ** random.uniform(-1, 6), bool(low and random.random() < 0.5))
            labels = [label for _, label in x_marks(axis, kind, int(random.integers(12, 150)))[0]]
            assert len(set(labels)) == len(labels), (kind, axis, labels)
            ups = [label for _, label in y_marks(axis, int(random.integers(2, 30)))]
            assert len(set(ups)) == len(ups), (axis, ups)


def test_a_log_axis_has_powers_and_places_for_positive_values() -> None:
    axis = Axis(1, 1000, log=True)
    assert x_marks(axis, "step", 60)[0] == [(1, "1"), (10, "10"), (100, "100"), (1000, "1k")]
    places = axis.places([0, 1, 31.6227766, 1000])
    np.testing.assert_allclose(places, [np.nan, 0, 0.5, 1])
    assert axis.part(0, 0.5).high == pytest.approx(31.6227766)


def test_marks_of_a_low_chart_stand_apart() -> None:
    assert [label for _, label in y_marks(Axis(0, 1), 4)] == ["0.0", "0.5", "1.0"]
    rows = {round((1 - value) * 4) for value, _ in y_marks(Axis(0, 1), 4)}
    assert len(rows) == 3


def test_outliers_are_left_out_of_the_limits_only_if_asked() -> None:
    values = np.append(np.linspace(0.2, 0.4, 500), [90.0, np.nan])
    assert fitting_limits(values, [], log=False, trimmed=False).high > 90
    trimmed = fitting_limits(values, [0.1], log=False, trimmed=True)
    assert trimmed.low <= 0.1 and 0.39 < trimmed.high < 0.6
    assert fitting_limits(np.empty(0), [], False, True) == Axis(0, 1)
    assert fitting_limits(np.array([-1.0, 0.0]), [0.0], True, False).log


@pytest.mark.parametrize(
    ("text", "log", "found"),
    [
        ("0.2 0.5", False, (0.2, 0.5)),
        (" -1, 1e3 ", False, (-1, 1000)),
        ("", False, None),
        ("a 1", False, "“a” is not a number: type two numbers such as 0.2 0.5"),
        ("1", False, "1 number: type two"),
        ("1 2 3", False, "3 numbers: type two"),
        ("0.5 0.2", False, "the lower limit comes first: type 0.2 0.5"),
        ("1 1", False, "both limits are 1: type two"),
        ("0 inf", False, "must be finite"),
        ("0 1", True, "above 0 only"),
    ],
)
def test_typed_limits(text: str, log: bool, found: object) -> None:
    if isinstance(found, str):
        with pytest.raises(ValueError, match=found.replace("(", "\\(")):
            read_limits(text, log)
    else:
        assert read_limits(text, log) == found


def test_a_view_is_what_was_typed_zoomed_and_scaled() -> None:
    curve = Curve(np.array([0.5, 1, 10]), np.array([5.0, 2.0, 1.0]))
    plot = Plot([curve], [Line("chance", 0.5)], x_max=10, y_range=(0, 9))
    assert View().axes(plot) == (Axis(0, 10), Axis(0, 9))
    assert View(limits=(1, 2)).axes(plot)[1] == Axis(1, 2)
    assert View(limits=(-1, 2), log_y=True).axes(plot)[1].low > 0, "which a log axis cannot have"
    assert View(log_x=True).axes(plot)[0] == Axis(0.5, 10, True)
    assert View(start=0.5, end=1).axes(plot)[0] == Axis(5, 10)


# Pages.


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((120, 21), Grid(3, 2)),
        ((120, 17), Grid(3, 1)),
        ((80, 13), Grid(2, 2, wide_first=True)),
        ((80, 10), Grid(2, 1)),
        ((60, 6), Grid(2, 1)),
        ((29, 6), Grid(1, 1)),
    ],
)
def test_charts_that_can_be_read(size: tuple[int, int], grid: Grid) -> None:
    assert grid_for(*size) == grid
    for count in range(grid.room + 1):
        used = grid.for_charts(count)
        assert used.columns * used.rows >= count + used.wide_first
        assert used.columns <= grid.columns and used.rows <= grid.rows


def test_a_group_of_charts_begins_a_page() -> None:
    one, two = [LOSS, HIT, AUC, ChartKey("logged", "lr")], [ChartKey("metric", "mrr")]
    assert paged((one, two), 3) == [one[:3], one[3:], two]
    assert paged((one, two), 6) == [one, two] and paged(((), ()), 6) == []


def test_every_run_has_charts_of_all_its_metrics(own_home: Path) -> None:
    run = RunSeries(read_info(folder := make_run(own_home, "finished")))
    run.update(read_snapshot(folder))
    main, more = chart_keys([run])
    assert main == [LOSS, HIT, AUC] and [key.name for key in more] == ["hit@10", "ndcg@10", "mrr"]
    for key in more:
        plot = plot_of(key, [run], "epoch", True)
        assert len(plot.curves[0].x) == 3 and plot.lines[0].name == "popularity"


def test_a_model_without_epochs_is_a_line(own_home: Path) -> None:
    folder = make_run(own_home, "finished", name="ease", epochs=1)
    info = msgspec.structs.replace(read_info(folder), kind="baseline", preset="ease")
    baseline = RunSeries(info)
    baseline.update(read_snapshot(folder))
    alone = plot_of(HIT, [baseline], "epoch", True)
    assert alone.x_kind == "" and not alone.curves and alone.lines[0].value == "0.250"
    trained = RunSeries(read_info(folder := make_run(own_home, "finished")))
    trained.update(read_snapshot(folder))
    beside = plot_of(HIT, [trained, baseline], "epoch", True)
    assert len(beside.curves) == 1 and beside.x_kind == "epoch"
    assert [line.name for line in beside.lines] == ["ease", "popularity"]


# On the screen.


def shown(app: NeumfApp) -> list[CurveChart]:
    return [chart for chart in app.screen.query(CurveChart) if chart.display]


async def press(pilot: "Pilot[None]", *keys: str) -> None:
    await pilot.press(*keys)
    await settle(pilot)


SLOW_SIZES = [pytest.param(size, marks=pytest.mark.slow) for size in ((60, 20), (120, 40))]


@pytest.mark.parametrize("size", [(80, 24), *SLOW_SIZES])
async def test_a_person_sees_what_they_ask_for(own_home: Path, size: tuple[int, int]) -> None:
    app = NeumfApp(make_run(own_home, "finished", with_data=True), own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        lines = "\n".join(screen_lines(app))
        assert "popularity" in lines and "chance" in lines and "epoch└0" in lines
        assert not set("┏┓┗┛┣┫") & set(lines), "one frame, and none in it"
        # A value that is read stands in the lower border, or in the only one.
        await press(pilot, "1", "left")
        loss = screen.loss
        read = loss.border_title if size[0] < 100 else loss.border_subtitle
        assert str(read).startswith("epoch 3: 0.")
        await press(pilot, "escape")
        # Other metrics are on the next page, which keeps what was chosen on the first one.
        await press(pilot, "1", "v")
        assert isinstance(app.screen, AskDialog)
        await press(pilot, *"abc", "enter")
        assert "“abc” is not a number" in text_of(app, "#problem")
        await press(pilot, "ctrl+u", *"0 5", "enter")
        assert screen.loss.up == Axis(0, 5)
        await press(pilot, "g")
        assert [chart.subject for chart in shown(app)] == ["Hit@10", "NDCG@10", "MRR"]
        await press(pilot, "g", "L", "o")
        assert screen.loss.up == Axis(0, 5) and screen.loss.across.log
        # One chart alone, and the next one; Enter and Escape go back.
        await press(pilot, "1", "enter", "g")
        assert screen.maximized is screen.query_one("#hit") and shown(app)[1].has_focus
        assert screen.loss.size == size or screen.query_one("#hit").outer_size.width == size[0]
        await press(pilot, "enter")
        assert screen.maximized is None
        await press(pilot, "enter", "escape")
        assert screen.maximized is None and app.screen is screen


async def test_everything_is_laid_out_again_for_another_width(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a change of the width the screen is the same as one opened at that width."""
    unknown = HostReading(None, "no GPU", None, 2, None, None, None, None, None, None)
    monkeypatch.setattr(HostReader, "read", lambda _self: unknown)
    folder = make_run(own_home, "finished", with_data=True, validation=(0.28, 0.36, 0.33))
    seen = {}
    for start in ((120, 40), (60, 20)):
        app = NeumfApp(folder, own_home, "train")
        async with app.run_test(size=start) as pilot:
            await settle(pilot)
            await pilot.resize_terminal(120, 40)
            await settle(pilot)
            seen[start] = screen_lines(app)[:40]
            assert "▲ 196  Kolya (1990)" in text_of(app, "#epoch"), "movers have a user"
            await press(pilot, "right_square_bracket", "right_square_bracket")
            assert screen_lines(app)[:40] == seen[start], "the side came and went"
    assert seen[60, 20] == seen[120, 40]


async def test_the_race_leaves_its_rows_to_the_charts(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished", with_data=True), own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen, before = app.screen, app.screen.query_one("#charts").size.height
        assert isinstance(screen, TrainScreen)
        screen.pins = ("186", "244")
        screen.reader.now()
        await settle(pilot)
        assert screen.query_one("#charts").size.height == before + DEFAULT_PINS - 2


async def test_many_scalars_are_on_pages_and_their_titles_keep_the_value(own_home: Path) -> None:
    names = [f"a name of a scalar that no title has room for {n}" for n in range(7)]
    app = NeumfApp(make_logged(own_home, scalars=names), own_home, "train")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        found = [chart.subject for chart in shown(app)]
        for _ in range(4):
            await press(pilot, "full_stop")
            found += [chart.subject for chart in shown(app)]
        assert found == ["loss", "Hit@50", "AUC", *names, "Hit@10", "NDCG@10", "MRR"]
        await press(pilot, "full_stop", "full_stop")
        assert "… nan" in str(shown(app)[1].border_title)
