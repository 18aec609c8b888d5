"""One person's ranked items, with an explanation of the item under the cursor."""

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.ranked_items import RankedItemTable
from neumf_tui.tui.widgets.table import Table
from neumf_tui.tui.widgets.why_pane import WhyPane
from neumf_tui.tui.work import Asker

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.why import Explanation


class RankingPane(Container):
    """Explains an item when the cursor comes to it, unless `ranker` is None."""

    def __init__(self, table: RankedItemTable) -> None:
        super().__init__()
        self.table, self.why_pane = table, WhyPane(id="why")
        self.ranker: Ranker | None = None

    def compose(self) -> ComposeResult:
        yield Static(classes="pane-says")
        yield self.table
        yield self.why_pane

    def on_mount(self) -> None:
        self._asker = Asker(self.screen)

    def say(self, text: str) -> None:
        """Say in the place of the list why there is none."""
        self.clear()
        self.add_class("-says")
        self.query_one(".pane-says", Static).update(Text(text))

    def show_first(self, ranker: "Ranker", why: "Explanation") -> None:
        """Show the ranking of `why` and, at once, why its first item has its place."""
        self.ranker = ranker
        self.remove_class("-says")
        self.set_class(not why.part, "-brief")
        self._asker.drop("why")
        self.why_pane.show(why, ranker.dataset)
        self.table.show_ranking(why.ranking, ranker.dataset)

    def clear(self) -> None:
        self.remove_class("-says")
        self.clear_why()
        self.table.clear()

    def clear_why(self) -> None:
        """Explain nothing until `ranker` is set again."""
        self.ranker = None
        self._asker.drop("why")
        self.why_pane.clear()

    @on(Table.Highlighted)
    def explain(self, event: Table.Highlighted) -> None:
        ranker, ranking, row = self.ranker, self.table.ranking, event.row
        if ranker is None or ranking is None or row >= len(ranking.items):
            return
        shown = self.why_pane.why
        if shown is not None and shown.ranking is ranking and shown.row == row:
            self._asker.drop("why")
            return

        def explained() -> "Explanation":
            from neumf_tui.explore.why import explain

            return explain(ranker, ranking, row)

        data = ranker.dataset
        self._asker.ask("why", lambda _: explained(), lambda why: self.why_pane.show(why, data))

    def toggle_why(self) -> None:
        is_shown = self.why_pane.size.height > 0
        self.set_class(is_shown, "-hide-why")
        self.set_class(not is_shown, "-show-why")

    def toggle_raw(self) -> None:
        """Show scores and parts centred, or as the model computes them."""
        self.table.show_raw(not self.table.raw)
