"""The compare screen: two models, A and B, on one person and on all users."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import TabbedContent, TabPane

from neumf_tui.runs.checkpoint import usual_checkpoint
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.compare.dialog import CompareDialog, Model
from neumf_tui.tui.compare.lists import mover_lines, show_list, show_users
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.navigation import OpenItem
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.head_text import head
from neumf_tui.tui.widgets.protocol_line import ProtocolLine
from neumf_tui.tui.widgets.scatter import RankScatter
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.beyond import tape_rank_text
from neumf_tui.views.model_label import model_label
from neumf_tui.views.sheet import Sheet

if TYPE_CHECKING:
    from neumf_tui.explore.compare import PersonComparison
    from neumf_tui.explore.compare_users import AllComparison
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users


class CompareScreen(SheetScreen):
    """B is loaded in a thread. What is shown of a person, name and lists, changes together."""

    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "compare",
        hidden("1", "tab('person')", "One person", "Both models' lists for one person",
               key_id="person"),
        hidden("2", "tab('all')", "All users", "All ranks in both models, and a test",
               key_id="all"),
        shown("enter", "open", "Open", "Open the {item}, or the user's lists"),
        hidden("left,right", "other_list", "Other list", "Go to the other list", key_id="side",
               display="←→"),
        hidden("h", "heldout", "Held-out", "Go to the held-out {item} in this list"),
        shown("n", "changed(1)", "Next change", "Next user whose hit was won or lost",
              key_id="next-change"),
        hidden("N", "changed(-1)", "Change before", "Previous user whose hit was won or lost",
               key_id="previous-change"),
        shown("o", "sort", "Sort", "Sort the users in another order"),
        shown("s", "swap", "Swap A, B", "Exchange A and B"),
        shown("x", "choose", "Other model", "Compare with another epoch or run"),
    )  # fmt: skip

    list_a = getters.query_one("#list-a", Table)
    list_b = getters.query_one("#list-b", Table)
    users_table = getters.query_one("#users-table", Table)
    scatter = getters.query_one(RankScatter)

    def __init__(self, a: "Ranker", users: "Users", who: "Who", other: Model) -> None:
        """`users` are those of A's run; `other` names B, which has the same dataset."""
        super().__init__()
        self.a, self.users_a, self.who = a, users, who
        self.noun = a.dataset.noun
        self.b: Ranker | None = None
        self.users_b: Users | None = None
        self.other = other
        self.person: PersonComparison | None = None
        self.all: AllComparison | None = None
        self.order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Rows of `all` in the order of the table."""
        self.sort = 0
        self._came_from_all = False
        """Whether the person was opened from the table of all users."""

    def compose(self) -> ComposeResult:
        yield Static(id="run-head")
        with TabbedContent(id="compare-tabs"):
            with TabPane("1 one person", id="person"):
                yield Static("reading the other model", id="compare-who")
                yield Static(id="compare-words", markup=False)
                yield Static(id="compare-movers", markup=False)
                with Horizontal(id="compare-lists"):
                    yield Table((), id="list-a")
                    yield Table((), id="list-b")
            with TabPane("2 all users", id="all"):
                yield Static("reading the ranks", id="all-words", markup=False)
                yield Static(id="all-caveat", markup=False)
                with Horizontal(id="compare-users-row"):
                    yield RankScatter(id="scatter")
                    yield Table((), id="users-table")
        yield ProtocolLine(self.a.info)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#compare-tabs Tabs").can_focus = False
        # Both lists show the same places, whichever of them is scrolled.
        for table, other in ((self.list_a, self.list_b), (self.list_b, self.list_a)):
            self.watch(table, "scroll_y", partial(self._scroll_too, table, other), init=False)
        self.list_a.focus()
        self._load()

    # Loading.

    def _load(self) -> None:
        a, users, (folder, which) = self.a, self.users_a, self.other
        self._draw_head()

        def load(_: object) -> "tuple[Ranker, Users]":
            from neumf_tui.explore.compare import load_other
            from neumf_tui.explore.users import load_users

            b = load_other(a, folder, which)
            return b, users if b.folder == a.folder else load_users(b.folder, b.home)

        self.ask("load", load, self._take_other)

    def _take_other(self, loaded: "tuple[Ranker, Users]") -> None:
        self.b, self.users_b = loaded
        self.warn(self.b.note)
        self._ask_all()
        self.choose_who(self.who)

    def choose_who(self, who: "Who") -> None:
        """Show another person."""
        self.who = who
        a, b = self.a, self.b
        if b is None:
            return

        def compare(_: object) -> "PersonComparison":
            from neumf_tui.explore.compare import compare_person

            return compare_person(a, b, who)

        self.ask("person", compare, self._show_person, self._show_no_person)

    def _ask_all(self) -> None:
        """Compare both models' rank tapes, and forget what was shown of another pair of models."""
        a, b = self.a, self.b
        assert b is not None
        self.person, self.all, self.order = None, None, self.order[:0]
        self._draw_head()
        self.users_table.clear()

        def compare(_: object) -> "AllComparison":
            from neumf_tui.explore.compare_users import compare_all, read_tape_ranks

            tape_a, tape_b = (read_tape_ranks(side.folder, str(side.epoch)) for side in (a, b))
            return compare_all(a.dataset, tape_a, tape_b)

        self.ask("all", compare, self._show_all, partial(self._say, "#all-words"))

    def show_problem(self, text: str) -> None:
        if self.b is None:
            self._show_no_person(text)
            self._say("#all-words", text)
        super().show_problem(text)

    def _show_no_person(self, text: str) -> None:
        """Say why there are no lists of this person."""
        self.person = None
        self._say("#compare-who", text)
        for name in ("#compare-words", "#compare-movers"):
            self.query_one(name, Static).update("")
        for table in (self.list_a, self.list_b):
            table.clear()

    def _say(self, where: str, text: str) -> None:
        self.query_one(where, Static).update(Text(clean(text), "bold"))

    def _draw_head(self) -> None:
        a, b, (folder, which) = self.a, self.b, self.other
        b_label = b.label if b else f"{folder.name}@{which or usual_checkpoint(folder)} …"
        infos = [a.info, b.info if b else a.info]
        presets = " / ".join(dict.fromkeys(map(model_label, infos)))
        text = Text.assemble(
            head("compare"), " A ", (clean(a.label), "bold"), "  B ", (clean(b_label), "bold"),
            f"  {clean(a.dataset.label)}  {clean(presets)}",
        )  # fmt: skip
        self.query_one("#run-head", Static).update(text)
        self.query_one(ProtocolLine).show_runs(*infos)

    # One person.

    def _show_person(self, found: "PersonComparison") -> None:
        from neumf_tui.views.compare import person_words

        self.person = found
        catalogue, person = self.a.dataset.catalogue, found.a.person
        history = self.noun.in_history(len(person.history))
        text = Text(f"{clean(person.label)} · {history} · ")
        if found.heldout is None:
            text.append("nothing held out")
        else:
            title = clean(catalogue.item_title(found.heldout.item))
            text.append("held out: ").append(title, "bold")
        self.query_one("#compare-who", Static).update(text)
        self.query_one("#compare-words", Static).update("\n".join(person_words(found, self.noun)))
        self.query_one("#compare-movers", Static).update("\n".join(mover_lines(catalogue, found)))
        show_list(self.list_a, catalogue, found, "a")
        show_list(self.list_b, catalogue, found, "b")
        self._mark_in_scatter()

    @on(Table.Highlighted, "#list-a, #list-b")
    def _move_too(self, event: Table.Highlighted) -> None:
        """Put the cursor of the other list on the same place."""
        if event.table.has_focus:
            other = self.list_b if event.table is self.list_a else self.list_a
            other.cursor = event.row

    def _scroll_too(self, table: Table, other: Table, y: float) -> None:
        is_longer = other.scroll_y > y >= table.max_scroll_y
        if round(other.scroll_y) != round(y) and not is_longer:
            other.scroll_to(y=y, animate=False)

    @property
    def focused_list(self) -> Table:
        """The list that has the focus, otherwise A's."""
        return self.list_b if self.list_b.has_focus else self.list_a

    # All users.

    def _show_all(self, found: "AllComparison") -> None:
        from neumf_tui.views.compare_users import CAVEAT, all_words, verdict

        self.all = found
        sentences = map(Text, all_words(found, self.noun))
        words = Text("\n").join([Text(verdict(found, self.noun), "bold"), *sentences])
        self.query_one("#all-words", Static).update(words)
        self.query_one("#all-caveat", Static).update(CAVEAT)
        last = self.a.dataset.num_items - int(self.users_a.history_sizes.min())
        self.scatter.show(found.rank_a, found.rank_b, found.side, last)
        self._list_users()

    def _list_users(self) -> None:
        from neumf_tui.explore.compare_users import SORTS, ordered

        if self.all is not None:
            sort = SORTS[self.sort]
            self.order = ordered(self.all, sort)
            show_users(self.users_table, self.users_a, self.all, self.order, sort)

    @on(Table.Highlighted, "#users-table")
    def _mark_in_scatter(self) -> None:
        found, row = self.all, self.users_table.cursor
        if found is None or row >= len(self.order):
            return
        at = int(self.order[row])
        user, sides = int(found.users[at]), (self.users_a, self.users_b or self.users_a)
        before, after = (
            tape_rank_text(users, user, float(ranks[at]), short=True)
            for users, ranks in zip(sides, (found.rank_a, found.rank_b), strict=True)
        )
        name = clean(self.a.dataset.user_ids[user])
        axes, change = "rank in B ↑, in A →", f"● {name}: {before} → {after}"
        self.scatter.mark(at, (f"{axes} · {change}", change))

    @on(RankScatter.Chosen)
    def _go_to_dot(self, event: RankScatter.Chosen) -> None:
        rows = np.flatnonzero(self.order == event.row)
        if len(rows):
            self.users_table.show_in_middle(int(rows[0]))

    # Keys.

    @property
    def front(self) -> str:
        """The tab in front: `person` or `all`."""
        tabs = self.query(TabbedContent)
        return tabs.first().active if tabs else "person"

    def action_tab(self, name: str) -> None:
        self.query_one(TabbedContent).active = name

    def end_aside(self) -> bool:
        goes_back = self._came_from_all and self.front == "person"
        self._came_from_all = False
        if goes_back:
            self.action_tab("all")
        return goes_back

    @on(TabbedContent.TabActivated)
    def _focus_table(self) -> None:
        (self.list_a if self.front == "person" else self.users_table).focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys of one tab only there."""
        if action == "sort":
            return self.front == "all"
        return self.front == "person" if action in ("other_list", "heldout") else True

    @on(Table.Chosen)
    def action_open(self) -> None:
        if self.front == "all":
            row = self.users_table.cursor
            if self.all is not None and row < len(self.order):
                self.choose_who(int(self.all.users[self.order[row]]))
                self.action_tab("person")
                self._came_from_all = True
            return
        found, table = self.person, self.focused_list
        if found is None or self.b is None or self.users_b is None:
            return
        if table is self.list_a:
            ranker, users, ranking = self.a, self.users_a, found.a
        else:
            ranker, users, ranking = self.b, self.users_b, found.b
        self.navigate(OpenItem(ranker, users, int(ranking.items[table.cursor])))

    def action_other_list(self) -> None:
        (self.list_b if self.focused_list is self.list_a else self.list_a).focus()

    def action_heldout(self) -> None:
        found, table = self.person, self.focused_list
        if found is not None and found.heldout is not None:
            ranking = found.a if table is self.list_a else found.b
            table.show_in_middle(ranking.heldout)

    def action_changed(self, step: int) -> None:
        """Go to the next (1) or previous (-1) user, cyclic, whose hit was won or lost."""
        found, table = self.all, self.users_table
        if found is None:
            return
        row = table.cursor
        if self.front == "person" and isinstance(self.who, int):
            rows = np.flatnonzero(found.users[self.order] == self.who)
            row = int(rows[0]) if len(rows) else row
        changed = np.flatnonzero(found.side[self.order])
        if not len(changed):
            self.notify("No hit was won or lost.")
            return
        if step > 0:
            row = changed[np.searchsorted(changed, row, side="right") % len(changed)]
        else:
            row = changed[np.searchsorted(changed, row, side="left") - 1]
        table.show_in_middle(int(row))
        if self.front == "person":
            self.choose_who(int(found.users[self.order[row]]))

    def action_sort(self) -> None:
        from neumf_tui.explore.compare_users import SORTS

        self.sort = (self.sort + 1) % len(SORTS)
        self._list_users()

    def action_swap(self) -> None:
        if self.b is None or self.users_b is None or self.waiting("load"):
            return
        self.other = (self.a.folder, str(self.a.epoch))
        self.a, self.b, self.users_a, self.users_b = self.b, self.a, self.users_b, self.users_a
        self._ask_all()
        self.choose_who(self.who)

    def action_choose(self) -> None:
        def load(model: Model | None) -> None:
            if model is not None:
                self.other = model
                self._load()

        self.app.push_screen(CompareDialog(self.a.folder, self.a.home, self.a.epoch), load)

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        a, b, person, found, order = self.a, self.b, self.person, self.all, self.order

        def person_sheet() -> Sheet:
            from neumf_tui.views.compare import compare_person_sheet

            assert b is not None and person is not None
            return compare_person_sheet(a, b, person)

        def all_sheet() -> Sheet:
            from neumf_tui.views.compare_users import compare_all_sheet

            assert found is not None
            return compare_all_sheet(a.dataset, found, order)

        if self.front == "person":
            return person_sheet if person is not None else None
        return all_sheet if found is not None else None
