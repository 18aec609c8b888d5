"""The charts of the train screen: loss, Hit@50 and AUC, and one for each name that was logged."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal

from neumf_tui.tui.widgets.chart import CurveChart

ROW = 3
"""Charts beside one another; in the narrow layout the first is above the other two."""
MOST_ROWS = 2
ROW_HEIGHT = 9
"""Least height of a row, with axis and border."""


class ChartPane(Horizontal):
    """Shows one page of charts. Those that do not fit are on other pages, not squeezed."""

    OWN: ClassVar = ("loss", "hit", "auc")

    def __init__(self, more: bool, *, id: str) -> None:  # noqa: A002
        """`more`: whether there can be more charts than OWN."""
        super().__init__(id=id)
        self._spare = [CurveChart(id=f"more-{n}") for n in range(ROW * MOST_ROWS * more)]
        self.page, self.pages = 0, 1

    def compose(self) -> ComposeResult:
        for name in self.OWN:
            yield CurveChart(id=name)
        for chart in self._spare:
            chart.display = False
            yield chart

    def turn(self) -> None:
        """Go to the next page, and show the whole curves of its charts."""
        self.page += 1
        for chart in self._spare:
            chart.action_reset()

    def show_page(self, has_loss: bool, names: Sequence[str]) -> list[tuple[CurveChart, str]]:
        """Show a page of the charts of OWN and then of `names`; return those of `names` on it."""
        narrow = self.screen.has_class("-narrow")
        size = ROW * (1 if narrow else min(MOST_ROWS, max(1, self.size.height // ROW_HEIGHT)))
        own = self.OWN if has_loss else self.OWN[1:]
        self.pages = -(-(len(own) + len(names)) // size)
        self.page %= self.pages
        start, end = self.page * size, (self.page + 1) * size
        for name in self.OWN:
            self.query_one(f"#{name}").display = name in own[start:end]
        wanted = names[max(0, start - len(own)) : max(0, end - len(own))]
        for number, chart in enumerate(self._spare):
            chart.display = number < len(wanted)
        shown = [chart for chart in self.query(CurveChart) if chart.display]
        for chart in shown:
            chart.set_class(chart is shown[0], "-first")
        for number in (1, 2):
            self.set_class(len(shown) == number, f"-only-{number}")
        self.set_class(len(shown) > ROW, "-two-rows")
        return list(zip(self._spare, wanted, strict=False))

    @property
    def first(self) -> CurveChart:
        """The first chart of the page."""
        return next(chart for chart in self.query(CurveChart) if chart.display)
