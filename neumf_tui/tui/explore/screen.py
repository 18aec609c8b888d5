"""The explore screen: pick a person, see the ranked films, why they stand so, and where the held-out one landed."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Footer, Static, TabbedContent, TabPane

from neumf_tui.errors import RunError
from neumf_tui.explore.user_list import UserList
from neumf_tui.runs.checkpoint import best_epoch, checkpoint_epochs, describe_epoch, find_checkpoint
from neumf_tui.runs.protocol import is_flattered, protocol_line, protocol_of
from neumf_tui.runs.reader import rank_epochs, read_info
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.explore.people_pane import PeoplePane
from neumf_tui.tui.explore.person_panes import (
    HistoryPane,
    JourneyPane,
    NearestPane,
    NearMissPane,
    PersonPane,
)
from neumf_tui.tui.explore.story import story
from neumf_tui.tui.navigation import (
    ModelLoaded,
    OpenComparison,
    OpenFailures,
    OpenGuest,
    OpenItem,
)
from neumf_tui.tui.widgets.ranked_items import RankedItemTable
from neumf_tui.tui.widgets.ranking_pane import RankingPane
from neumf_tui.tui.widgets.table import Table

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Ranker, UserRanking, Who
    from neumf_tui.explore.users import Users
    from neumf_tui.explore.why import Why
    from neumf_tui.views.sheet import Sheet

ORDERS = ("score", "gmf", "mlp")
ORDER_NAMES = {"score": "score", "gmf": "GMF alone", "mlp": "MLP alone"}


@dataclass(frozen=True, eq=False)
class Opened:
    """A model at some epoch, with all that changes with it, so that it is shown at one go."""

    ranker: "Ranker"
    users: "Users"
    why: "Why | None"
    """Of the first film of the person that was chosen when this was asked."""


def ranked(ranker: "Ranker", who: "Who", by: str) -> "Why":
    """A person's ranking, in a thread, with why the film on top of it is there: drawn at one go with it."""
    from neumf_tui.explore.why import why

    return why(ranker, ranker.rank(who, by), 0)


class ExploreScreen(SheetScreen):
    """People on the left, one person's story on the right.

    What stands on the right, its title too, is of one person and one epoch: all of it changes when the model has answered, and
    none of it before.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "guest", "New user", tooltip="Pick films; on a guest: go on with them", id="explore.guest"),
        Binding("F", "failures", "Failed", tooltip="All users: whom the model serves badly", id="explore.failures"),
        Binding("x", "compare", "Compare", tooltip="Another epoch or run beside this one", id="explore.compare"),
        Binding("slash", "search", "Search", key_display="/", tooltip="People by id or held-out title", id="explore.search"),
        Binding("n", "miss(1)", "Miss", tooltip="Next user whose film is outside the top 50", id="explore.next-miss"),
        Binding("N", "miss(-1)", "Previous miss", show=False, tooltip="The miss before", id="explore.previous-miss"),
        Binding("h", "heldout", "Held-out", show=False, tooltip="Go to the held-out film in the list", id="explore.heldout"),
        Binding("right", "epoch(1)", "Epoch", key_display="←→", tooltip="The model an epoch later", id="explore.later"),
        Binding("left", "epoch(-1)", "Epoch before", show=False, tooltip="The model an epoch earlier", id="explore.earlier"),
        Binding("shift+right", "epoch(1, True)", "Newest epoch", show=False, tooltip="The newest epoch", id="explore.newest"),
        Binding("shift+left", "epoch(-1, True)", "First epoch", show=False, tooltip="The first epoch", id="explore.first"),
        Binding("B", "best", "Best epoch", show=False, tooltip="The epoch with the best Hit@50 on validation", id="explore.best"),
        Binding("b", "order", "By part", show=False, tooltip="Order by score, by GMF alone, by MLP alone", id="explore.order"),
        Binding("o", "sort", "Sort", show=False, tooltip="Another order of the people", id="explore.sort"),
        Binding("enter", "open", "Film", show=False, tooltip="What is like the film, and who gets it", id="explore.open"),
        Binding("t", "find", "Find film", show=False, tooltip="Go to a film by its title", id="explore.find"),
        Binding("d", "why", "Details", show=False, tooltip="Why the film under the cursor stands there", id="explore.why"),
        Binding("c", "raw", "Centre", show=False, tooltip="Parts less their means, or as they are", id="explore.raw"),
        Binding("l", "loss", "Loss", show=False, tooltip="The loss below the ranks over epochs", id="explore.loss"),
        Binding("r", "random", "Random", show=False, tooltip="Anybody of the list", id="explore.random"),
        Binding("1", "tab('ranking')", "Ranking", show=False, tooltip="The ranked films", id="explore.ranking"),
        Binding("2", "tab('history')", "History", show=False, tooltip="What the user has seen", id="explore.history"),
        Binding("3", "tab('nearest')", "Nearest users", show=False, tooltip="Users with like vectors", id="explore.nearest"),
        Binding("4", "tab('epochs')", "Epochs", show=False, tooltip="The rank over all epochs", id="explore.epochs"),
        Binding("5", "tab('near-miss')", "Near miss", show=False, tooltip="What the film lacked", id="explore.near-miss"),
    ]  # fmt: skip

    def __init__(
        self, folder: Path, home: Path, user_id: str | None = None, which: str | None = None
    ) -> None:
        super().__init__()
        self.folder, self.home = folder, home
        self.info = read_info(folder)
        self.users: Users | None = None
        self.ranker: Ranker | None = None
        self.ranking: UserRanking | None = None
        """What is shown on the right."""
        self.by, self.epoch = "score", 0
        self._first, self._which = user_id, which
        self._then: Callable[[], None] | None = None
        """What was asked for while a model was being opened."""
        self._to_heldout = False
        """Whether the held-out film was asked for before the person's list was there."""
        self._stale: set[str] = set()
        """Tabs that do not show this person and epoch yet."""

    def compose(self) -> ComposeResult:
        yield Static(id="run-head")
        with Horizontal(id="explore-body"):
            yield PeoplePane()
            with Vertical(id="user-pane"):
                yield Static(id="story")
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
        if self.info.dataset.simulated:
            yield Static("simulated viewers: the built-in demo set", id="explore-notice")
        yield Footer(show_command_palette=False)

    # Loading.

    def on_mount(self) -> None:
        self._draw_head("loading")
        self.query_one("#user-tabs Tabs").can_focus = False
        self.people.table.focus()
        # Two seconds of import: begun at once, while the users are read.
        self.ask("import", lambda _: import_module("neumf_tui.explore.ranker"), lambda _: None)
        self.ask("users", lambda _: self._read_users(), self._take_users)

    def _read_users(self) -> "tuple[Users, int, list[Guest], list[str]]":
        """The users and the epoch that the model to be opened is of, and the guests."""
        from neumf_tui.explore.guests import guests_of
        from neumf_tui.explore.users import load_users

        users = load_users(self.folder, self.home)
        try:
            epoch = int(find_checkpoint(self.folder, self._which).stem.partition("-")[0])
        except RunError:
            epoch = max(
                users.epochs, default=0
            )  # why there is no model is said when it is to be opened
        return users, epoch, *guests_of(self.home, users.dataset)

    def _take_users(self, read: "tuple[Users, int, list[Guest], list[str]]") -> None:
        self.users, self.epoch, guests, problems = read
        people = self.people
        people.take(self.users, guests, self.users.ranks_at(self.epoch))
        for problem in problems:
            self.notify(clean(problem), severity="warning", markup=False, timeout=10)
        if self._first is not None:
            people.who = self.users.dataset.user_index(self._first)
        elif len(people.list.order) > len(guests):
            people.who = people.list.who(len(guests))
        people.show(people.who)
        self._show_untold()
        self._open_model(self._which)

    def _open_model(self, which: str | None) -> None:
        users, who, by = self.users, self.who, self.by
        assert users is not None

        def open_model() -> Opened:
            from neumf_tui.explore.ranker import Ranker
            from neumf_tui.explore.users import load_users

            ranker = Ranker(self.folder, self.home, which, users.dataset)
            # A living trainer writes more ranks.
            now = (
                users
                if rank_epochs(self.folder) == users.epochs
                else load_users(self.folder, self.home)
            )
            return Opened(ranker, now, None if who is None else ranked(ranker, who, by))

        self.ask("model", lambda _: open_model(), self._take_model)

    def _take_model(self, opened: Opened) -> None:
        if self.ranker is None:
            # What is there by now, PyTorch above all, stays: looking through it for garbage took 0.15 s every few key presses.
            gc.freeze()
        self.ranker, self.users = opened.ranker, opened.users
        self.epoch = opened.ranker.epoch
        self._draw_head()
        self.post_message(ModelLoaded(opened.ranker))
        self.people.take(self.users, self.list.guests, self.users.ranks_at(self.epoch))
        self.people.show(self.who)
        if (
            opened.why is not None
            and opened.why.ranking.person.who == self.who
            and opened.why.ranking.by == self.by
        ):
            self.drop("rank")  # one that was asked of the model before
            self._take_ranking(opened.why)
        else:
            self._ask_ranking()
        if self._then is not None:
            then, self._then = self._then, None
            then()

    def _once_open(self, action: Callable[[], None]) -> bool:
        """Whether the model that is meant is open; if it is still being opened, `action` is done when it is."""
        if self.ranker is not None and self.ranker.epoch == self.epoch:
            return True
        if self.waiting("model") or self.ranker is None:
            self._then = action
        return False

    def show_problem(self, text: str) -> None:
        if self.ranker is None:
            self.query_one("#story", Static).update(Text(clean(text), "bold red"))
            self._draw_head("failed")
        else:
            super().show_problem(clean(text))
            self.epoch, self._then = self.ranker.epoch, None
            self._draw_head()

    def on_screen_resume(self) -> None:
        """Guests may have come or gone on another screen."""
        if self.users is None:
            return
        users = self.users

        def read() -> "list[Guest]":
            from neumf_tui.explore.guests import guests_of

            return guests_of(self.home, users.dataset)[0]

        def take(guests: "list[Guest]") -> None:
            if self.users is not None and guests != list(self.list.guests):
                gone = (
                    self.who is not None
                    and not isinstance(self.who, int)
                    and self.who not in guests
                )
                self.people.take(self.users, guests, self.list.ranks)
                named = next(
                    (
                        guest
                        for guest in guests
                        if gone and guest.name == getattr(self.who, "name", "")
                    ),
                    None,
                )
                self.people.show(named or self.who)

        self.ask("guests", lambda _: read(), take)

    # People.

    @property
    def people(self) -> PeoplePane:
        return self.query_one(PeoplePane)

    @property
    def list(self) -> UserList:
        return self.people.list

    @property
    def who(self) -> "Who | None":
        """The person chosen on the left."""
        return self.people.who

    @property
    def user(self) -> int:
        """User index chosen on the left, or -1."""
        return self.who if isinstance(self.who, int) else -1

    def _show_nobody(self, text: str) -> None:
        self.ranking = None
        self.drop("rank")
        self.query_one("#user-pane").border_title = ""
        self.query_one("#story", Static).update(text)
        self.query_one(RankingPane).clear()
        for pane in self.query(PersonPane):
            pane.clear()
        self._stale = set()

    @on(PeoplePane.Picked)
    def choose(self, event: PeoplePane.Picked) -> None:
        if event.who != self.who:
            return  # another was chosen since; their own message comes
        if event.who is None:
            self._show_nobody("nobody matches")
        elif self.ranker is None:
            self._show_untold()
        else:
            self._ask_ranking()

    def _show_untold(self) -> None:
        """What is known of a person before the model is there: the tape's rank, and the history."""
        self._draw_story()
        self._stale = {"history"}
        self._fill_tab()

    def choose_who(self, who: "Who") -> None:
        self.people.go_to(who)

    def _ask_ranking(self) -> None:
        ranker, who, by = self.ranker, self.who, self.by
        if ranker is not None and who is not None:
            self.ask("rank", lambda _: ranked(ranker, who, by), self._take_ranking)

    def _take_ranking(self, first: "Why") -> None:
        ranking = first.ranking
        if self.users is None or self.ranker is None or ranking.person.who != self.who:
            return  # the person went while an epoch was being opened; their own answer comes
        with self.app.batch_update():
            self.ranking = ranking
            self.query_one(RankingPane).show_first(self.ranker, first)
            self._draw_story()
            self._draw_tab_names()
            for pane in self.query(PersonPane):
                if pane.NAME not in self._stale:
                    pane.clear()
                    self._stale.add(pane.NAME)
            self._fill_tab()
        if self._to_heldout:
            self.action_heldout()

    @on(TabbedContent.TabActivated)
    def _fill_tab(self) -> None:
        """Fill the tab in front, if it does not show this person yet."""
        name = self.query_one(TabbedContent).active
        if name not in self._stale or self.users is None or self.who is None:
            return
        if name == "history":
            self.query_one(HistoryPane).show_history(
                self.users, self.ranking.person.who if self.ranking else self.who
            )
        elif self.ranker and self.ranking:
            self.query_one(f"#{name} PersonPane", PersonPane).show_person(
                self.ranker, self.users, self.ranking
            )
        else:
            return
        self._stale.discard(name)

    # Drawing.

    def _draw_head(self, state: str = "") -> None:
        info = self.info
        text = Text.assemble(
            ("neumf-tui", "bold"), " ▸ explore  ", (clean(info.name), "bold"), f"  {info.dataset.label}  {info.preset}  ",
        )  # fmt: skip
        text.append(state or self._epoch_text(self.app.size.width - 2 - text.cell_len))
        self.query_one("#run-head", Static).update(text)

    def _epoch_text(self, width: int) -> str:
        """The epoch, and what chose it, in about `width` cells."""
        newest = max(checkpoint_epochs(self.folder), default=self.epoch)
        opening = "" if self.ranker and self.ranker.epoch == self.epoch else " …"
        number = (
            f"epoch {self.epoch} of {newest}" if newest != self.epoch else f"epoch {self.epoch}"
        )
        what = describe_epoch(self.folder, self.epoch)
        if what in ("", "last"):
            return number + opening
        long, short = f"{number} ({what}){opening}", f"{number} ({what.partition(' ')[0]}){opening}"
        return long if len(long) <= width else short

    def _draw_protocol(self) -> None:
        pane, protocol = self.query_one("#user-pane"), protocol_of(self.info)
        pane.set_class(is_flattered(protocol), "-flattered")
        pane.border_subtitle = protocol_line(protocol, pane.outer_size.width - 5)

    def _draw_story(self) -> None:
        users, who = self.users, self.ranking.person.who if self.ranking else self.who
        if users is None or who is None:
            return
        box = self.query_one("#story", Static)
        pane = self.query_one("#user-pane")
        name = (
            f"user {users.dataset.user_ids[who]}" if isinstance(who, int) else f"guest {who.name}"
        )
        seen = int(users.history_sizes[who]) if isinstance(who, int) else len(who.item_ids)
        pane.border_title = Text(f"{clean(name)} ── {seen:,} watched")
        rank = float(self.list.ranks[who]) if isinstance(who, int) else float("nan")
        box.update(story(users, who, self.ranking, rank, max(20, box.size.width - 2)), layout=False)

    def _draw_tab_names(self) -> None:
        """The first tab says what its list is ordered by."""
        raw = " raw" if self.query_one(RankedItemTable).raw else ""
        by = "ranking" if self.by == "score" else f"by {ORDER_NAMES[self.by]}"
        tab, name = self.query_one(TabbedContent).get_tab("ranking"), f"1 {by}{raw}"
        if str(tab.label) != name:  # it lays the screen out anew
            tab.label = name

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_story)
        self.call_after_refresh(self._draw_protocol)

    # Out of the screen.

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        ranker, ranking = self.ranker, self.ranking
        if ranker is None or ranking is None:
            return None
        name = self.query_one(TabbedContent).active
        if name == "history":
            from neumf_tui.views.person import history_sheet

            return lambda: history_sheet(ranker, ranking)
        if name != "ranking":
            return self.query_one(f"#{name} PersonPane", PersonPane).sheet
        from neumf_tui.views.person import ranking_sheet

        return lambda: ranking_sheet(ranker, ranking)

    # Keys.

    def action_heldout(self) -> None:
        self._to_heldout = (
            self.ranking is None or self.ranking.person.who != self.who
        )  # then once their list is there
        if not self._to_heldout and self.ranking and self.ranking.heldout >= 0:
            self.action_tab("ranking")
            self.query_one(RankedItemTable).show_in_middle(self.ranking.heldout)

    def action_tab(self, name: str) -> None:
        self.query_one(TabbedContent).active = name
        focus = (
            "#ranking-table"
            if name == "ranking"
            else self.query_one(f"#{name} PersonPane", PersonPane).FOCUS
        )
        self.query_one(focus).focus()

    def action_miss(self, step: int) -> None:
        if not self.people.go_to_miss(step):
            self.notify("No miss in this list.")

    def action_random(self) -> None:
        self.people.go_anywhere()

    def action_sort(self) -> None:
        self.people.next_sort()

    def action_order(self) -> None:
        self.by = ORDERS[(ORDERS.index(self.by) + 1) % len(ORDERS)]
        self._ask_ranking()

    def action_raw(self) -> None:
        self.query_one(RankingPane).toggle_raw()
        self._draw_tab_names()

    def action_why(self) -> None:
        if self.query_one(TabbedContent).active != "ranking":
            self.action_tab("ranking")
        self.query_one(RankingPane).toggle_why()

    def action_loss(self) -> None:
        self.action_tab("epochs")
        self.query_one(JourneyPane).toggle_loss()

    def action_epoch(self, step: int, far: bool = False) -> None:
        """The next epoch in that direction with a checkpoint, or the first or newest there is."""
        epochs = checkpoint_epochs(self.folder)
        beyond = [epoch for epoch in epochs if (epoch - self.epoch) * step > 0]
        if self.ranker is not None and beyond:
            self._go_to_epoch(max(beyond) if (step > 0) == far else min(beyond))

    def _go_to_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self._draw_head()
        self._open_model(str(epoch))

    def action_best(self) -> None:
        """The epoch with the best Hit@50, by validation where there is one."""
        best = best_epoch(self.folder)
        if best is None:
            self.notify("Nothing was evaluated yet.")
        else:
            self._go_to_epoch(best)

    @on(Table.Chosen, "#journey-table")
    def choose_epoch(self, event: Table.Chosen) -> None:
        if (
            self.users is not None
            and self.ranker is not None
            and event.row < len(self.users.epochs)
        ):
            epoch = self.users.epochs[event.row]
            if epoch in checkpoint_epochs(self.folder):
                self._go_to_epoch(epoch)
            else:
                self.notify(f"No checkpoint of epoch {epoch} was kept.")

    # Other screens.

    @on(Table.Chosen, "#ranking-table, #history-table, #nearest-gmf, #nearest-mlp")
    def action_open(self) -> None:
        """The film under the cursor; from the people, on to the films; from a near user, that user."""
        focused, users = self.focused, self.users
        if users is None or not isinstance(focused, Table) or not focused.row_count:
            return
        if focused.id == "users":
            self.action_tab("ranking")
        elif focused.id == "journey-table":
            self.post_message(Table.Chosen(focused, focused.cursor))
        elif focused.id in ("nearest-gmf", "nearest-mlp"):
            user = self.query_one(NearestPane).user_at(focused, users)
            if user is not None:
                self.choose_who(user)
        elif (item := self._item_at(focused)) is not None and self.ranker is not None:
            self.navigate(OpenItem(self.ranker, users, item))

    def _item_at(self, table: Table) -> int | None:
        """Item index under the cursor of a list of films."""
        if table.id == "ranking-table" and self.ranking is not None:
            return int(self.ranking.items[table.cursor])
        if table.id == "history-table":
            return int(self.query_one(HistoryPane).items[table.cursor])
        return None

    def action_find(self) -> None:
        """Go to a film by its title, in the ranking or the history, wherever this person has it."""
        users = self.users
        if users is None or self.ranking is None:
            return

        from neumf_tui.tui.widgets.item_picker import ItemDialog

        self.app.push_screen(ItemDialog(users.dataset), self._go_to_film)

    def _go_to_film(self, item: int | None) -> None:
        if item is None or self.ranking is None:
            return
        for name, items in (
            ("ranking", self.ranking.items),
            ("history", self.ranking.person.history[::-1]),
        ):
            rows = (items == item).nonzero()[0]
            if len(rows):
                self.action_tab(name)
                self._fill_tab()
                self.query_one(f"#{name}-table", Table).show_in_middle(int(rows[0]))

    def action_failures(self) -> None:
        if self.users is not None:
            epoch = self.ranker.epoch if self.ranker else (self.users.epochs or [0])[-1]
            self.navigate(OpenFailures(self.ranker, self.users, epoch))

    def action_guest(self) -> None:
        if (
            self._once_open(self.action_guest)
            and self.users is not None
            and self.ranker is not None
        ):
            guest = None if isinstance(self.who, int) else self.who
            self.navigate(OpenGuest(self.ranker, self.users, guest))

    def action_compare(self) -> None:
        ranker, users, who = self.ranker, self.users, self.who
        if (
            self._once_open(self.action_compare)
            and ranker is not None
            and users is not None
            and who is not None
        ):
            self.navigate(OpenComparison(ranker, users, who))

    # Search.

    def action_search(self) -> None:
        self.people.begin_search()

    def end_aside(self) -> bool:
        searching = self.people.searching
        if searching:
            self.people.end_search()
        return searching
