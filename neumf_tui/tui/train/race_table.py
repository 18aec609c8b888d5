"""Pinned users, one line each: their held-out film on a logarithmic ruler, its rank, and what it won or lost."""

from rich.style import Style

from neumf_tui.explore.race import Race
from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.moves import move_text
from neumf_tui.views.ruler import ruler

COLUMNS = (
    Column("user", 7),
    Column("held-out film", 26, drop=3),
    Column("", 20, flex=True),
    Column("rank", 7, right=True),
    Column("change", 7, right=True, drop=1),
)


class RaceTable(Table):
    """The rank race."""

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self._race = Race()

    def show_race(self, race: Race, problem: str = "") -> None:
        """Show the runners of `race`, or the `problem` that keeps them from being known."""
        self._race = race
        runners = race.runners
        self.columns[0] = Column(
            "user", min(16, max(4, *(len(r.user) for r in runners))) if runners else 7
        )
        if problem or not runners:
            text = (
                problem or "after the first evaluation: a spread of users, or those you pin (space)"
            )
            self.columns[2] = Column(text, 20, flex=True)
            self.show_rows(0, lambda _row: [])
        else:
            self.columns[2] = Column("rank, log scale, ┊ top 50", 20, flex=True)
            self.show_rows(len(runners), self._texts, cursor=min(self.cursor, len(runners) - 1))
        self.border_title = (
            "rank race" if race.chosen or not runners else "rank race · a spread of users"
        )

    def _texts(self, row: int) -> list[str]:
        runner = self._race.runners[row]
        known = runner.rank == runner.rank
        width = self.column_width(2)
        return [
            runner.user,
            runner.title,
            ruler(runner.rank if known else None, runner.candidates, width),
            f"#{rank_text(runner.rank)}" if known else "–",
            move_text(runner.before, runner.rank),
        ]

    def cell_style(self, row: int, column: int) -> Style | None:
        if column == 4 and (move := self._texts(row)[4])[:1] in ("▲", "▼"):
            return Style(color="green" if move[0] == "▲" else "red")
        return None
