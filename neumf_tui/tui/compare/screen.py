"""The compare screen: two models on one person, and on all users."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Footer, Static, TabbedContent, TabPane

from neumf_tui.runs.checkpoint import usual_checkpoint
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.base_screen import SheetScreen
from neumf_tui.tui.compare.dialog import CompareDialog, Model
from neumf_tui.tui.compare.lists import mover_lines, show_list, show_users
from neumf_tui.tui.navigation import OpenItem
from neumf_tui.tui.widgets.head_text import optimism_marks, with_protocol
from neumf_tui.tui.widgets.scatter import RankScatter
from neumf_tui.tui.widgets.table import Table
from neumf_tui.views.sheet import Sheet

if TYPE_CHECKING:
    from neumf_tui.explore.compare import PersonComparison
    from neumf_tui.explore.compare_users import AllComparison
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users


class CompareScreen(SheetScreen):
    """B is loaded in a thread; what is shown of one person is replaced as a whole, name and lists."""

    CSS_PATH = Path(__file__).with_name("screen.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "1",
            "tab('person')",
            "One person",
            show=False,
            tooltip="One person's lists",
            id="compare.person",
        ),
        Binding(
            "2",
            "tab('all')",
            "All users",
            show=False,
            tooltip="Rank against rank, and the test",
            id="compare.all",
        ),
        Binding(
            "enter",
            "open",
            "Open",
            tooltip="The film's screen; of a user: both lists",
            id="compare.open",
        ),
        Binding(
            "left,right",
            "other_list",
            "Other list",
            show=False,
            key_display="←→",
            tooltip="The other list",
            id="compare.side",
        ),
        Binding(
            "h",
            "heldout",
            "Held-out",
            show=False,
            tooltip="Go to the held-out film in this list",
            id="compare.heldout",
        ),
        Binding(
            "n",
            "changed(1)",
            "Next change",
            tooltip="Next user whose hit was won or lost",
            id="compare.next-change",
        ),
        Binding(
            "N",
            "changed(-1)",
            "Change before",
            show=False,
            tooltip="The one before",
            id="compare.previous-change",
        ),
        Binding("o", "sort", "Sort", tooltip="Another order of the users", id="compare.sort"),
        Binding(
            "s", "swap", "Swap A, B", tooltip="Look at it the other way round", id="compare.swap"
        ),
        Binding(
            "x",
            "choose",
            "Other model",
            tooltip="Compare with another epoch or run",
            id="compare.choose",
        ),
    ]

    def __init__(self, a: "Ranker", users: "Users", who: "Who", other: Model) -> None:
        """`users` are of A's run; `other` names B, which is of the same dataset."""
        super().__init__()
        self.a, self.users_a, self.who = a, users, who
        self.b: Ranker | None = None
        self.users_b: Users | None = None
        self.other = other
        self.person: PersonComparison | None = None
        self.all: AllComparison | None = None
        self.order: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        """Rows of `all` as the table has them."""
        self.sort = 0
        self._from_all = False
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
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#compare-tabs Tabs").can_focus = False
        lists = self.query_one("#list-a", Table), self.query_one("#list-b", Table)
        for one, other in (lists, lists[::-1]):
            # Side by side they stay: the same place in both, however one of them is moved.
            self.watch(one, "scroll_y", partial(self._follow, other), init=False)
        lists[0].focus()
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
        self._ask_all()
        self.choose_who(self.who)

    def choose_who(self, who: "Who") -> None:
        """Show another person, a user index or a guest."""
        self.who = who
        a, b = self.a, self.b
        if b is None:
            return

        def work(_: object) -> "PersonComparison":
            from neumf_tui.explore.compare import compare_person

            return compare_person(a, b, who)

        self.ask("person", work, self._show_person)

    def _ask_all(self) -> None:
        """Both models' ranks of all users, from the tapes; nothing of two other models is to be opened or written any more."""
        a, b = self.a, self.b
        assert b is not None
        self.person, self.all, self.order = None, None, self.order[:0]
        self._draw_head()
        self.query_one("#users-table", Table).show_rows(0, lambda _row: ())

        def work(_: object) -> "AllComparison":
            from neumf_tui.explore.compare_users import compare_all, read_tape_ranks

            return compare_all(
                a.dataset,
                read_tape_ranks(a.folder, str(a.epoch)),
                read_tape_ranks(b.folder, str(b.epoch)),
            )

        self.ask("all", work, self._show_all)

    def show_problem(self, text: str) -> None:
        for found, name in ((self.person, "#compare-who"), (self.all, "#all-words")):
            if found is None:
                self.query_one(name, Static).update(Text(clean(text), "bold red"))
        super().show_problem(text)

    def _draw_head(self) -> None:
        folder, which = self.other
        b = self.b.label if self.b else f"{folder.name}@{which or usual_checkpoint(folder)} …"
        infos = [self.a.info, self.b.info if self.b else self.a.info]
        presets = dict.fromkeys(info.preset for info in infos)
        protocol_a, protocol_b = (protocol_of(info) for info in infos)
        mark_a, mark_b = optimism_marks(protocol_a, protocol_b)
        names = Text.assemble(
            ("neumf-tui", "bold"), " ▸ compare  A ", (clean(self.a.label), "bold"), mark_a, "  B ", (clean(b), "bold"), mark_b,
        )  # fmt: skip
        rest = f"  {clean(self.a.dataset.label)}  {clean(' / '.join(presets))}"
        text = (
            names + Text(rest)
            if mark_a
            else with_protocol(names, rest, protocol_a, self.app.size.width)
        )
        self.query_one("#run-head", Static).update(text)

    def on_resize(self) -> None:
        self._draw_head()

    # One person.

    def _show_person(self, found: "PersonComparison") -> None:
        from neumf_tui.views.compare import person_words

        self.person = found
        data = self.a.dataset
        who = Text(f"{clean(found.a.person.label)} · {len(found.a.person.history):,} watched · ")
        if found.heldout is None:
            who.append("nothing held out")
        else:
            who.append("held out: ")
            who.append(clean(data.catalogue.item_title(found.heldout.item)), "bold")
        self.query_one("#compare-who", Static).update(who)
        self.query_one("#compare-words", Static).update("\n".join(person_words(found)))
        self.query_one("#compare-movers", Static).update(
            "\n".join(mover_lines(data.catalogue, found))
        )
        for side in ("a", "b"):
            show_list(self.query_one(f"#list-{side}", Table), data.catalogue, found, side)
        self._mark_in_scatter()

    @on(Table.Highlighted, "#list-a, #list-b")
    def _keep_level(self, event: Table.Highlighted) -> None:
        for table in self.query("#list-a, #list-b").results(Table):
            if table is not event.table and event.table.has_focus:
                table.cursor = event.row

    def _follow(self, other: Table, y: float) -> None:
        if round(other.scroll_y) != round(y):
            other.scroll_to(y=y, animate=False)

    def _list_in_front(self) -> Table:
        """The list that has the focus, else A's."""
        b = self.query_one("#list-b", Table)
        return b if b.has_focus else self.query_one("#list-a", Table)

    # All users.

    def _show_all(self, found: "AllComparison") -> None:
        from neumf_tui.views.compare_users import CAVEAT, all_words, verdict

        self.all = found
        words = Text("\n").join([Text(verdict(found), "bold"), *map(Text, all_words(found))])
        self.query_one("#all-words", Static).update(words)
        self.query_one("#all-caveat", Static).update(CAVEAT)
        last = self.a.dataset.num_items - int(self.users_a.history_sizes.min())
        self.query_one(RankScatter).show(found.rank_a, found.rank_b, found.side, last)
        self._show_users()

    def _show_users(self) -> None:
        from neumf_tui.explore.compare_users import SORTS, ordered

        if self.all is not None:
            self.order = ordered(self.all, SORTS[self.sort])
            show_users(
                self.query_one("#users-table", Table),
                self.users_a,
                self.all,
                self.order,
                SORTS[self.sort],
            )

    @on(Table.Highlighted, "#users-table")
    def _mark_in_scatter(self) -> None:
        found, row = self.all, self.query_one("#users-table", Table).cursor
        scatter = self.query_one(RankScatter)
        if found is None or row >= len(self.order):
            return
        at = int(self.order[row])
        user = clean(self.a.dataset.user_ids[int(found.users[at])])
        before, after = rank_text(found.rank_a[at]), rank_text(found.rank_b[at])
        scatter.border_title = Text(f"rank in B ↑, in A → · ● {user}: {before} → {after}")
        scatter.mark(at)

    @on(RankScatter.Chosen)
    def _go_to_dot(self, event: RankScatter.Chosen) -> None:
        rows = np.flatnonzero(self.order == event.row)
        if len(rows):
            self.query_one("#users-table", Table).show_in_middle(int(rows[0]))

    # Keys.

    @property
    def in_front(self) -> str:
        """`person` or `all`."""
        tabs = self.query(TabbedContent)
        return tabs.first().active if tabs else "person"

    def action_tab(self, name: str) -> None:
        self.query_one(TabbedContent).active = name

    def end_aside(self) -> bool:
        back = self._from_all and self.in_front == "person"
        self._from_all = False
        if back:
            self.action_tab("all")
        return back

    @on(TabbedContent.TabActivated)
    def _focus_list(self) -> None:
        self.query_one("#list-a" if self.in_front == "person" else "#users-table", Table).focus()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of one tab are not offered in the other."""
        if action == "sort":
            return self.in_front == "all"
        return self.in_front == "person" if action in ("other_list", "heldout") else True

    @on(Table.Chosen)
    def action_open(self) -> None:
        if self.in_front == "all":
            row = self.query_one("#users-table", Table).cursor
            if self.all is not None and row < len(self.order):
                self.choose_who(int(self.all.users[self.order[row]]))
                self.action_tab("person")
                self._from_all = True
            return
        found, table = self.person, self._list_in_front()
        if found is None or self.b is None or self.users_b is None:
            return
        if table.id == "list-a":
            ranker, users, ranking = self.a, self.users_a, found.a
        else:
            ranker, users, ranking = self.b, self.users_b, found.b
        self.navigate(OpenItem(ranker, users, int(ranking.items[table.cursor])))

    def action_other_list(self) -> None:
        other = "#list-b" if self._list_in_front().id == "list-a" else "#list-a"
        self.query_one(other, Table).focus()

    def action_heldout(self) -> None:
        found = self.person
        if found is not None and found.heldout is not None:
            table = self._list_in_front()
            table.show_in_middle((found.a if table.id == "list-a" else found.b).heldout)

    def action_changed(self, step: int) -> None:
        """The next user of the list whose hit was won or lost, going round."""
        found, table = self.all, self.query_one("#users-table", Table)
        if found is None:
            return
        at = table.cursor
        if self.in_front == "person" and isinstance(self.who, int):
            at = next(iter(np.flatnonzero(found.users[self.order] == self.who).tolist()), at)
        changed = np.flatnonzero(found.side[self.order])
        if not len(changed):
            self.notify("No hit was won or lost.")
            return
        ahead = np.searchsorted(changed, at, side="right" if step > 0 else "left")
        row = int(changed[(ahead if step > 0 else ahead - 1) % len(changed)])
        table.show_in_middle(row)
        if self.in_front == "person":
            self.choose_who(int(found.users[self.order[row]]))

    def action_sort(self) -> None:
        from neumf_tui.explore.compare_users import SORTS

        self.sort = (self.sort + 1) % len(SORTS)
        self._show_users()

    def action_swap(self) -> None:
        if self.b is None or self.users_b is None or self.waiting("load"):
            return
        self.other = (self.a.folder, str(self.a.epoch))
        self.a, self.b, self.users_a, self.users_b = self.b, self.a, self.users_b, self.users_a
        self._ask_all()
        self.choose_who(self.who)

    def action_choose(self) -> None:
        def chosen(model: Model | None) -> None:
            if model is not None:
                self.other = model
                self._load()

        self.app.push_screen(CompareDialog(self.a.folder, self.a.home, self.a.epoch), chosen)

    def sheet_maker(self) -> Callable[[], Sheet] | None:
        a, b, person, found, order = self.a, self.b, self.person, self.all, self.order
        in_front = self.in_front

        def make() -> Sheet:
            from neumf_tui.views.compare import compare_person_sheet
            from neumf_tui.views.compare_users import compare_all_sheet

            if in_front == "person" and b is not None and person is not None:
                return compare_person_sheet(a, b, person)
            assert found is not None
            return compare_all_sheet(a.dataset, found, order)

        return make if (person if in_front == "person" else found) is not None else None
