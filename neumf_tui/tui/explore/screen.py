"""The explore screen: choose a person, see their ranked items, and why the items are there."""

import gc
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from neumf_tui.explore.guests import Guest, Who, guests_of
from neumf_tui.runs.checkpoint import best_epoch, model_epochs, pruned_text
from neumf_tui.runs.reader import read_info
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.explore.epochs import epoch_in_direction, epoch_text
from neumf_tui.tui.explore.loading import (
    OpenedModel,
    People,
    open_model,
    rank_and_explain,
    read_people,
)
from neumf_tui.tui.explore.people_pane import PeoplePane
from neumf_tui.tui.explore.person_panes import NearestPane
from neumf_tui.tui.explore.person_view import PersonView
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import (
    ModelLoaded,
    OpenComparison,
    OpenDataset,
    OpenFailures,
    OpenGuest,
    OpenItem,
)
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.tui.widgets.head_text import head
from neumf_tui.tui.widgets.item_picker import ItemDialog
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.model_label import model_label
from neumf_tui.views.people import nobody_text

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker, UserRanking
    from neumf_tui.explore.user_search import UserList
    from neumf_tui.explore.users import Users
    from neumf_tui.explore.why import Explanation
    from neumf_tui.views.sheet import Sheet

NEAREST_TABLES = ("nearest-first", "nearest-second")


class ExploreScreen(SheetScreen):
    """People on the left, one person on the right.

    Everything on the right, its title too, is about one person and one epoch: all of it changes
    together when the model has answered.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "explore",
        shown("d", "why", "Why", "Show or hide why the {item} under the cursor is there"),
        shown("f", "guest", "New user", "Pick {items} for a new user, or edit the guest"),
        shown("F", "failures", "Failures", "The users whom the model serves badly"),
        shown("x", "compare", "Compare", "Compare with another epoch or run"),
        shown("slash", "search", "Search", "Search people by id or held-out title", display="/"),
        hidden("n", "miss(1)", "Miss", "Next user who is a miss", key_id="next-miss"),
        hidden("N", "miss(-1)", "Previous miss", "Previous user who is a miss",
               key_id="previous-miss"),
        hidden("h", "heldout", "Held-out", "Go to the held-out {item} in the list"),
        shown("right", "epoch(1)", "Epoch", "The next epoch", key_id="later", display="←→"),
        hidden("left", "epoch(-1)", "Epoch before", "The previous epoch", key_id="earlier"),
        hidden("shift+right", "epoch(1, True)", "Last epoch", "The newest epoch", key_id="newest"),
        hidden("shift+left", "epoch(-1, True)", "First epoch", "The first epoch", key_id="first"),
        hidden("B", "best", "Best epoch", "The epoch with the best Hit@50 on validation"),
        hidden("b", "order", "By part", "Order by the score, or by one part of it alone"),
        hidden("o", "sort", "Sort", "Sort the people in another order"),
        hidden("enter", "open", "{Item}", "Similar {items}, and the users who get this {item}"),
        hidden("t", "find", "Find {item}", "Go to the {item} with this title"),
        hidden("c", "raw", "Centre", "Scores relative to their mean, or as the model gives them"),
        hidden("l", "loss", "Loss", "Show or hide the loss below the ranks over epochs"),
        hidden("D", "dataset", "Dataset", "What the dataset is, and how it is split"),
        hidden("r", "random", "Random", "Go to a random person of the list"),
        hidden("1", "tab('ranking')", "Ranking", "The ranked {items}", key_id="ranking"),
        hidden("2", "tab('history')", "History", "What the user has seen", key_id="history"),
        hidden("3", "tab('nearest')", "Nearest users", "Similar users", key_id="nearest"),
        hidden("4", "tab('epochs')", "Epochs", "The rank after each epoch", key_id="epochs"),
        hidden("5", "tab('near-miss')", "Near miss", "What the {item} lacks", key_id="near-miss"),
    )  # fmt: skip

    people = getters.query_one(PeoplePane)
    person = getters.query_one(PersonView)

    def __init__(
        self, folder: Path, home: Path, user_id: str | None = None, which: str | None = None
    ) -> None:
        """`user_id` and the checkpoint `which`, as for `find_checkpoint`, are shown first."""
        super().__init__()
        self.folder, self.home = folder, home
        self.info = read_info(folder)
        self.noun = self.info.dataset.noun
        self.users: Users | None = None
        self.ranker: Ranker | None = None
        self.by, self.epoch = "score", 0
        self._first_user, self._first_checkpoint = user_id, which
        self._continue: Callable[[], None] | None = None
        """What was asked for while a model was being opened."""
        self._goes_to_heldout = False
        """Whether the held-out item was asked for before the person's list was there."""

    def compose(self) -> ComposeResult:
        yield FittedText(id="run-head")
        with Horizontal(id="explore-body"):
            yield PeoplePane()
            yield PersonView()
        yield ProtocolLine(self.info)
        yield Footer(show_command_palette=False)

    @property
    def user_list(self) -> "UserList":
        return self.people.user_list

    @property
    def who(self) -> Who | None:
        """The person chosen on the left."""
        return self.people.who

    @property
    def ranking(self) -> "UserRanking | None":
        """The ranking shown on the right."""
        return self.person.ranking

    @property
    def user(self) -> int:
        """The user index chosen on the left, or -1."""
        return self.who if isinstance(self.who, int) else -1

    # Loading.

    def on_mount(self) -> None:
        self._draw_head("loading")
        self.people.table.focus()
        # This import takes a while, so it starts while the users are read.
        self.ask("import", lambda _: import_module("neumf_tui.explore.ranker"), lambda _: None)
        which = self._first_checkpoint
        self.ask("users", lambda _: read_people(self.folder, self.home, which), self._take_people)

    def _take_people(self, read: People) -> None:
        self.users, self.epoch = read.users, read.epoch
        people = self.people
        people.set_people(self.users, read.guests, self.users.ranks_at(self.epoch))
        for problem in read.problems:
            self.notify(clean(problem), severity="warning", markup=False, timeout=10)
        if self._first_user is not None:
            people.who = self.users.dataset.user_index(self._first_user)
        elif len(self.user_list.order) > len(read.guests):
            people.who = self.user_list.who(len(read.guests))
        people.show(people.who)
        self._show_pending()
        self._open_model(self._first_checkpoint)

    def _open_model(self, which: str | None) -> None:
        users, who, by = self.users, self.who, self.by
        assert users is not None
        self.ask(
            "model",
            lambda _: open_model(self.folder, self.home, which, users, who, by),
            self._take_model,
        )

    def _take_model(self, opened: OpenedModel) -> None:
        if self.ranker is None:
            # What is imported by now stays for good. Searching it for garbage would take 0.15 s
            # every few key presses.
            gc.freeze()
        self.ranker, self.users = opened.ranker, opened.users
        self.epoch = opened.ranker.epoch
        self.warn(opened.ranker.note)
        self._draw_head()
        self.post_message(ModelLoaded(opened.ranker))
        self.people.set_people(self.users, self.user_list.guests, self.users.ranks_at(self.epoch))
        self.people.show(self.who)
        why = opened.why
        if self.by not in self.ranker.orders:
            self.by = "score"
        if why and why.ranking.person.who == self.who and why.ranking.by == self.by:
            self.drop("rank")  # asked of the model before
            self._take_ranking(why)
        elif opened.problem:
            self._show_no_ranking(opened.problem)
        else:
            self._ask_ranking()
        if self._continue is not None:
            action, self._continue = self._continue, None
            action()

    @property
    def holds_keys(self) -> bool:
        return self._continue is not None or super().holds_keys

    def drop_held(self) -> None:
        super().drop_held()
        self._continue = None

    def _when_loaded(self, action: Callable[[], None]) -> bool:
        """Return whether the model of this epoch is open; if not, do `action` when it is."""
        if self.ranker is not None and self.ranker.epoch == self.epoch:
            return True
        if self.waiting("model") or self.waiting("users"):
            self._continue = action
        return False

    def show_problem(self, text: str) -> None:
        self._continue = None
        if self.ranker is None:
            self.person.show_problem(clean(text))
            self._draw_head("failed")
        else:
            super().show_problem(clean(text))
            self.epoch = self.ranker.epoch
            self._draw_head()

    def on_screen_resume(self) -> None:
        """Read the guests again: another screen may have saved or deleted one."""
        users = self.users
        if users is not None:
            self.ask("guests", lambda _: guests_of(self.home, users.dataset), self._take_guests)

    def _take_guests(self, found: tuple[list[Guest], list[str]]) -> None:
        (guests, _), who = found, self.who
        if self.users is None or guests == list(self.user_list.guests):
            return
        self.people.set_people(self.users, guests, self.user_list.ranks)
        if who is not None and not isinstance(who, int):
            # A guest whose items have changed is another guest of the same name.
            same_name = (guest for guest in guests if guest.name == who.name)
            who = who if who in guests else next(same_name, who)
        self.people.show(who)

    # People and their rankings.

    @on(PeoplePane.Picked)
    def choose(self, event: PeoplePane.Picked) -> None:
        if event.who != self.who:
            return  # another person was chosen meanwhile, whose message follows
        if event.who is None:
            self.drop("rank")
            query = self.user_list.query
            self.person.show_nobody(nobody_text(self.users.dataset, query) if self.users else "")
        elif self.ranker is None:
            self._show_pending()
        else:
            self._ask_ranking()

    def _show_pending(self) -> None:
        if self.users is not None and self.who is not None:
            self.person.show_pending(self.users, self.who, self._tape_rank)

    @property
    def _tape_rank(self) -> float:
        return float(self.user_list.ranks[self.who]) if isinstance(self.who, int) else float("nan")

    def choose_who(self, who: Who) -> None:
        self.people.go_to(who)

    def _ask_ranking(self) -> None:
        ranker, who, by = self.ranker, self.who, self.by
        if ranker is not None and who is not None:
            work, failed = partial(rank_and_explain, ranker, who, by), self._show_no_ranking
            self.ask("rank", lambda _: work(), self._take_ranking, failed)

    def _show_no_ranking(self, problem: str) -> None:
        if self.ranker is not None and self.users is not None and self.who is not None:
            self._goes_to_heldout = False
            args = self.ranker, self.users, self.who, self._tape_rank, clean(problem)
            self.person.show_no_ranking(*args)

    def _take_ranking(self, first: "Explanation") -> None:
        ranking = first.ranking
        if self.ranker is None or self.users is None or ranking.person.who != self.who:
            return  # another person was chosen meanwhile, whose answer follows
        with self.app.batch_update():
            self.person.show_ranking(self.ranker, self.users, first, self._tape_rank)
        if self._goes_to_heldout:
            self.action_heldout()

    def _draw_head(self, state: str = "") -> None:
        self.query_one("#run-head", FittedText).show(partial(self._head, state))

    def _head(self, state: str, width: int) -> Text:
        text = head("explore", self.info.name)
        text.append(f"  {clean(self.info.dataset.label)}  {clean(model_label(self.info))}  ")
        is_open = self.ranker is not None and self.ranker.epoch == self.epoch
        room = width - text.cell_len
        return text.append(state or epoch_text(self.folder, self.epoch, is_open, room))

    # Lists.

    def sheet_maker(self) -> "Callable[[], Sheet] | None":
        return self.person.sheet_maker()

    def action_tab(self, name: str) -> None:
        self.person.open_tab(name)

    def action_heldout(self) -> None:
        # Without this person's list yet, it is done when the list is there.
        self._goes_to_heldout = self.ranking is None or self.ranking.person.who != self.who
        if not self._goes_to_heldout:
            self.person.go_to_heldout()

    def action_order(self) -> None:
        if self.ranker is not None:
            orders = self.ranker.orders
            self.by = orders[(orders.index(self.by) + 1) % len(orders)]
            self._ask_ranking()

    def action_raw(self) -> None:
        self.person.toggle_raw()

    def action_why(self) -> None:
        self.person.toggle_why()

    def action_loss(self) -> None:
        self.person.toggle_loss()

    def action_find(self) -> None:
        def go(item: int | None) -> None:
            if item is not None:
                self.person.go_to_item(item)

        if self._when_loaded(self.action_find) and self.users and self.ranking:
            self.app.push_screen(ItemDialog(self.users.dataset), go)

    # People.

    def action_miss(self, step: int) -> None:
        if not self.people.go_to_miss(step):
            self.notify("No user in this list is a miss.")

    def action_random(self) -> None:
        self.people.go_to_random()

    def action_sort(self) -> None:
        self.people.next_sort()

    def action_search(self) -> None:
        self.people.start_search()

    def end_aside(self) -> bool:
        return self.people.end_search()

    # Epochs.

    def action_epoch(self, step: int, far: bool = False) -> None:
        epoch = epoch_in_direction(self.folder, self.epoch, step, far)
        if self.ranker is not None and epoch is not None:
            self._go_to_epoch(epoch)

    def _go_to_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self._draw_head()
        self._open_model(str(epoch))

    def action_best(self) -> None:
        best = best_epoch(self.folder)
        if best is None:
            self.notify("No epoch has been evaluated yet.")
        elif self.users is not None:
            self._go_to_epoch(best)

    @on(Table.Chosen, "#journey-table")
    def choose_epoch(self, event: Table.Chosen) -> None:
        if self.users is None or self.ranker is None or event.row >= len(self.users.epochs):
            return
        epoch = self.users.epochs[event.row]
        epochs = model_epochs(self.folder)
        if epoch in epochs:
            self._go_to_epoch(epoch)
        else:
            text = pruned_text(epoch, epochs)
            self.notify(f"{text[0].upper()}{text[1:]}.")

    # Other screens.

    @on(Table.Chosen, "#ranking-table, #history-table, #nearest-first, #nearest-second")
    def action_open(self) -> None:
        """Open what is under the cursor: an item, a user, an epoch, or a person's ranking."""
        table, users = self.focused, self.users
        if users is None or not isinstance(table, Table) or not table.row_count:
            return
        if table.id == "users":
            self.action_tab("ranking")
        elif table.id == "journey-table":
            self.post_message(Table.Chosen(table, table.cursor))
        elif table.id in NEAREST_TABLES:
            user = self.query_one(NearestPane).user_at(table, users)
            if user is not None:
                self.choose_who(user)
        elif (item := self.person.item_at(table)) is not None and self.ranker is not None:
            self.navigate(OpenItem(self.ranker, users, item))

    def action_dataset(self) -> None:
        self.navigate(OpenDataset(self.folder))

    def action_failures(self) -> None:
        if self.users is not None:
            epoch = self.ranker.epoch if self.ranker else (self.users.epochs or [0])[-1]
            self.navigate(OpenFailures(self.ranker, self.users, epoch))

    def action_guest(self) -> None:
        if self._when_loaded(self.action_guest) and self.users and self.ranker:
            guest = None if isinstance(self.who, int) else self.who
            self.navigate(OpenGuest(self.ranker, self.users, guest))

    def action_compare(self) -> None:
        is_loaded, who = self._when_loaded(self.action_compare), self.who
        if is_loaded and self.users and self.ranker and who is not None:
            self.navigate(OpenComparison(self.ranker, self.users, who))
