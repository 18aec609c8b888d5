"""The ranked films of one person, each with its score and the two parts of it as a two-sided bar."""

from typing import TYPE_CHECKING, ClassVar

from rich.style import Style

from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import UserRanking

BAR = 7
"""Cells of each side of the bar."""
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
_GMF_BAR, _MLP_BAR = 6, 7


class RankingTable(Table):
    """Scores and parts are centred on the person's candidates, or raw.

    The bar's left side is the GMF part, its right side the MLP part: solid and in one colour where a part raises the film,
    shaded and in another where it lowers it.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"ranking--up", "ranking--down"}
    DEFAULT_CSS = """
    RankingTable > .ranking--up { color: $text-success; }
    RankingTable > .ranking--down { color: $text-error; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self.ranking: UserRanking | None = None
        self.raw = False
        self._dataset: Dataset | None = None
        self._longest = 1.0

    def show_ranking(self, ranking: "UserRanking", dataset: "Dataset") -> None:
        """From the top, the held-out film marked."""
        self.ranking, self._dataset = ranking, dataset
        # Both sides by one scale: the longest part of any candidate fills its side.
        ends = [
            float(end) - mean
            for part, mean in ((ranking.gmf, ranking.gmf_mean), (ranking.mlp, ranking.mlp_mean))
            for end in (part.max(initial=mean), part.min(initial=mean))
        ]
        self._longest = max(map(abs, ends)) or 1.0
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self.show_rows(len(ranking.items), self._cells_of, marked=ranking.heldout)

    def clear(self) -> None:
        self.ranking = None
        self.show_rows(0, lambda _row: [])

    def _parts(self, row: int) -> tuple[float, float, float]:
        assert self.ranking is not None
        return self.ranking.centred(row)

    def _cells_of(self, row: int) -> list[str]:
        ranking, data = self.ranking, self._dataset
        assert ranking is not None and data is not None
        item, held = int(ranking.items[row]), row == ranking.heldout
        score, gmf, mlp = self._parts(row)
        shown = (
            (float(ranking.scores[row]), float(ranking.gmf[row]), float(ranking.mlp[row]))
            if self.raw
            else (score, gmf, mlp)
        )
        return [
            rank_text(float(ranking.ranks[row])),
            "★" if held else "",
            data.catalogue.titles[item] + ("  ← held out" if held else ""),
            str(data.catalogue.years[item] or ""),
            " ".join(data.catalogue.genres[item]),
            f"{shown[0]:+.3f}",
            side(gmf / self._longest, BAR, left=True),
            side(mlp / self._longest, BAR),
            f"{shown[1]:+.3f}",
            f"{shown[2]:+.3f}",
            f"{data.seen_by[item]:,}",
        ]

    def cell_style(self, row: int, column: int) -> Style | None:
        if column not in (_GMF_BAR, _MLP_BAR):
            return None
        _, gmf, mlp = self._parts(row)
        raises = (gmf if column == _GMF_BAR else mlp) >= 0
        return self.get_component_rich_style(
            "ranking--up" if raises else "ranking--down", partial=True
        )


def side(share: float, width: int, left: bool = False) -> str:
    """A bar for −1..1 in half cells: solid blocks for what raises, shaded ones for what lowers; `left` grows to the left."""
    halves = round(min(abs(share), 1.0) * width * 2)
    if share < 0:
        return "▒" * max(1, (halves + 1) // 2) if halves else ""
    bar, half = "█" * (halves // 2), halves % 2
    return ("▐" * half + bar) if left else (bar + "▌" * half)
