"""The rank race: how the ranks of some users' held-out items change from epoch to epoch."""

from dataclasses import replace

from rich.style import Style
from textual.geometry import Size

from neumf_tui.data.nouns import Noun
from neumf_tui.explore.race import DEFAULT_PINS, Race
from neumf_tui.text import rank_text
from neumf_tui.tui.terminal.themed import cell_style
from neumf_tui.tui.widgets.table import Column, Table, id_column, named_columns
from neumf_tui.views.moves import move_text
from neumf_tui.views.ruler import ruler

COLUMNS = (
    Column("user", 7),
    Column("held-out {item}", 26, drop=3),
    Column("", 20, flex=True),
    Column("rank", 7, right=True),
    Column("change", 7, right=True, drop=1),
)


HINT = "after the first evaluation; space pins users"


class PinnedUserTable(Table):
    """A row is a user, with the rank of the held-out item on a logarithmic ruler."""

    def __init__(self, noun: Noun, *, id: str) -> None:  # noqa: A002
        super().__init__(named_columns(COLUMNS, noun), id=id)
        self._race = Race()
        self._room = DEFAULT_PINS

    def make_room(self, pinned: int) -> None:
        """Be as high as so many pinned users need, or without any those of all ranks."""
        if self._room != (room := pinned or DEFAULT_PINS):
            self._room = room
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return 1 + self._room

    def show_race(self, race: Race, problem: str = "") -> None:
        """Show the runners of `race`, or why they are not known."""
        self._race = race
        runners = race.runners
        self.columns[0] = id_column("user", (r.user for r in runners)) if runners else COLUMNS[0]
        self.columns[2] = replace(COLUMNS[2], title="rank, log scale, ┊ top 50" if runners else "")
        says = problem or ("" if runners else HINT)
        count = 0 if problem else len(runners)
        self.show_rows(count, self._texts, cursor=self.cursor, ending=says)
        everyone = runners and not race.chosen
        self.border_title = "rank race · users of all ranks" if everyone else "rank race"

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
            return cell_style("green" if move[0] == "▲" else "red")
        return None
