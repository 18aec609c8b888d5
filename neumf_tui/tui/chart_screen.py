"""The base of the screens with charts: pages of them, axes, smoothing, outliers and limits."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import getters
from textual.binding import BindingType

from neumf_tui.home import expanded
from neumf_tui.runs.events import Alarm
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import BaseScreen, Poll
from neumf_tui.tui.keys import bindings, hidden
from neumf_tui.tui.widgets.axes import Kind, read_limits
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.chart_pane import ChartPane
from neumf_tui.tui.widgets.curves import AXES
from neumf_tui.tui.widgets.fitted_text import FittedText, Layout, wrapped
from neumf_tui.views.sheet import check_target

NOTICE_LINES = 3
"""Most lines of the notice above the footer."""


class ChartScreen(BaseScreen):
    """A screen with pages of charts, drawn from what `reader` reads."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "charts",
        hidden("x", "axis", "X axis", "Epochs, steps or training time"),
        hidden("L", "log_x", "Log x", "Logarithmic x axis"),
        hidden("y", "log_y", "Log y", "Logarithmic y axis of the loss or the focused chart"),
        hidden("v", "limits", "Limits", "Type the limits of the focused chart's y axis"),
        hidden("o", "outliers", "Outliers", "Leave outliers out of the y axes, or show all"),
        hidden("t", "smooth", "Smooth", "Smooth the loss, or show it as it is"),
        hidden("full_stop,g", "charts", "More charts", "The next page of charts", key_id="more"),
        hidden("w", "write", "Write", "Write the curves into a file: a picture, or their values"),
    )
    TITLES: ClassVar[dict[str, str]]
    """Titles of the borders by widget id."""
    reader: Poll
    home: Path
    loss = getters.query_one("#loss", CurveChart)
    charts = getters.query_one(ChartPane)

    def __init__(self) -> None:
        super().__init__()
        self.axis: Kind = "epoch"
        self.smooth = True

    def on_mount(self) -> None:
        for name, title in self.TITLES.items():
            self.query_one(f"#{name}").border_title = title

    def draw_charts(self) -> None:
        """Draw every chart of the page again."""
        raise NotImplementedError

    def show_text(self, selector: str, layout: Layout) -> None:
        """Show a text in a FittedText, which lays it out again for every width."""
        self.query_one(selector, FittedText).show(layout)

    def show_notice(self, text: str | Callable[[int], str], quiet: bool = False) -> None:
        """Show lines above the footer, or those that a function returns for a width."""
        self.query_one("#notice").set_class(quiet, "-quiet")

        def lines(width: int) -> Text:
            found = (text if isinstance(text, str) else text(width)).split("\n")
            return Text("\n".join(wrapped(clean(line), width, NOTICE_LINES) for line in found))

        self.show_text("#notice", lines)

    def tell_alarms(self, run: str, before: Mapping[str, Alarm], now: Mapping[str, Alarm]) -> None:
        """Tell the alarms of a run that have begun since `before`."""
        for name in now.keys() - before.keys():
            self.app.tell(f"alarm in {run}", clean(now[name].text))

    def changed(self, text: str) -> None:
        super().changed(text)
        self.reader.now()

    def show_problem(self, text: str) -> None:
        super().show_problem(text)
        self.reader.now()

    @property
    def controls(self) -> str:
        """The keys of the charts, each with its present setting."""
        smooth, scale = "smooth" if self.smooth else "raw", "log" if self.log_y else "linear"
        texts = [f"x {self.axis}", f"t {smooth}", f"y {scale}"]
        texts += ["L log x"] if self.charts.log_x else []
        texts += ["o no outliers"] if self.charts.trimmed else []
        return "  ".join(texts)

    @property
    def log_y(self) -> bool:
        return self.loss.view.log_y

    def chosen_chart(self, default: CurveChart) -> CurveChart:
        """Return the focused chart, else `default`."""
        return self.focused if isinstance(self.focused, CurveChart) else default

    def action_axis(self) -> None:
        self.axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]
        for chart in self.charts.made:
            chart.action_reset()
        self.draw_charts()

    def action_log_x(self) -> None:
        self.charts.log_x = not self.charts.log_x
        self.draw_charts()

    def action_outliers(self) -> None:
        self.charts.trimmed = not self.charts.trimmed
        self.draw_charts()

    def action_log_y(self) -> None:
        chart = self.chosen_chart(self.loss)
        chart.view.log_y = not chart.view.log_y
        chart.redraw()
        self.draw_charts()

    def action_smooth(self) -> None:
        self.smooth = not self.smooth
        self.draw_charts()

    def action_limits(self) -> None:
        if not self.charts.shown:
            return
        chart = self.chosen_chart(self.charts.shown[0])
        view = chart.view

        def check(text: str) -> str:
            try:
                read_limits(text, view.log_y)
            except ValueError as error:
                return str(error)
            return ""

        def set_limits(text: str) -> None:
            view.limits = read_limits(text, view.log_y)
            chart.redraw()

        present = f"{chart.up.low:.4g} {chart.up.high:.4g}"
        question = f"Limits of the y axis of {chart.subject} (empty: fit the curves)"
        self.ask_line(question, present, check, "Set", set_limits)

    @property
    def drawn_folders(self) -> list[Path]:
        """The runs of the charts."""
        raise NotImplementedError

    def action_write(self) -> None:
        from neumf_tui.figures.chart_file import ENDINGS, usual_name, write_curves

        if not (folders := self.drawn_folders):
            return

        def check(name: str) -> str:
            return check_target(expanded(Path(name)), ENDINGS) if name else "type a file name"

        def write(name: str) -> None:
            self.change(lambda: write_curves(expanded(Path(name)), folders, self.home))

        question = f"File for these curves ({', '.join(ENDINGS)})"
        self.ask_line(question, str(Path.cwd() / usual_name(folders)), check, "Save", write)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "charts":
            return self.is_mounted and len(self.charts.pages) > 1
        return True

    def action_charts(self) -> None:
        self.charts.turn()

    def end_aside(self) -> bool:
        return any(chart.stop_reading() for chart in self.charts.made)
