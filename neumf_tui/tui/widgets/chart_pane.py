"""A page of charts of a run, or of several: as many as can be read, the others on further pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Container
from textual.widget import Widget

from neumf_tui.text import clean
from neumf_tui.tui.widgets.chart import CurveChart, Plot
from neumf_tui.tui.widgets.chart_text import Caption, metric_title
from neumf_tui.tui.widgets.curves import AUC, HIT, LOSS, ChartKey

FULL_WIDTH = 100
"""Width from which on three charts are beside one another."""
LEAST_WIDTH = 30
ROW_HEIGHT = 9
"""Least height of a row of wide charts, with axis and border."""
STACK_HEIGHT = 12
"""Least height in which one chart stands above two others."""
IDS = {LOSS: "loss", HIT: "hit", AUC: "auc"}
"""Ids of the charts that every screen has from the start."""

Draw = Callable[[ChartKey], tuple[Plot, Caption]]


@dataclass(frozen=True)
class Grid:
    """How the charts of a page are laid out."""

    columns: int
    rows: int
    wide_first: bool = False
    """Whether the first chart is as wide as two."""

    @property
    def room(self) -> int:
        return self.columns * self.rows - self.wide_first

    def for_charts(self, count: int) -> "Grid":
        """Return the grid for so many charts, at most `room`, without an empty column or row."""
        if self.wide_first and count <= 2:
            return Grid(1, max(1, count))
        rows = max(1, min(self.rows, -(-count // self.columns)))
        return Grid(max(1, -(-count // rows)), rows) if count < self.room else self


def grid_for(width: int, height: int) -> Grid:
    """Return the largest grid whose charts can be read in so many cells."""
    if width >= FULL_WIDTH:
        return Grid(3, 2 if height >= 2 * ROW_HEIGHT else 1)
    if height >= STACK_HEIGHT:
        return Grid(2, 2, wide_first=True)
    return Grid(max(1, min(3, width // LEAST_WIDTH)), 1)


def paged(groups: Sequence[Sequence[ChartKey]], room: int) -> list[Sequence[ChartKey]]:
    """Return pages of at most `room` charts; each group begins a page."""
    starts = [(group, start) for group in groups for start in range(0, len(group), room)]
    return [group[start : start + room] for group, start in starts]


def subject(key: ChartKey) -> str:
    """Return what a chart shows, in a word."""
    return metric_title(key.name) if key.kind == "metric" else clean(key.name) or key.kind


class ChartPane(Container):
    """Shows one page of charts. A chart is made when it is first seen, and keeps its zoom."""

    def __init__(self, turned_by: str) -> None:
        """`turned_by` is the key of the next page, for people."""
        super().__init__(id="charts")
        self._turned_by = turned_by
        self.log_x = self.trimmed = False
        """The x axis of all charts, and whether their y axes leave outliers out."""
        self.page = 0
        self.pages: list[Sequence[ChartKey]] = []
        self._charts: dict[ChartKey, CurveChart] = {}
        for key, name in IDS.items():
            self._charts[key] = CurveChart(subject(key), id=name)
        self._groups: Sequence[Sequence[ChartKey]] = ()
        self._draw: Draw | None = None

    def compose(self) -> ComposeResult:
        for chart in self._charts.values():
            chart.display = False
            yield chart

    def show(self, groups: Sequence[Sequence[ChartKey]], draw: Draw) -> None:
        """Show the charts of `groups`, in their order; `draw` returns the contents of one."""
        self._groups, self._draw = groups, draw
        self._show_page()

    def on_resize(self) -> None:
        self._show_page()

    def _show_page(self) -> None:
        if self._draw is None or not self.size.width:
            return
        grid = grid_for(self.size.width, self.size.height)
        self.pages = paged(self._groups, grid.room)
        self.page %= max(1, len(self.pages))
        wanted = self.pages[self.page] if self.pages else ()
        self._make(wanted)
        self._lay_out(grid.for_charts(len(wanted)), wanted)
        for number, key in enumerate(wanted):
            chart = self._charts[key]
            chart.notes = () if number else self._page_notes
            chart.view.log_x, chart.view.trimmed = self.log_x, self.trimmed
            chart.show(*self._draw(key))

    @property
    def _page_notes(self) -> Sequence[str]:
        at = f"{self.page + 1}/{len(self.pages)} ({self._turned_by})"
        return (f"page {at}", at) if len(self.pages) > 1 else ()

    def _make(self, wanted: Sequence[ChartKey]) -> None:
        """Make the charts that have not been seen yet."""
        missing = [key for key in wanted if key not in self._charts]
        if missing:
            self._charts |= {key: CurveChart(subject(key)) for key in missing}
            self.mount(*(self._charts[key] for key in missing))

    def _lay_out(self, grid: Grid, wanted: Sequence[ChartKey]) -> None:
        order: dict[Widget, int]
        order = {self._charts[key]: place for place, key in enumerate(wanted)}
        if [chart for chart in self.children if chart in order] != list(order):
            self.sort_children(key=lambda chart: order.get(chart, len(order)))
        for chart in self._charts.values():
            chart.display = chart in order
            chart.styles.column_span = 1 + (grid.wide_first and order.get(chart) == 0)
        self.styles.grid_size_columns, self.styles.grid_size_rows = grid.columns, grid.rows

    @property
    def shown(self) -> list[CurveChart]:
        """The charts of the page."""
        return [self._charts[key] for key in self.pages[self.page]] if self.pages else []

    @property
    def made(self) -> list[CurveChart]:
        """All charts that have been seen."""
        return list(self._charts.values())

    def turn(self) -> None:
        """Go to the next page; where one chart is shown alone, to the next chart."""
        alone, shown = self.screen.maximized, self.shown
        if alone not in shown:
            self.page += 1
            self._show_page()
            return
        place = shown.index(alone) + 1
        if place == len(shown):
            place, self.page = 0, self.page + 1
        self.screen.minimize()
        self._show_page()
        self.call_after_refresh(self._show_alone, place)

    def _show_alone(self, place: int) -> None:
        chart = self.shown[place]
        chart.focus()
        chart.action_maximize()
