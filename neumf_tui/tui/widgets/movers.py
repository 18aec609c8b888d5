"""A table in which rises, falls, and what came or went have their colours."""

from typing import ClassVar

from rich.style import Style

from neumf_tui.tui.widgets.table import Table

UP, DOWN = ("▲", "new", "won"), ("▼", "left", "lost")


class MoverTable(Table):
    """Cells that begin with one of UP or DOWN are coloured; the words say the same without colours."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"movers--up", "movers--down"}
    DEFAULT_CSS = """
    MoverTable {
        & > .movers--up { color: $text-success; }
        & > .movers--down { color: $text-error; }
    }
    """

    moves: tuple[int, ...] = ()
    """Columns with moves."""

    def cell_style(self, row: int, column: int) -> Style | None:
        if column not in self.moves:
            return None
        text = self._cells(row)[column]
        name = (
            "movers--up" if text.startswith(UP) else "movers--down" if text.startswith(DOWN) else ""
        )
        return self.get_component_rich_style(name, partial=True) if name else None
