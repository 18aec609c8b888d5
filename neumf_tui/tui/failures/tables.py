"""The tables of the failures screen: their columns, and cells that are good or bad news."""

from collections.abc import Callable
from typing import ClassVar

from rich.style import Style

from neumf_tui.tui.widgets.table import Column, Table
from neumf_tui.views.failures import WHISKER

USER_COLUMNS = (
    Column("user", 7),
    Column("held-out film", 12, flex=True),
    Column("rank", 6, right=True),
    Column("popularity", 10, right=True, drop=3),
    Column("gain", 7, right=True),
    Column("history", 7, right=True, drop=2),
    Column("seen by", 7, right=True, drop=1),
    Column("age", 3, right=True, drop=4),
)
COHORT_COLUMNS = (
    Column("", 1),
    Column("kind", 10, drop=2),
    Column("cohort", 15, flex=True),
    Column("users", 7, right=True),
    Column("Hit@50", 6, right=True),
    Column("95 % interval", 13, drop=1),
    Column("0", WHISKER, drop=4),
    Column("popularity", 10, right=True, drop=3),
    Column("AUC", 5, right=True, drop=5),
    Column("95 % interval", 13, drop=6),
)
FILM_COLUMNS = (
    Column("never recommended", 20, flex=True),
    Column("year", 4),
    Column("genres", 26, drop=1),
    Column("seen by", 7, right=True),
)


class JudgedTable(Table):
    """A table in which a cell can be good or bad news."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"judged--good", "judged--bad"}
    DEFAULT_CSS = """
    JudgedTable > .judged--good { color: $text-success; }
    JudgedTable > .judged--bad { color: $text-error; }
    """

    def __init__(self, columns: tuple[Column, ...], *, id: str) -> None:  # noqa: A002
        super().__init__(columns, id=id)
        self.judge: Callable[[int, int], int] = lambda row, column: 0
        """1, 0 or −1 for a row and a column."""

    def cell_style(self, row: int, column: int) -> Style | None:
        verdict = self.judge(row, column)
        return self.judged(verdict) if verdict else None

    def judged(self, verdict: int) -> Style:
        return self.get_component_rich_style(
            "judged--good" if verdict > 0 else "judged--bad", partial=True
        )
