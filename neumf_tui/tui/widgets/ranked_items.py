"""The ranked items of one person, each with its score and the score's parts as a bar."""

from dataclasses import replace
from typing import TYPE_CHECKING

from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import rank_text
from neumf_tui.tui.widgets.table import Column, Table, item_columns
from neumf_tui.views.beyond import ending_text
from neumf_tui.views.items import item_cells
from neumf_tui.views.parts import decimals, part_name

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
    Column("", BAR, right=True, drop=3),
    Column("", BAR, drop=2),
    Column("", 7, right=True, drop=8),
    Column("", 7, right=True, drop=9),
    Column("seen by", 7, right=True, drop=6),
)
MARK, TITLE, YEAR, GENRES, SCORE_COLUMN = range(1, 6)
LEFT_BAR, RIGHT_BAR = BARS = 6, 7
LEFT_PART, RIGHT_PART = 8, 9
"""Positions of columns. Two parts have a side of the bar each; a score that is one number, or one
part, has the right side."""


class RankedItemTable(Table):
    """Scores and parts are centred on the mean over the person's candidates, or raw.

    A part that raises the score is solid, one that lowers it is shaded.
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(COLUMNS, id=id)
        self.ranking: UserRanking | None = None
        self.raw = False
        self.sign = self._sign
        self._dataset: Dataset | None = None
        self._longest = 1.0
        self._shown: tuple[str | None, ...] = (None, None)
        """The parts of the left and of the right side of the bar."""

    def show_ranking(self, ranking: "UserRanking", dataset: "Dataset") -> None:
        """Show a ranking from its top, with the held-out item marked."""
        self.ranking, self._dataset = ranking, dataset
        self._name_columns(tuple(ranking.parts))
        shown = item_columns(COLUMNS, dataset)
        self.columns[YEAR], self.columns[GENRES] = shown[YEAR], shown[GENRES]
        # Both sides have one scale: the largest part of any candidate fills its side.
        values = ranking.parts or {SCORE: ranking.scores[: ranking.known]}
        ends = [
            float(end) - ranking.means[name]
            for name, value in values.items()
            if len(value)
            for end in (value.max(), value.min())
        ]
        self._longest = max(map(abs, ends), default=0.0) or 1.0
        self.show_from(0)
        ending = ending_text(ranking, dataset.noun)
        self.show_rows(ranking.known, self._row_cells, marked=ranking.heldout, ending=ending)

    def _name_columns(self, parts: tuple[str, ...]) -> None:
        self._shown = (*[None] * (2 - len(parts)), *parts[:2])
        left, right = (part_name(part) if part else "" for part in self._shown)
        titles = {
            LEFT_BAR: f"{left} ◂" if len(left) < BAR - 1 else left,
            RIGHT_BAR: f"▸ {right or SCORE}",
            LEFT_PART: left,
            RIGHT_PART: right,
        }
        for column, title in titles.items():
            self.columns[column] = replace(COLUMNS[column], title=title)

    def _widths(self, width: int) -> list[int]:
        """Give the title the width of the columns that this model does not need."""
        widths = super()._widths(width)
        left, right = self._shown
        unused = () if left else (LEFT_BAR, LEFT_PART)
        for column in unused if right else (*unused, RIGHT_PART):
            widths[TITLE] += widths[column] + 1 if widths[column] else 0
            widths[column] = 0
        return widths

    def show_raw(self, raw: bool) -> None:
        """Show scores and parts as the model gives them, or centred; name the column after it."""
        self.raw = raw
        self.columns[SCORE_COLUMN] = replace(COLUMNS[SCORE_COLUMN], title="raw" if raw else "score")
        self.refresh()

    def clear(self) -> None:
        self.ranking = None
        super().clear()

    def _row_cells(self, row: int) -> list[str]:
        ranking, data = self.ranking, self._dataset
        assert ranking is not None and data is not None
        is_heldout, centred = row == ranking.heldout, ranking.centred(row)
        values = {SCORE: ranking.scores, **ranking.parts}
        shown = {name: float(value[row]) for name, value in values.items()}
        shown = shown if self.raw else centred
        left, right = self._shown
        digits = 3 if self.raw else decimals(self._longest)
        title, year, genres, seen_by = item_cells(data, int(ranking.items[row]))
        return [
            rank_text(float(ranking.ranks[row])),
            "★" if is_heldout else "",
            title + ("  ← held out" if is_heldout else ""),
            year,
            genres,
            f"{shown[SCORE]:+.{digits}f}",
            side(centred[left] / self._longest, BAR, left=True) if left else "",
            side(centred[right or SCORE] / self._longest, BAR),
            f"{shown[left]:+.{digits}f}" if left else "",
            f"{shown[right]:+.{digits}f}" if right else "",
            seen_by,
        ]

    def _sign(self, row: int, column: int) -> int:
        if self.ranking is None or column not in BARS:
            return 0
        part = self._shown[BARS.index(column)]
        if part is None and column == LEFT_BAR:
            return 0
        return 1 if self.ranking.centred(row)[part or SCORE] >= 0 else -1


def side(share: float, width: int, left: bool = False) -> str:
    """Return a bar for a share between -1 and 1, in half cells.

    Positive shares are solid, negative ones shaded. With `left`, the bar grows to the left.
    """
    halves = round(min(abs(share), 1.0) * width * 2)
    if share < 0:
        return "▒" * max(1, (halves + 1) // 2) if halves else ""
    bar, half = "█" * (halves // 2), halves % 2
    return ("▐" * half + bar) if left else (bar + "▌" * half)
