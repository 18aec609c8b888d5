"""One person on the explore screen: their held-out item, their ranking, and further tabs."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import TabbedContent, TabPane

from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import clean
from neumf_tui.tui.explore.person_panes import (
    HistoryPane,
    JourneyPane,
    NearestPane,
    NearMissPane,
    PersonPane,
)
from neumf_tui.tui.explore.story import story
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.tui.widgets.ranked_items import RankedItemTable
from neumf_tui.tui.widgets.ranking_pane import RankingPane
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.parts import tab_name

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.ranker import Ranker, UserRanking
    from neumf_tui.explore.users import Users
    from neumf_tui.explore.why import Explanation
    from neumf_tui.views.sheet import Sheet

OTHER_TABS = {"history": "history", "nearest": "nearest", "epochs": "epochs", "near-miss": "miss"}


class PersonView(Vertical):
    """Everything in it is about one person and one epoch, and all of it changes together."""

    story_box = getters.query_one("#story", FittedText)
    tabs = getters.query_one(TabbedContent)
    ranking_pane = getters.query_one(RankingPane)
    history_pane = getters.query_one(HistoryPane)

    def __init__(self) -> None:
        super().__init__(id="user-pane")
        self.ranker: Ranker | None = None
        self.ranking: UserRanking | None = None
        """None while there is no model, or nobody to show."""
        self._users: Users | None = None
        self._who: Who | None = None
        self._rank = float("nan")
        self._stale: set[str] = set()
        """Names of the tabs that do not show this person and epoch yet."""

    def compose(self) -> ComposeResult:
        yield FittedText(id="story")
        with TabbedContent(id="user-tabs"):
            with TabPane("1 ranking", id="ranking"):
                yield RankingPane(RankedItemTable(id="ranking-table"))
            with TabPane("2 history", id="history"):
                yield HistoryPane()
            with TabPane("3 nearest", id="nearest"):
                yield NearestPane()
            with TabPane("4 epochs", id="epochs"):
                yield JourneyPane()
            with TabPane("5 miss", id="near-miss"):
                yield NearMissPane()

    def on_mount(self) -> None:
        self.query_one("#user-tabs Tabs").can_focus = False

    # What is shown.

    def show_nobody(self, text: str) -> None:
        """Show a text instead of a person."""
        self._who = self.ranking = None
        self.border_title = ""
        self.story_box.show(lambda _: Text(clean(text)))
        self.ranking_pane.clear()
        for pane in self.query(PersonPane):
            pane.clear()
        self._stale = set()

    def show_problem(self, text: str) -> None:
        """Say why there is no model, and so nobody to show."""
        self.show_nobody("")
        self.ranking_pane.say(text)

    def show_pending(self, users: "Users", who: "Who", rank: float) -> None:
        """Show what is known without a model: the `rank` in the rank tape, and the history."""
        self._users, self._who, self._rank = users, who, rank
        self._draw_story()
        self._stale = {"history"}
        self._fill_tab()

    def show_ranking(
        self, ranker: "Ranker", users: "Users", first: "Explanation", rank: float
    ) -> None:
        """Show a person's ranking and why its `first` item is there; the other tabs follow."""
        self.ranking_pane.show_first(ranker, first)
        self._show_person(ranker, users, first.ranking.person.who, first.ranking, rank)

    def show_no_ranking(
        self, ranker: "Ranker", users: "Users", who: "Who", rank: float, problem: str
    ) -> None:
        """Say why a person has no ranking, and show what is known all the same."""
        self.ranking_pane.say(problem)
        self._show_person(ranker, users, who, None, rank)

    def _show_person(
        self,
        ranker: "Ranker",
        users: "Users",
        who: "Who",
        ranking: "UserRanking | None",
        rank: float,
    ) -> None:
        self.ranker, self.ranking = ranker, ranking
        self._users, self._who, self._rank = users, who, rank
        self._draw_story()
        self._name_tabs()
        for pane in self.query(PersonPane):
            if pane.NAME not in self._stale:
                pane.clear()
                self._stale.add(pane.NAME)
        self._fill_tab()

    @on(TabbedContent.TabActivated)
    def _fill_tab(self) -> None:
        """Fill the tab in front, if it does not show this person yet."""
        self._name_tabs()
        name, users, who = self.tabs.active, self._users, self._who
        if name not in self._stale or users is None or who is None:
            return
        if name == "history":
            self.history_pane.show_history(users, who)
        elif self.ranker:
            self._pane(name).show_person(self.ranker, users, who, self.ranking)
        else:
            return
        self._stale.discard(name)

    def _pane(self, name: str) -> PersonPane:
        return self.query_one(f"#{name} PersonPane", PersonPane)

    def _draw_story(self) -> None:
        users, who = self._users, self._who
        if users is None or who is None:
            return
        if isinstance(who, int):
            name, seen = f"user {users.dataset.user_ids[who]}", int(users.history_sizes[who])
        else:
            name, seen = f"guest {who.name}", len(who.item_ids)
        self.border_title = Text(f"{clean(name)} ── {users.dataset.noun.in_history(seen)}")
        by = self.ranker.scorer.newcomers_by if self.ranker else "fold-in"
        args = users, who, self.ranking, self._rank, by
        self.story_box.show(partial(story, *args))

    def _name_tabs(self) -> None:
        """Name the tabs: all of them, or the one in front where there is no room for more.

        The first one says what its list is ordered by.
        """
        names = {"ranking": tab_name(self.ranking.by if self.ranking else SCORE), **OTHER_TABS}
        labels = {tab: f"{number} {name}" for number, (tab, name) in enumerate(names.items(), 1)}
        if sum(len(label) + 2 for label in labels.values()) > self.content_size.width:
            front = self.tabs.active
            labels = {tab: s if tab == front else f"{s[0]}…" for tab, s in labels.items()}
        for name, label in labels.items():
            tab = self.tabs.get_tab(name)
            if str(tab.label) != label:  # setting it lays out the screen again
                tab.label = label

    def on_resize(self) -> None:
        self._name_tabs()

    # What a person does with it.

    def open_tab(self, name: str) -> None:
        self.tabs.active = name
        (self.ranking_pane if name == "ranking" else self._pane(name)).table.focus()

    def go_to_heldout(self) -> None:
        if self.ranking is not None and self.ranking.heldout >= 0:
            self.open_tab("ranking")
            self.ranking_pane.table.show_in_middle(self.ranking.heldout)

    def go_to_item(self, item: int) -> None:
        """Go to an item in the ranking or in the history, wherever this person has it."""
        if self.ranking is None:
            return
        ranking = self.ranking
        lists = {"ranking": ranking.items, "history": ranking.person.history[::-1]}
        for name, items in lists.items():
            rows = (items == item).nonzero()[0]
            if len(rows):
                self.open_tab(name)
                self._fill_tab()
                self.query_one(f"#{name}-table", Table).show_in_middle(int(rows[0]))

    def item_at(self, table: Table) -> int | None:
        """Return the index of the item under the cursor, None if the table has no items."""
        if table is self.ranking_pane.table and self.ranking is not None:
            return int(self.ranking.items[table.cursor])
        if table is self.history_pane.table:
            return int(self.history_pane.items[table.cursor])
        return None

    def toggle_why(self) -> None:
        """Show or hide why the item under the cursor is in the ranking."""
        if self.tabs.active != "ranking":
            self.open_tab("ranking")
        self.ranking_pane.toggle_why()

    def toggle_raw(self) -> None:
        """Show scores relative to their mean, or as the model gives them."""
        self.ranking_pane.toggle_raw()

    def toggle_loss(self) -> None:
        self.open_tab("epochs")
        self.query_one(JourneyPane).toggle_loss()

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        ranker, ranking, name = self.ranker, self.ranking, self.tabs.active
        if name not in ("ranking", "history"):
            return self._pane(name).sheet
        if ranker is None or ranking is None:
            return None

        def make() -> "Sheet":
            from neumf_tui.views.person import history_sheet, ranking_sheet

            return (history_sheet if name == "history" else ranking_sheet)(ranker, ranking)

        return make
