"""The dataset screen: what was read and how it is split, and how interactions are spread."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import TabbedContent, TabPane

from neumf_tui.runs.protocol import protocol_of
from neumf_tui.runs.reader import read_info
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.keys import bindings, shown
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.tui.widgets.head_text import head
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.work import Cancelled
from neumf_tui.views.dataset import (
    Fact,
    Section,
    counts_sheet,
    dataset_sections,
    facts_sheet,
    histograms,
    missing_text,
    run_sections,
    sections_text,
    train_command,
)
from neumf_tui.views.histogram import bars

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.dataset_counts import DatasetCounts
    from neumf_tui.views.sheet import Sheet

CHARTS = ("users", "items", "times", "ratings", "ties")
"""In the order of `histograms`."""


class DatasetScreen(SheetScreen):
    """The dataset of a run: facts in the first tab, histograms in the second."""

    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "dataset",
        shown("1", "tab('facts')", "Facts", "What was read, and how it is split", key_id="facts"),
        shown("2", "tab('histograms')", "Histograms", "Users, items, times, ratings and ties",
              key_id="histograms"),
    )  # fmt: skip

    tabs = getters.query_one("#dataset-tabs", TabbedContent)
    facts_text = getters.query_one("#dataset-facts", FittedText)

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__()
        self.folder, self.home, self.info = folder, home, read_info(folder)
        self.data: Dataset | None = None
        self.counts: DatasetCounts | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="dataset-head")
        with TabbedContent(id="dataset-tabs"):
            with (
                TabPane("1 facts", id="facts"),
                VerticalScroll(id="facts-scroll", classes="dataset-pane"),
            ):
                yield FittedText(id="dataset-facts")
            with (
                TabPane("2 histograms", id="histograms"),
                VerticalScroll(id="histograms-scroll", classes="dataset-pane"),
            ):
                for name in CHARTS:
                    yield FittedText(id=f"dataset-{name}", classes="dataset-chart")
        yield ProtocolLine(self.info)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        line = head("dataset", self.info.dataset.label).append(f"  of run {clean(self.info.name)}")
        self.query_one("#dataset-head", Static).update(line)
        self.query_one("#dataset-tabs Tabs").can_focus = False
        self.query_one("#facts-scroll").focus()
        self._say(f"opening {clean(self.info.dataset.label)} …")
        info, home, folder = self.info, self.home, self.folder

        def load(_: Cancelled) -> "Dataset":
            from neumf_tui.explore.users import dataset_of

            return dataset_of(info, home, folder)

        self.ask("dataset", load, self._show_dataset, self._show_no_dataset)

    def _say(self, line: str) -> None:
        """Show a line in the place of facts and histograms."""
        self.facts_text.say(line)
        for chart in self.query(".dataset-chart").results(FittedText):
            chart.display = chart.id == "dataset-users"
            chart.say(line)

    def _show_no_dataset(self, problem: str) -> None:
        self._say("This dataset cannot be opened, so there is nothing to count.")
        sections = run_sections(self.info, problem)
        self.facts_text.show(partial(sections_text, sections))

    def _show_dataset(self, data: "Dataset") -> None:
        self.data = data
        self._say("counting …")
        self._list_facts(data)

        def count(cancelled: Cancelled) -> "DatasetCounts":
            from neumf_tui.explore.dataset_counts import count_dataset

            return count_dataset(data, cancelled)

        self.ask("counts", count, partial(self._show_counts, data))

    def _show_counts(self, data: "Dataset", counts: "DatasetCounts") -> None:
        self.counts = counts
        self._list_facts(data)
        for name, (title, bins) in zip(CHARTS, histograms(data, counts), strict=True):
            chart = self.query_one(f"#dataset-{name}", FittedText)
            chart.display, chart.border_title = True, Text(clean(title))
            if bins:
                chart.show(partial(bars, [(one.label, one.count, "cyan") for one in bins]))
            else:
                chart.say(missing_text(data, title))

    def _list_facts(self, data: "Dataset") -> None:
        sections = dataset_sections(data, self.counts, protocol_of(self.info))
        if command := train_command(data):
            sections.append(Section("train on it", [Fact("", command)]))
        self.facts_text.show(partial(sections_text, sections))

    # Keys.

    @property
    def front(self) -> str:
        """The tab in front: `facts` or `histograms`."""
        return self.tabs.active or "facts"

    def action_tab(self, name: str) -> None:
        self.tabs.active = name
        self.query_one(f"#{name}-scroll").focus()

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        data, counts = self.data, self.counts
        make = facts_sheet if self.front == "facts" else counts_sheet
        if data is None or counts is None:
            return None
        return lambda: make(data, counts)
