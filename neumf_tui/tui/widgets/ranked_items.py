"""The ranked items of one person, each with its score and the score's two parts as a bar."""

from dataclasses import replace
from typing import TYPE_CHECKING

from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.items import item_cells

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import UserRanking

BAR = 7
"""Width of each side of the bar in cells."""
COLUMNS = (
    Column("#", 6, right=True),
    Column("", 1),
    Column("title", 16, flex=True),
    Column("year", 4, drop=5),
    Column("genres", 12, drop=7),
    Column("score", 7, right=True, drop=1),
    Column("GMF ◂", BAR, right=True, drop=3),
    Column("▸ MLP", BAR, drop=2),
    Column("GMF", 7, right=True, drop=8),
    Column("MLP", 7, right=True, drop=9),
    Column("seen by", 7, right=True, drop=6),
)
MARK, TITLE, SCORE, GMF_BAR, MLP_BAR = 1, 2, 5, 6, 7
"""Positions of columns."""


class RankedItemTable(Table):
    """Scores and parts are centred on the mean over the person's candidates, or raw.

    The left side of the bar is the GMF part, the right side the MLP part. A part that raises the
    score is solid, one that lowers it is shaded.
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self.ranking: UserRanking | None = None
        self.raw = False
        self.sign = self._sign
        self._dataset: Dataset | None = None
        self._longest = 1.0

    def show_ranking(self, ranking: "UserRanking", dataset: "Dataset") -> None:
        """Show a ranking from its top, with the held-out item marked."""
        self.ranking, self._dataset = ranking, dataset
        # Both sides have one scale: the largest part of any candidate fills its side.
        ends = [
            float(end) - mean
            for part, mean in ((ranking.gmf, ranking.gmf_mean), (ranking.mlp, ranking.mlp_mean))
            for end in (part.max(initial=mean), part.min(initial=mean))
        ]
        self._longest = max(map(abs, ends)) or 1.0
        self.show_from(0)
        self.show_rows(len(ranking.items), self._row_cells, marked=ranking.heldout)

    def show_raw(self, raw: bool) -> None:
        """Show scores and parts as the model gives them, or centred; name the column after it."""
        self.raw = raw
        self.columns[SCORE] = replace(COLUMNS[SCORE], title="raw" if raw else "score")
        self.refresh()

    def clear(self) -> None:
        self.ranking = None
        super().clear()

    def _row_cells(self, row: int) -> list[str]:
        ranking, data = self.ranking, self._dataset
        assert ranking is not None and data is not None
        is_heldout, centred = row == ranking.heldout, ranking.centred(row)
        raw = ranking.scores[row], ranking.gmf[row], ranking.mlp[row]
        score, gmf, mlp = raw if self.raw else centred
        title, year, genres, seen_by = item_cells(data, int(ranking.items[row]))
        return [
            rank_text(float(ranking.ranks[row])),
            "★" if is_heldout else "",
            title + ("  ← held out" if is_heldout else ""),
            year,
            genres,
            f"{score:+.3f}",
            side(centred[1] / self._longest, BAR, left=True),
            side(centred[2] / self._longest, BAR),
            f"{gmf:+.3f}",
            f"{mlp:+.3f}",
            seen_by,
        ]

    def _sign(self, row: int, column: int) -> int:
        if self.ranking is None or column not in (GMF_BAR, MLP_BAR):
            return 0
        _, gmf, mlp = self.ranking.centred(row)
        return 1 if (gmf if column == GMF_BAR else mlp) >= 0 else -1


def side(share: float, width: int, left: bool = False) -> str:
    """Return a bar for a share between -1 and 1, in half cells.

    Positive shares are solid, negative ones shaded. With `left`, the bar grows to the left.
    """
    halves = round(min(abs(share), 1.0) * width * 2)
    if share < 0:
        return "▒" * max(1, (halves + 1) // 2) if halves else ""
    bar, half = "█" * (halves // 2), halves % 2
    return ("▐" * half + bar) if left else (bar + "▌" * half)
