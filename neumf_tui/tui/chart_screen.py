"""The base of the screens with charts: axis, smoothing and scale."""

from collections.abc import Mapping
from typing import ClassVar

from rich.text import Text
from textual import getters
from textual.widgets import Static

from neumf_tui.runs.events import Alarm
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import BaseScreen, Poll
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.curves import AXES


class ChartScreen(BaseScreen):
    """A screen with a chart `loss` and others, drawn from what `reader` reads."""

    TITLES: ClassVar[dict[str, str]]
    """Titles of the borders by widget id."""
    reader: Poll
    loss = getters.query_one("#loss", CurveChart)

    def __init__(self) -> None:
        super().__init__()
        self.axis, self.smooth = "epoch", True

    def on_mount(self) -> None:
        for name, title in self.TITLES.items():
            self.query_one(f"#{name}").border_title = title

    def draw_charts(self) -> None:
        """Draw every chart again."""
        raise NotImplementedError

    def show_text(self, selector: str, text: Text, layout: bool = True) -> None:
        """Show `text` in a Static. An equal text is not drawn again: that would cost 10 ms."""
        panel = self.query_one(selector, Static)
        if panel.content != text:
            panel.update(text, layout=layout)

    def show_notice(self, text: str, quiet: bool = False) -> None:
        notice = self.query_one("#notice")
        notice.set_class(quiet, "-quiet")
        notice.set_class("\n" in text, "-two-lines")
        self.show_text("#notice", Text("\n".join(map(clean, text.split("\n")))))

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
        log_y = self.loss.log_y
        smooth, scale = "smooth" if self.smooth else "raw", "log" if log_y else "linear"
        return f"x {self.axis}  t {smooth}  y {scale}"

    def action_axis(self) -> None:
        self.axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]
        for chart in self.query(CurveChart):
            chart.action_reset()
        self.draw_charts()

    def action_smooth(self) -> None:
        self.smooth = not self.smooth
        self.draw_charts()

    def action_log_y(self) -> None:
        focused = self.focused
        chart = focused if isinstance(focused, CurveChart) else self.loss
        chart.set_log_y(not chart.log_y)
        self.draw_charts()

    def end_aside(self) -> bool:
        return any(chart.stop_reading() for chart in self.query(CurveChart))
