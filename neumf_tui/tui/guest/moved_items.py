"""Ranked items with the places that each has gained or lost since the list before."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.rank_changes import places_gained
from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.ranked_items import BARS, MARK, TITLE, RankedItemTable
from neumf_tui.tui.widgets.table import Column

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import UserRanking


class MovedItemTable(RankedItemTable):
    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        # A guest has no held-out item, so the column of its mark is free.
        self.columns[MARK] = Column("moved", 6)
        self._gained: NDArray[np.float32] | None = None
        """By row; None where there is no list before."""

    def show_moves(
        self, ranking: "UserRanking", before: "UserRanking | None", dataset: "Dataset"
    ) -> None:
        self._gained = None
        if before is not None:
            self._gained = places_gained(ranking, before, dataset.num_items)
        self.show_ranking(ranking, dataset)

    def _gain(self, row: int) -> float:
        """Return the places gained, NaN for an item that the list before does not have."""
        return 0.0 if self._gained is None else float(self._gained[row])

    def _row_cells(self, row: int) -> list[str]:
        cells = super()._row_cells(row)
        cells[MARK] = moved_text(self._gain(row))
        return cells

    def _widths(self, width: int) -> list[int]:
        """Show both sides of the bar or neither: one side alone says nothing."""
        widths = super()._widths(width)
        has_both = self._shown[0] is not None
        if has_both and not all(widths[bar] for bar in BARS):
            for bar in BARS:
                widths[TITLE] += widths[bar] + 1 if widths[bar] else 0
                widths[bar] = 0
        return widths

    def _sign(self, row: int, column: int) -> int:
        if column != MARK:
            return super()._sign(row, column)
        gain = self._gain(row)
        return 1 if np.isnan(gain) else int(np.sign(gain))


def moved_text(gain: float) -> str:
    """Return `▲12`, `▼3`, nothing for 0, `new` for NaN; at most six cells for any catalogue."""
    if np.isnan(gain):
        return "new"
    if not gain:
        return ""
    size = abs(gain)
    number = f"{size:,.0f}" if size < 9999.5 else f"{size / 1000:.0f}k"
    if size < 1000:
        number = rank_text(size)  # with the half that ties give
    return f"{'▲' if gain > 0 else '▼'}{number}"
