"""The tabs about one person beside the ranking: history, nearest users, the way through the epochs, the near miss."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, cast

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.chart import Curve, CurveChart, Plot
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.tui.work import AskingScreen

if TYPE_CHECKING:
    from neumf_tui.explore.journey import Journey
    from neumf_tui.explore.near_miss import LeftOut
    from neumf_tui.explore.ranker import Ranker, UserRanking, Who
    from neumf_tui.explore.users import Users
    from neumf_tui.views.sheet import Sheet

NEAREST = 50
"""Users listed as nearest."""


class PersonPane(Vertical):
    """A tab that is filled when it is in front, and emptied when its person goes."""

    NAME: ClassVar[str]
    """Of its tab."""
    FOCUS: ClassVar[str]
    """The table that gets the keys."""
    sheet: "Callable[[], Sheet] | None" = None
    """Makes the sheet of what is shown."""

    @property
    def asker(self) -> AskingScreen:
        return cast("AskingScreen", self.screen)

    def clear(self) -> None:
        """Show nobody."""
        raise NotImplementedError

    def show_person(self, ranker: "Ranker", users: "Users", ranking: "UserRanking") -> None:
        """Show this person; what takes a moment comes when it is there."""
        raise NotImplementedError


class HistoryPane(PersonPane):
    NAME, FOCUS = "history", "#history-table"

    def compose(self) -> ComposeResult:
        yield Table(
            (
                Column("#", 5, right=True),
                Column("title", 20, flex=True),
                Column("year", 4, drop=1),
                Column("genres", 22, drop=4),
                Column("seen on", 10, drop=3),
                Column("seen by", 7, right=True, drop=2),
            ),
            id="history-table",
        )

    def clear(self) -> None:
        self.query_one(Table).show_rows(0, lambda _row: [])

    def show_history(self, users: "Users", who: "Who") -> None:
        """Latest first; needs no model."""
        data = users.dataset
        items = (data.history(who) if isinstance(who, int) else who.history(data))[::-1]
        times = (
            data.split.times[data.offsets[who] : data.offsets[who + 1]][::-1]
            if isinstance(who, int)
            else None
        )
        self.items = items

        def cells(row: int) -> list[str]:
            item = int(items[row])
            return [
                f"{len(items) - row}",
                data.catalogue.titles[item],
                str(data.catalogue.years[item] or ""),
                " ".join(data.catalogue.genres[item]),
                _day(int(times[row])) if times is not None else "",
                f"{data.seen_by[item]:,}",
            ]

        self.query_one(Table).show_rows(len(items), cells)


def _day(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return ""  # no time that a calendar has


class NearestPane(PersonPane):
    """Users by GMF vector and by MLP vector, side by side."""

    NAME, FOCUS = "nearest", "#nearest-gmf"

    def compose(self) -> ComposeResult:
        columns = (
            Column("user", 7, flex=True),
            Column("cosine", 6, right=True),
            Column("both", 4, right=True),
            Column("seen", 5, right=True, drop=1),
        )
        with Horizontal():
            for kind in ("gmf", "mlp"):
                with Vertical():
                    yield Static(f"by {kind.upper()} vector", classes="pane-head")
                    yield Table(columns, id=f"nearest-{kind}")

    def clear(self) -> None:
        self.sheet = None
        self.asker.drop("nearest")
        for table in self.query(Table):
            table.show_rows(0, lambda _row: [])

    def show_person(self, ranker: "Ranker", users: "Users", ranking: "UserRanking") -> None:
        from neumf_tui.explore.neighbours import similar_users_sheet

        who = ranking.person.who

        def show(sheet: "Sheet") -> None:
            self.sheet = lambda: sheet
            for kind in ("gmf", "mlp"):
                rows = [row for row in sheet.rows if row[f"{kind}_user"] is not None]

                def cells(
                    at: int, rows: list[dict[str, object]] = rows, kind: str = kind
                ) -> list[str]:
                    row = rows[at]
                    return [
                        str(row[f"{kind}_user"]),
                        f"{row[f'{kind}_cosine']:.3f}",
                        str(row[f"{kind}_both"]),
                        f"{row[f'{kind}_history_size']:,}",
                    ]

                self.query_one(f"#nearest-{kind}", Table).show_rows(len(rows), cells)

        self.asker.ask("nearest", lambda _: similar_users_sheet(ranker, who, NEAREST), show)

    def user_at(self, table: Table, users: "Users") -> int | None:
        """Index of the user under the cursor."""
        if self.sheet is None:
            return None
        kind = (table.id or "").removeprefix("nearest-")
        return users.dataset.user_ids.index(self.sheet().rows[table.cursor][f"{kind}_user"])


class JourneyPane(PersonPane):
    """The held-out film's rank over all epochs; below it, on demand, the loss."""

    NAME, FOCUS = "epochs", "#journey-table"

    def __init__(self) -> None:
        super().__init__()
        self.loss = False
        self.epoch = 0

    def compose(self) -> ComposeResult:
        yield Static("nothing is held out, and so there is no rank to follow", id="journey-none")
        yield CurveChart(id="journey-rank")
        yield CurveChart(id="journey-loss")
        yield Table(
            (
                Column("epoch", 6, right=True),
                Column("rank", 8, right=True),
                Column("", 1),
                Column("loss", 9, right=True),
                Column("", 1, flex=True),
            ),
            id="journey-table",
        )

    def on_mount(self) -> None:
        rank, loss = (
            self.query_one("#journey-rank", CurveChart),
            self.query_one("#journey-loss", CurveChart),
        )
        # The arrows choose the epoch of the whole screen, here as elsewhere.
        rank.can_focus = loss.can_focus = False
        rank.border_title, loss.border_title = "rank of the held-out film (log; 1 is best)", "loss"
        rank.log_y = True
        loss.display = False

    def clear(self) -> None:
        self.sheet = None
        self.asker.drop("journey")
        for chart in self.query(CurveChart):
            chart.show(Plot())
        self.query_one(Table).show_rows(0, lambda _row: [])

    def toggle_loss(self) -> None:
        self.loss = not self.loss
        self.query_one("#journey-loss").display = self.loss

    def show_person(self, ranker: "Ranker", users: "Users", ranking: "UserRanking") -> None:
        from neumf_tui.explore.journey import journey, journey_sheet
        from neumf_tui.runs.reader import read_snapshot

        who = ranking.person.who
        if not isinstance(who, int) or ranking.heldout < 0:
            self.add_class("-none")
            return
        self.remove_class("-none")

        def show(found: "tuple[Journey, Sheet]") -> None:
            way, sheet = found
            self.sheet = lambda: sheet
            self._draw(way, ranker.epoch)

        def read() -> "tuple[Journey, Sheet]":
            snapshot = read_snapshot(ranker.folder)
            return journey(users, who, snapshot), journey_sheet(users, who, snapshot)

        self.asker.ask("journey", lambda _: read(), show)

    def _draw(self, way: "Journey", epoch: int) -> None:
        epochs, ranks = way.epochs.astype(np.float64), way.ranks.astype(np.float64)
        here = int(np.flatnonzero(way.epochs == epoch)[0]) if epoch in way.epochs else -1
        x_max = float(epochs[-1]) if len(epochs) else 1.0
        lines = [("top 50", float(CUTOFF))]
        rank = self.query_one("#journey-rank", CurveChart)
        at = (
            f"epoch {epoch}: rank {rank_text(float(ranks[here]))}"
            if here >= 0
            else f"epoch {epoch}"
        )
        rank.show(
            Plot(
                [Curve(epochs, ranks, best=here)],
                lines,
                x_max,
                x_name="epoch",
                x_text="{:.0f}".format,
            ),
            f"● {at}  ←→",
        )
        self.query_one("#journey-loss", CurveChart).show(
            Plot([Curve(epochs, way.losses, best=here)], (), x_max, x_name="epoch")
        )

        def cells(row: int) -> list[str]:
            loss = float(way.losses[row])
            hit = ranks[row] <= CUTOFF
            return [
                str(way.epochs[row]),
                rank_text(float(ranks[row])),
                "✓" if hit else "",
                "–" if loss != loss else f"{loss:.4f}",
                "",
            ]

        self.query_one(Table).show_rows(len(epochs), cells, cursor=max(here, 0), marked=here)


class NearMissPane(PersonPane):
    """What stands between the held-out film and the top 50, and what each film of the history does to that."""

    NAME, FOCUS = "near-miss", "#near-miss-table"

    def compose(self) -> ComposeResult:
        yield Static(id="near-miss-head")
        yield Table(
            (
                Column("without", 20, flex=True),
                Column("year", 4, drop=1),
                Column("rank", 8, right=True),
                Column("change", 8, right=True),
                Column("", 1),
            ),
            id="near-miss-table",
        )

    def clear(self) -> None:
        self.sheet = None
        self.asker.drop("near-miss")
        self.query_one("#near-miss-head", Static).update("")
        self.query_one(Table).show_rows(0, lambda _row: [])

    def show_person(self, ranker: "Ranker", users: "Users", ranking: "UserRanking") -> None:
        from neumf_tui.explore.near_miss import leave_out

        self.clear()
        if ranking.heldout < 0:
            self.query_one("#near-miss-head", Static).update("nothing is held out")
            return
        self._draw(ranker, users, ranking, None)
        self._go_on(leave_out(ranker, ranking), ranker, users, ranking)

    def _go_on(
        self, steps: "Iterator[LeftOut]", ranker: "Ranker", users: "Users", ranking: "UserRanking"
    ) -> None:
        """One batch of fold-ins after another, shown as they come; another person's question ends it."""

        def show(left: "LeftOut | None") -> None:
            if left is not None:
                self._draw(ranker, users, ranking, left)
                self._go_on(steps, ranker, users, ranking)

        self.asker.ask("near-miss", lambda _: next(steps, None), show)

    def _draw(
        self, ranker: "Ranker", users: "Users", ranking: "UserRanking", left: "LeftOut | None"
    ) -> None:
        from neumf_tui.explore.near_miss import margin, near_miss_sheet, order_of

        self.sheet = lambda: near_miss_sheet(ranker, ranking, left)
        catalogue = users.dataset.catalogue
        found = margin(ranking)
        text = Text()
        if found is None:
            text.append("no more than 50 candidates: every rank is a hit")
        else:
            text.append(f"{abs(found.score):.3f} {'above' if found.score >= 0 else 'below'} ")
            text.append(clean(catalogue.titles[found.item]), "bold")
            text.append(f" at 50, {abs(found.deviations):.2f} σ of the scores")
        text.append("\none film left out at a time, by fold-in; nothing trained")
        if left is not None:
            done, total = len(left.items), left.total
            trained = rank_text(ranking.heldout_ranks["score"])
            text.append(
                f"\nall {total} films: rank {rank_text(left.base)} by fold-in, {trained} as trained"
            )
            if done < total:
                text.append(f" · {done} tried")
            order = order_of(left)

            def cells(row: int) -> list[str]:
                item, rank = int(left.items[order[row]]), float(left.ranks[order[row]])
                change = rank - left.base
                crosses = (rank <= CUTOFF) != (left.base <= CUTOFF)
                return [
                    catalogue.titles[item],
                    str(catalogue.years[item] or ""),
                    rank_text(rank),
                    f"{change:+,.1f}".removesuffix(".0") if change else "0",
                    ("✓" if rank <= CUTOFF else "✗") if crosses else "",
                ]

            table = self.query_one(Table)
            table.show_rows(len(order), cells, cursor=table.cursor)
        self.query_one("#near-miss-head", Static).update(text)
