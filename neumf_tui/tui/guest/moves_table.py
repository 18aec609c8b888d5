"""A ranking that says how far each film moved since the list before it."""

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.style import Style

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.ranking_table import RankingTable
from neumf_tui.tui.widgets.table import Column

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import UserRanking

_MOVED = 1  # nothing is held out of a guest's history: the place of its mark is free
_TITLE, _BARS = 2, (6, 7)
NEW = "new"


class MovesTable(RankingTable):
    """Moves are told among the films of both lists: that a film above was picked and left lifts nobody."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"moves--up", "moves--down"}
    DEFAULT_CSS = """
    MovesTable > .moves--up { color: $text-success; }
    MovesTable > .moves--down { color: $text-error; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.columns[_MOVED] = Column("moved", 6)
        self._moves: NDArray[np.float32] | None = None
        """By row; None where there was no list before."""

    def show_moves(
        self, ranking: "UserRanking", before: "UserRanking | None", dataset: "Dataset"
    ) -> None:
        self._moves = None if before is None else moves(ranking, before, dataset.num_items)
        self.show_ranking(ranking, dataset)

    def moved(self, row: int) -> float | None:
        """Places that the film has risen (or fallen, below 0); None where it was not in the list before."""
        if self._moves is None:
            return 0.0
        move = float(self._moves[row])
        return move if move == move else None

    def _cells_of(self, row: int) -> list[str]:
        cells = super()._cells_of(row)
        cells[_MOVED] = move_text(self.moved(row))
        return cells

    def _widths(self, width: int) -> list[int]:
        """One half of a two-sided bar says nothing: both or none, and the title gets the room."""
        widths = super()._widths(width)
        if 0 in (widths[_BARS[0]], widths[_BARS[1]]):
            freed = sum(widths[bar] + 1 for bar in _BARS if widths[bar])
            for bar in _BARS:
                widths[bar] = 0
            widths[_TITLE] += freed
        return widths

    def cell_style(self, row: int, column: int) -> Style | None:
        if column != _MOVED:
            return super().cell_style(row, column)
        moved = self.moved(row)
        if moved == 0:
            return None
        return self.get_component_rich_style(
            "moves--up" if moved is None or moved > 0 else "moves--down", partial=True
        )


def moves(ranking: "UserRanking", before: "UserRanking", num_items: int) -> NDArray[np.float32]:
    """Places risen, by row of `ranking`: rank among the films of both lists before, less that now; NaN for what was not there."""
    in_both = np.zeros(num_items, dtype=bool)
    in_both[before.items] = True
    shared = in_both[ranking.items]
    in_both[:] = False
    in_both[ranking.items[shared]] = True
    then = np.full(num_items, np.nan, dtype=np.float32)
    then[before.items] = _without(before, ~in_both[before.items])
    risen: NDArray[np.float32] = then[ranking.items] - _without(ranking, ~shared)
    risen[~shared] = np.nan
    return risen


def _without(ranking: "UserRanking", gone: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The ranks as they were if the films that are `gone` had not been candidates: ties count half, as in every rank."""
    ranks = ranking.ranks
    above = np.searchsorted(ranks[gone], ranks, side="left") + np.searchsorted(
        ranks[gone], ranks, side="right"
    )
    return ranks - (above / 2).astype(np.float32)


def move_text(moved: float | None) -> str:
    """`▲12`, `▼3`, nothing for what stayed, `new` for what was not there; short for any catalogue."""
    if moved is None:
        return NEW
    if not moved:
        return ""
    size = abs(moved)
    # At most six cells: the half that ties give is kept where there is room for it.
    number = (
        rank_text(size)
        if size < 1000
        else f"{size:,.0f}"
        if size < 9999.5
        else f"{size / 1000:.0f}k"
    )
    return f"{'▲' if moved > 0 else '▼'}{number}"


def entered(ranking: "UserRanking", before: "UserRanking") -> int:
    """Films in the top 50 that were not among the first 50 of the list before."""
    top, top_before = (one.items[one.ranks <= CUTOFF] for one in (ranking, before))
    return int((~np.isin(top, top_before)).sum())
