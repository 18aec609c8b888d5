"""The tabs about one person beside the ranking: history, nearest users, epochs, near miss."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.text import Text
from textual import getters
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, number_text, rank_text
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.chart import Curve, CurveChart, Line, Plot
from neumf_tui.tui.widgets.chart_text import Caption
from neumf_tui.tui.widgets.table import Column, Table, item_columns
from neumf_tui.tui.work import Asker
from neumf_tui.views.beyond import place_text, tape_rank_text
from neumf_tui.views.items import item_cells

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Who
    from neumf_tui.explore.journey import Journey
    from neumf_tui.explore.near_miss import LeftOut
    from neumf_tui.explore.ranker import Ranker, UserRanking
    from neumf_tui.explore.users import Users
    from neumf_tui.scorers.scorer import NewcomersBy
    from neumf_tui.views.sheet import Sheet

NEAREST = 50
"""Number of nearest users listed."""
HISTORY_COLUMNS = (
    Column("#", 5, right=True),
    Column("title", 20, flex=True),
    Column("year", 4, drop=1),
    Column("genres", 22, drop=4),
    Column("seen on", 10, drop=3),
    Column("seen by", 7, right=True, drop=2),
)
NEAR_MISS_COLUMNS = (
    Column("without", 8, flex=True),
    Column("year", 4, drop=1),
    Column("rank", 8, right=True),
    Column("change", 8, right=True),
    Column("", 1),
)


class PersonPane(Vertical):
    """A tab that is filled when it comes to the front, and cleared for the next person."""

    NAME: ClassVar[str]
    """Id of its tab, and the kind of its questions."""
    FOCUS: ClassVar[str]
    """Selector of the table that gets the focus."""
    sheet: "Callable[[], Sheet] | None" = None
    """Makes the sheet of what is shown."""

    def on_mount(self) -> None:
        self.asker = Asker(self.screen, self.say)
        self.mount(Static(classes="pane-says"))

    @property
    def table(self) -> Table:
        return self.query_one(self.FOCUS, Table)

    def clear(self) -> None:
        """Show nobody, and drop the answer that is awaited."""
        self.sheet = None
        self.asker.drop(self.NAME)
        self.say("")
        for table in self.query(Table):
            table.clear()

    def say(self, text: str) -> None:
        """Say in the place of the tables why there is nothing in them; nothing if empty."""
        self.set_class(bool(text), "-says")
        self.query_one(".pane-says", Static).update(Text(clean(text)))

    def show_person(
        self, ranker: "Ranker", users: "Users", who: "Who", ranking: "UserRanking | None"
    ) -> None:
        """Show this person, as soon as the answers are there; without a `ranking` what can be."""
        raise NotImplementedError


class HistoryPane(PersonPane):
    NAME, FOCUS = "history", "#history-table"

    def compose(self) -> ComposeResult:
        yield Table(HISTORY_COLUMNS, id="history-table")

    def show_history(self, users: "Users", who: "Who") -> None:
        """Show the history, latest first; this needs no model."""
        data = users.dataset
        items = (data.history(who) if isinstance(who, int) else who.history(data))[::-1]
        start = data.offsets[who] if isinstance(who, int) else None
        self.items = items
        self.table.columns = item_columns(HISTORY_COLUMNS, data)

        def cells(row: int) -> list[str]:
            title, year, genres, seen_by = item_cells(data, int(items[row]))
            place = len(items) - row
            day = "" if start is None else _day(int(data.split.times[start + place - 1]))
            return [str(place), title, year, genres, day, seen_by]

        self.table.show_rows(len(items), cells)


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return ""  # outside the years of the calendar


class NearestPane(PersonPane):
    """Users by one vector, or by two side by side."""

    NAME, FOCUS = "nearest", "#nearest-first"
    SIDES = ("first", "second")
    """The two tables; for a NeuMF they are by GMF and by MLP."""

    def compose(self) -> ComposeResult:
        columns = (
            Column("user", 7, flex=True),
            Column("cosine", 6, right=True),
            Column("both", 4, right=True, drop=2),
            Column("seen", 5, right=True, drop=1),
        )
        with Horizontal():
            for side in self.SIDES:
                # Not `:last-child`: it would style all that is in a Vertical twice at the start.
                with Vertical(classes=f"-{side}"):
                    yield Static(classes="pane-head")
                    yield Table(columns, id=f"nearest-{side}")

    def show_person(
        self, ranker: "Ranker", users: "Users", who: "Who", ranking: "UserRanking | None"
    ) -> None:
        from neumf_tui.views.neighbours import similar_users_sheet

        self.asker.ask(self.NAME, lambda _: similar_users_sheet(ranker, who, NEAREST), self._show)

    def _show(self, sheet: "Sheet") -> None:
        from neumf_tui.views.neighbours import space_name

        self.sheet = lambda: sheet
        self.spaces = list(sheet.about["measures"])[: len(self.SIDES)]
        self.set_class(len(self.spaces) == 1, "-one")
        heads = self.query(".pane-head").results(Static)
        for space, side, head in zip(self.spaces, self.SIDES, heads, strict=False):
            head.update(f"by {space_name(space)}")
            names = [f"{space}_{name}" for name in ("user", "cosine", "both", "history_size")]
            rows = [[row[name] for name in names] for row in sheet.rows]
            cells = [
                [str(user), f"{cosine:.3f}", str(both), f"{seen:,}"]
                for user, cosine, both, seen in rows
                if user is not None
            ]
            zero = "" if cells else f"the {space_name(space)} is zero, so nobody is near"
            table = self.query_one(f"#nearest-{side}", Table)
            table.show_rows(len(cells), cells.__getitem__, ending=zero)

    def user_at(self, table: Table, users: "Users") -> int | None:
        """Return the index of the user under the cursor of one of the two tables."""
        if self.sheet is None:
            return None
        space = self.spaces[self.SIDES.index((table.id or "").removeprefix("nearest-"))]
        return users.dataset.user_ids.index(self.sheet().rows[table.cursor][f"{space}_user"])


class JourneyPane(PersonPane):
    """The held-out item's rank after each epoch, and below it the loss, if it is asked for."""

    NAME, FOCUS = "epochs", "#journey-table"
    rank_chart = getters.query_one("#journey-rank", CurveChart)
    loss_chart = getters.query_one("#journey-loss", CurveChart)
    _has_loss = False

    def compose(self) -> ComposeResult:
        yield CurveChart("rank", id="journey-rank")
        yield CurveChart("loss", id="journey-loss")
        yield Table(
            (
                Column("epoch", 8, right=True),
                Column("rank", 8, right=True),
                Column("", 1),
                Column("loss", 9, right=True),
                Column("", 1, flex=True),
            ),
            id="journey-table",
        )

    def on_mount(self) -> None:
        super().on_mount()
        rank, loss = self.rank_chart, self.loss_chart
        # The arrow keys choose the epoch of the whole screen, so no chart takes them.
        rank.can_focus = loss.can_focus = False
        rank.view.log_y = True
        loss.display = False

    def clear(self) -> None:
        super().clear()
        for chart in self.query(CurveChart):
            chart.show(Plot(), Caption())

    def toggle_loss(self) -> None:
        if self._has_loss:
            self.loss_chart.display = not self.loss_chart.display
        else:
            self.notify("This run has no loss.")

    def show_person(
        self, ranker: "Ranker", users: "Users", who: "Who", ranking: "UserRanking | None"
    ) -> None:
        from neumf_tui.explore.journey import journey
        from neumf_tui.runs.reader import read_losses
        from neumf_tui.views.journey import journey_sheet

        if not isinstance(who, int) or users.dataset.split.heldout[who] < 0:
            noun = users.dataset.noun
            self.say(f"No {noun.singular} of this person is held out: there is no rank.")
            return

        def show(found: "tuple[Journey, Sheet]") -> None:
            way, sheet = found
            self.sheet = lambda: sheet
            self._draw(way, ranker.epoch, users, who)

        def read() -> "tuple[Journey, Sheet]":
            losses = read_losses(ranker.folder)
            return journey(users, who, losses), journey_sheet(users, who, losses)

        self.asker.ask(self.NAME, lambda _: read(), show)

    def _draw(self, way: "Journey", epoch: int, users: "Users", user: int) -> None:
        epochs, ranks = way.epochs.astype(np.float64), way.ranks.astype(np.float64)
        # What the rank beyond a list may be is not drawn: nobody knows it.
        drawn = np.where([users.beyond(user, rank) is None for rank in ranks], ranks, np.nan)
        here = int(np.flatnonzero(way.epochs == epoch)[0]) if epoch in way.epochs else -1
        x_max = float(epochs[-1]) if len(epochs) else 1.0
        lines = [Line("top 50", float(CUTOFF))]
        text = tape_rank_text(users, user, float(ranks[here]))
        rank = f": rank {text}" if here >= 0 else ""
        curves = [Curve(epochs, values, best=here) for values in (drawn, way.losses)]
        plot = Plot(curves[:1], lines, x_max, x_text="{:.0f}".format)
        noun = users.dataset.noun.singular
        name, at = f"rank of the held-out {noun}", f"● epoch {epoch}{rank}"
        titles = f"{name} (log; 1 is best)  {at}  ←→", f"{name}  {at}", f"{name} (log)", name
        # A single rank is no curve; the table has it.
        self.rank_chart.display = int(np.isfinite(drawn).sum()) > 1
        self._has_loss = bool(np.isfinite(way.losses).any())
        self.loss_chart.display &= self._has_loss
        self.rank_chart.show(plot, Caption(titles))
        self.loss_chart.show(Plot(curves[1:], (), x_max), Caption(("loss",)))

        def cells(row: int) -> list[str]:
            rank, loss = float(ranks[row]), float(way.losses[row])
            loss_text = "–" if loss != loss else f"{loss:.4f}"
            hit = "✓" if rank <= CUTOFF else ""
            rank_cell = tape_rank_text(users, user, rank, short=True)
            mark = "● " if row == here else ""
            return [f"{mark}{way.epochs[row]}", rank_cell, hit, loss_text, ""]

        self.table.show_rows(len(epochs), cells, cursor=max(here, 0), marked=here)


class NearMissPane(PersonPane):
    """What the held-out item lacks for the top 50, and its rank without items of the history."""

    NAME, FOCUS = "near-miss", "#near-miss-table"
    head = getters.query_one("#near-miss-head", Static)

    def compose(self) -> ComposeResult:
        yield Static(id="near-miss-head")
        yield Table(NEAR_MISS_COLUMNS, id="near-miss-table")

    def clear(self) -> None:
        super().clear()
        self.remove_class("-head")
        self.head.update("")

    def show_person(
        self, ranker: "Ranker", users: "Users", who: "Who", ranking: "UserRanking | None"
    ) -> None:
        from neumf_tui.explore.near_miss import leave_out

        self.clear()
        if not isinstance(who, int) or users.dataset.split.heldout[who] < 0:
            self.say(f"No {users.dataset.noun.singular} of this person is held out.")
        elif ranking is None:
            self.asker.ask(self.NAME, lambda _: ranker.rank(who), lambda _: None)  # says why
        else:
            self._draw(ranker, users, ranking, None)
            self._ask_next(leave_out(ranker, ranking), ranker, users, ranking)

    def _ask_next(
        self, steps: "Iterator[LeftOut]", ranker: "Ranker", users: "Users", ranking: "UserRanking"
    ) -> None:
        """Ask for one batch of fold-ins after another, until another person's question comes."""

        def show(left: "LeftOut | None") -> None:
            if left is not None:
                self._draw(ranker, users, ranking, left)
                self._ask_next(steps, ranker, users, ranking)

        self.asker.ask(self.NAME, lambda _: next(steps, None), show)

    def _draw(
        self, ranker: "Ranker", users: "Users", ranking: "UserRanking", left: "LeftOut | None"
    ) -> None:
        from neumf_tui.views.near_miss import near_miss_sheet

        self.sheet = lambda: near_miss_sheet(ranker, ranking, left)
        self.add_class("-head")
        by = ranker.scorer.newcomers_by
        self.head.update(_near_miss_text(users, ranking, left, by))
        if left is not None:
            self._show_without(users, left)

    def _show_without(self, users: "Users", left: "LeftOut") -> None:
        order = left.best_first
        self.table.columns = item_columns(NEAR_MISS_COLUMNS, users.dataset)

        def cells(row: int) -> list[str]:
            at = order[row]
            rank = float(left.ranks[at])
            change, is_hit = rank - left.base, rank <= CUTOFF
            title, year, _, _ = item_cells(users.dataset, int(left.items[at]))
            change_text = number_text(change, "+,.1f").removesuffix(".0") if change else "0"
            mark = "" if is_hit == (left.base <= CUTOFF) else "✓" if is_hit else "✗"
            return [title, year, rank_text(rank), change_text, mark]

        is_moved = bool((left.ranks != left.base).any()) or len(left.items) < left.total
        noun = users.dataset.noun.singular
        says = "" if is_moved else f"no {noun} of the history changes the rank"
        count = len(order) if is_moved else 0
        self.table.show_rows(count, cells, cursor=self.table.cursor, ending=says)


def _near_miss_text(
    users: "Users", ranking: "UserRanking", left: "LeftOut | None", newcomers_by: "NewcomersBy"
) -> Text:
    """Return the lines above the table: the margin to place 50, and what fold-in gives."""
    from neumf_tui.explore.near_miss import margin

    found, text, noun = margin(ranking), Text(), users.dataset.noun
    if not ranking.heldout_is_known:
        text.append(f"{place_text(ranking, ranking.heldout)}: the {noun.singular} has no score")
    elif found is None:
        text.append(f"every rank is a hit: there are no more than {CUTOFF} candidates")
    else:
        rival = clean(users.dataset.catalogue.titles[found.item])
        if found.score >= 0:
            text.append(f"{found.score:.3f} in score above place {CUTOFF} (")
        else:
            text.append(f"needs +{-found.score:.3f} in score to reach place {CUTOFF} (")
        text.append(rival, "bold")
        text.append(f"; {abs(found.deviations):.2f} σ)")
    if left is not None:
        folded = newcomers_by == "fold-in"
        how = ", by fold-in" if folded else ""
        text.append(f"\nbelow: rank without one {noun.singular}{how}")
        done, total = len(left.items), left.total
        base, trained = rank_text(left.base), rank_text(ranking.heldout_ranks["score"])
        both = f"{base} by fold-in, {trained} as trained" if folded else base
        text.append(f"\nall {noun.counted(total)}: rank {both}")
        if done < total:
            text.append(f" · {done} of {total} tried")
    return text
