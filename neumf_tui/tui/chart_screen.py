"""What the screens with charts share: axis, smoothing, scale, and deeds that take a moment."""

from collections.abc import Callable
from typing import cast

from textual.app import App
from textual.screen import Screen

from neumf_tui.errors import NeumfTuiError
from neumf_tui.tui.messages import Done
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.curves import AXES


class ChartScreen(Screen[None]):
    """Has a chart `loss`, among others."""

    def __init__(self) -> None:
        super().__init__()
        self.axis, self.smooth = "epoch", True

    def draw_charts(self) -> None:
        """Draw every chart anew from what has been taken in."""
        raise NotImplementedError

    @property
    def controls(self) -> str:
        """The keys stand where they work, each with what it is set to."""
        log_y = self.query_one("#loss", CurveChart).log_y
        return f"x {self.axis}  t {'smooth' if self.smooth else 'raw'}  y {'log' if log_y else 'linear'}"

    def action_axis(self) -> None:
        self.axis = AXES[(AXES.index(self.axis) + 1) % len(AXES)]
        for chart in self.query(CurveChart):
            chart.action_reset()
        self.draw_charts()

    def action_smooth(self) -> None:
        self.smooth = not self.smooth
        self.draw_charts()

    def action_log_y(self) -> None:
        chart = (
            self.focused
            if isinstance(self.focused, CurveChart)
            else self.query_one("#loss", CurveChart)
        )
        chart.set_log_y(not chart.log_y)
        self.draw_charts()

    def end_aside(self) -> bool:
        """End what stands beside or before the screen: keys, a value being read, a chart alone. Whether there was any."""
        if self.query("HelpPanel"):
            cast("App[None]", self.app).action_hide_help_panel()
            return True
        if any(chart.stop_reading() for chart in self.query(CurveChart)):
            return True
        if self.maximized is not None:
            self.minimize()
            return True
        return False

    def do(self, said: str, deed: Callable[[], object]) -> None:
        """Do in a thread what may take a moment; then `said`, or what the deed returns, or why it failed, is told."""

        def run() -> None:
            try:
                found = deed()
            except (NeumfTuiError, OSError) as error:
                self.post_message(Done(str(error)))
            else:
                self.post_message(Done(said or str(found)))

        self.run_worker(run, thread=True, group="control", exit_on_error=False)
