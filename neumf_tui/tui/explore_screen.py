"""The explore screen: pick a user, see the ranked films and where the held-out one landed."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Input, Static, TabbedContent, TabPane
from textual.worker import Worker, WorkerState, get_current_worker

from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.reader import read_info
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.messages import ModelLoaded, ReadFailed, UserRanked, UsersLoaded
from neumf_tui.tui.user_list import SORTS, UserList
from neumf_tui.tui.widgets.ruler import journey, ruler, sparkline
from neumf_tui.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from neumf_tui.ranking.load import Ranker, UserRanking
    from neumf_tui.ranking.users import Users

RANKING_COLUMNS = (
    Column("#", 6, right=True),
    Column("", 1),
    Column("title", 18, flex=True),
    Column("year", 4, drop=4),
    Column("genres", 12, drop=6),
    Column("score", 7, right=True, drop=1),
    Column("GMF", 7, right=True, drop=3),
    Column("MLP", 7, right=True, drop=2),
    Column("seen by", 7, right=True, drop=5),
)
HISTORY_COLUMNS = (
    Column("#", 5, right=True),
    Column("title", 20, flex=True),
    Column("year", 4, drop=1),
    Column("genres", 22, drop=3),
    Column("seen by", 7, right=True, drop=2),
)
USER_COLUMNS = (
    Column("id", 7),
    Column("seen", 4, right=True, drop=1),
    Column("held-out", 8, flex=True, drop=0),
    Column("rank", 5, right=True),
    Column("", 1),
)


class ExploreScreen(Screen[None]):
    """Users on the left, one user's story on the right. The model is loaded and asked in a worker."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "slash",
            "search",
            "Search",
            key_display="/",
            tooltip="Users by id or held-out title",
            id="explore.search",
        ),
        Binding("h", "heldout", "Held-out", tooltip="Go to the held-out film in the list", id="explore.heldout"),
        Binding(
            "n",
            "miss(1)",
            "Next miss",
            tooltip="Next user whose film is outside the top 50",
            id="explore.next-miss",
        ),
        Binding(
            "N",
            "miss(-1)",
            "Previous miss",
            show=False,
            tooltip="The miss before",
            id="explore.previous-miss",
        ),
        Binding("r", "random", "Random", tooltip="Any user of the list", id="explore.random"),
        Binding("o", "sort", "Sort", tooltip="Another order of the users", id="explore.sort"),
        Binding("1", "tab('ranking')", "Ranking", show=False, tooltip="The ranked films", id="explore.ranking"),
        Binding("2", "tab('history')", "History", tooltip="What the user has seen", id="explore.history"),
        Binding(
            "escape",
            "back",
            "Back",
            show=False,
            tooltip="Leave the search, or this screen",
            id="explore.back",
        ),
        Binding("q", "leave", "Quit", tooltip="Leave this screen", id="explore.leave"),
    ]

    def __init__(self, folder: Path, home: Path) -> None:
        super().__init__()
        self.folder, self.home = folder, home
        self.info = read_info(folder)
        self.users: Users | None = None
        self.ranker: Ranker | None = None
        self.ranking: UserRanking | None = None
        self.list = UserList()
        self.user = -1
        """User index shown on the right, or -1."""

    def compose(self) -> ComposeResult:
        yield Static(id="run-head")
        with Horizontal(id="explore-body"):
            with Vertical(id="users-pane"):
                yield Table(USER_COLUMNS, id="users")
                yield Input(placeholder="id or held-out title", id="search", compact=True)
            with Vertical(id="user-pane"):
                yield Static(id="story")
                with TabbedContent(id="user-tabs"):
                    with TabPane("ranking (1)", id="ranking"):
                        yield Table(RANKING_COLUMNS, id="ranking-table")
                    with TabPane("history (2)", id="history"):
                        yield Table(HISTORY_COLUMNS, id="history-table")
        if self.info.dataset.simulated:
            yield Static("simulated viewers: the built-in demo set", id="explore-notice")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._draw_head("loading")
        self.query_one("#user-tabs Tabs").can_focus = False
        self.query_one("#users", Table).focus()
        self.load()

    @work(thread=True, group="load", exit_on_error=False)
    def load(self) -> None:
        """Users first, for they need no torch; then the model."""
        try:
            from neumf_tui.ranking.users import load_users

            self.post_message(UsersLoaded(load_users(self.folder, self.home)))
            from neumf_tui.ranking.load import Ranker

            self.post_message(ModelLoaded(Ranker(self.folder, self.home)))
        except (NeumfTuiError, OSError) as error:
            self.post_message(ReadFailed(str(error)))

    @work(thread=True, group="rank", exclusive=True, exit_on_error=False)
    def rank(self, ranker: "Ranker", user: int) -> None:
        try:
            ranking = ranker.rank(user)
        except NeumfTuiError as error:
            self.post_message(ReadFailed(str(error)))
        else:
            if not get_current_worker().is_cancelled:
                self.post_message(UserRanked(ranking))

    @on(ReadFailed)
    def show_failure(self, message: ReadFailed) -> None:
        self.query_one("#story", Static).update(Text(clean(message.text), "bold red"))
        self._draw_head("failed")

    @on(Worker.StateChanged)
    def show_fault(self, event: Worker.StateChanged) -> None:
        """Whatever a worker did not turn into a message itself is still said."""
        if event.state is WorkerState.ERROR:
            self.show_failure(ReadFailed(f"{type(event.worker.error).__name__}: {event.worker.error}"))

    @on(UsersLoaded)
    def show_users(self, message: UsersLoaded) -> None:
        self.users = message.users
        self.list.take(message.users)
        # As wide as the longest id needs and no wider: every cell is wanted for the titles.
        width = min(16, max(2, *map(len, message.users.dataset.user_ids)))
        self.query_one("#users", Table).columns[0] = Column("id", width)
        self._show_list(self.user)

    @on(ModelLoaded)
    def show_model(self, message: ModelLoaded) -> None:
        self.ranker = message.ranker
        self._draw_head(f"epoch {message.ranker.epoch}")
        if self.user >= 0:
            self.rank(message.ranker, self.user)

    @on(UserRanked)
    def show_ranking(self, message: UserRanked) -> None:
        ranking, users = message.ranking, self.users
        if ranking.user != self.user or users is None:
            return
        self.ranking = ranking
        data, catalogue = users.dataset, users.dataset.catalogue

        def cells(row: int) -> list[str]:
            item = int(ranking.items[row])
            return [
                rank_text(float(ranking.ranks[row])),
                "★" if row == ranking.heldout else "",
                catalogue.titles[item] + ("  ← held out" if row == ranking.heldout else ""),
                str(catalogue.years[item] or ""),
                " ".join(catalogue.genres[item]),
                f"{ranking.scores[row]:.3f}",
                f"{ranking.gmf[row]:+.3f}",
                f"{ranking.mlp[row]:+.3f}",
                f"{data.seen_by[item]:,}",
            ]

        table = self.query_one("#ranking-table", Table)
        table.scroll_to(y=0, animate=False)
        table.show_rows(len(ranking.items), cells, marked=ranking.heldout)
        self._draw_story()

    def _show_list(self, user: int) -> None:
        """Draw the user list, with the cursor on `user` if it is still there."""
        if self.users is None:
            return
        order, table = self.list.order, self.query_one("#users", Table)
        cursor = self.list.position(user)
        table.show_rows(len(order), self.list.cells, cursor=cursor)
        pane = self.query_one("#users-pane")
        pane.border_title = f"users · {SORTS[self.list.sort]} · {len(order):,}"
        if not order:
            self.user, self.ranking = -1, None
            self.query_one("#story", Static).update("no user matches")
            for name in ("#ranking-table", "#history-table"):
                self.query_one(name, Table).show_rows(0, lambda _row: [])

    @on(Table.Highlighted, "#users")
    def choose_user(self, event: Table.Highlighted) -> None:
        if self.users is None or event.row >= len(self.list.order):
            return
        user = self.list.order[event.row]
        if user == self.user:
            return
        self.user, self.ranking = user, None
        self._draw_story()
        self._show_history(self.users)
        self.query_one("#ranking-table", Table).show_rows(0, lambda _row: [])
        if self.ranker is not None:
            self.rank(self.ranker, user)

    def _show_history(self, users: "Users") -> None:
        data = users.dataset
        items = data.history(self.user)[::-1]

        def cells(row: int) -> list[str]:
            item = int(items[row])
            return [
                f"{len(items) - row}",
                data.catalogue.titles[item],
                str(data.catalogue.years[item] or ""),
                " ".join(data.catalogue.genres[item]),
                f"{data.seen_by[item]:,}",
            ]

        self.query_one("#history-table", Table).show_rows(len(items), cells)

    def _draw_head(self, state: str) -> None:
        info = self.info
        text = Text.assemble(
            ("neumf-tui", "bold"), " ▸ explore  ", (clean(info.name), "bold"),
            f"  {info.dataset.label}  {info.preset}  {state}",
        )  # fmt: skip
        self.query_one("#run-head", Static).update(text)

    def _draw_story(self) -> None:
        """The three lines above the list: who, ruler, and the figures."""
        users, user = self.users, self.user
        if users is None or user < 0:
            return
        width = max(20, self.query_one("#story").size.width - 2)
        pane = self.query_one("#user-pane")
        seen = int(users.history_sizes[user])
        pane.border_title = Text(f"user {clean(users.dataset.user_ids[user])} ── {seen:,} watched")
        last = users.dataset.num_items - seen
        story = Text()
        title = clean(users.heldout_title(user))
        if not title:
            story.append("nothing is held out: a single interaction")
            self.query_one("#story", Static).update(story)
            return
        # Until the model has answered, the rank on the tape is what is known.
        rank = self.ranking.heldout_rank if self.ranking else None
        shown = float(users.ranks[user]) if rank is None else rank
        known = shown == shown
        story.append("held out: ")
        story.append(title, "bold")
        tape = [float(r) for r in users.tape[:, user]]
        if len(tape) > 1:
            story.append(f"  epochs {sparkline(tape, last, 20)} {journey(tape)}")
        story.append("\n")
        story.append(ruler(shown if known else None, last, width) + "\n")
        if known:
            hit = shown <= CUTOFF
            story.append(f"rank {rank_text(shown)} of {last:,} · ")
            story.append("hit ✓" if hit else "miss ✗", "bold green" if hit else "bold red")
            story.append(f" · popularity alone {rank_text(users.popularity_rank(user))}")
        self.query_one("#story", Static).update(story)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_story)

    def action_heldout(self) -> None:
        if self.ranking and self.ranking.heldout >= 0:
            self.action_tab("ranking")
            self.query_one("#ranking-table", Table).show_in_middle(self.ranking.heldout)

    def action_tab(self, name: str) -> None:
        self.query_one(TabbedContent).active = name
        self.query_one(f"#{name}-table", Table).focus()

    def action_miss(self, step: int) -> None:
        row = self.list.next_miss(self.query_one("#users", Table).cursor, step)
        if row is None:
            self.notify("No miss in this list.")
        else:
            self.query_one("#users", Table).cursor = row

    def action_random(self) -> None:
        if self.list.order:
            self.query_one("#users", Table).cursor = random.randrange(len(self.list.order))

    def action_sort(self) -> None:
        self.list.next_sort()
        self._show_list(self.user)

    def action_search(self) -> None:
        search = self.query_one("#search", Input)
        search.add_class("-shown")
        search.focus()

    @on(Input.Changed, "#search")
    def search_users(self, event: Input.Changed) -> None:
        self.list.search(event.value)
        self._show_list(self.user)

    @on(Input.Submitted, "#search")
    def end_search(self) -> None:
        self.query_one("#users", Table).focus()

    def action_back(self) -> None:
        search = self.query_one("#search", Input)
        if search.has_class("-shown"):
            search.value = ""
            search.remove_class("-shown")
            self.query_one("#users", Table).focus()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()
