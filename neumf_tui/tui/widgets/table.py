"""A table that draws only the visible lines: a million rows cost as much as ten.

Textual's DataTable lays out every row before its first paint (9 s for 100,000 rows) and sends 8 to
12 KiB for each row that the mouse crosses. This one asks for the cells of a row when it draws it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from neumf_tui.data.nouns import Noun
from neumf_tui.data.strings import longest
from neumf_tui.text import clean

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset

Cells = Callable[[int], Sequence[str]]
"""Returns the texts of a row, one for each column."""
Sign = Callable[[int, int], int]
"""Returns whether the cell at a row and a column is good (1), bad (-1) or neither (0)."""


@dataclass(frozen=True)
class Column:
    title: str
    """`named_columns` takes it as a template of `Noun.fill`."""
    width: int
    """In cells; a column without any is left out."""
    right: bool = False
    """Whether its texts are aligned to the right."""
    flex: bool = False
    """Whether it gets the width that the other columns leave."""
    drop: int = 0
    """A narrow table leaves out the columns with the highest numbers first, those with 0 never."""


def named_columns(columns: Iterable[Column], noun: Noun) -> list[Column]:
    """Return the columns with the noun in their titles."""
    return [replace(column, title=noun.fill(column.title)) for column in columns]


def item_columns(columns: Iterable[Column], dataset: "Dataset") -> list[Column]:
    """Return the columns, without any width where the dataset has no value for them."""
    catalogue = dataset.catalogue
    has_values = {
        "year": catalogue.has_years,
        "genres": catalogue.has_genres,
        "age": dataset.has_ages,
        "seen on": dataset.facts.has_times,
    }
    return [
        column if has_values.get(column.title, True) else replace(column, width=0)
        for column in named_columns(columns, dataset.noun)
    ]


def id_column(title: str, *ids: Iterable[str]) -> Column:
    """Return a column as wide as the longest of `ids` needs, but at most 16 cells."""
    return Column(title, min(16, max(len(title), *map(longest, ids))))


class Table(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows under a fixed header, with a cursor line.

    Nothing scrolls sideways, so the screen can use the left and right keys.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header", "table--cursor", "table--marked", "table--good", "table--bad",
        "table--ending", "table--match",
    }  # fmt: skip
    DEFAULT_CSS = """
    Table {
        background: $surface;
        color: $foreground;
        overflow-x: hidden;
        & > .table--header { color: $text-primary; text-style: bold; }
        & > .table--cursor { background: $panel; }
        & > .table--marked { color: $text-accent; text-style: bold; }
        & > .table--good { color: $text-success; }
        & > .table--bad { color: $text-error; }
        & > .table--ending { color: $text-muted; }
        & > .table--match { text-style: bold underline; }
        &:focus > .table--cursor {
            background: $block-cursor-background; color: $block-cursor-foreground;
        }
        &:focus:nocolor > .table--cursor { text-style: reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, id="table.up"),
        Binding("down,j", "move(1)", "Down", show=False, id="table.down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="table.page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="table.page-down"),
        Binding("home,g", "go(0)", "First", show=False, id="table.first"),
        Binding("end,G", "go(-1)", "Last", show=False, id="table.last"),
    ]

    cursor: reactive[int] = reactive(0)

    @dataclass
    class RowMessage(Message):
        table: "Table"
        row: int

        @property
        def control(self) -> "Table":
            return self.table

    class Highlighted(RowMessage):
        """The cursor is on another row, or the rows are new."""

    class Chosen(RowMessage):
        """A row was double-clicked."""

    def __init__(self, columns: Sequence[Column], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.columns = list(columns)
        self.sign: Sign = lambda _row, _column: 0
        self.matches: Mapping[int, re.Pattern[str]] = {}
        """What a search has found in the cells of a column; it is marked."""
        self._count = 0
        self._cells: Cells = lambda _row: ()
        self._marked = -1
        self._ending = ""
        """A line after the last row, on which the cursor cannot be."""

    def show_rows(
        self, count: int, cells: Cells, cursor: int = 0, marked: int = -1, ending: str = ""
    ) -> None:
        """Show `count` rows with the texts that `cells` returns; highlight the row `marked`.

        `ending` is shown after them.
        """
        self._count, self._cells, self._marked, self._ending = count, cells, marked, ending
        self._fit_scrollbar()
        cursor = self.validate_cursor(cursor)
        if self.cursor == cursor:
            self._put_in_sight()
            if count:
                self.post_message(self.Highlighted(self, cursor))
        self.cursor = cursor
        self.refresh()

    def clear(self) -> None:
        """Show no rows."""
        self.show_rows(0, lambda _row: ())

    def _fit_scrollbar(self) -> None:
        size = Size(self.scrollable_content_region.width, self._lines)
        height = self.container_size.height
        if height and (self.virtual_size.height > height) == (size.height > height):
            # The scrollbar neither comes nor goes. Set without laying out the screen again, which
            # takes as long as everything else that a new list needs.
            self.set_reactive(Widget.virtual_size, size)
            if self.show_vertical_scrollbar:
                self.vertical_scrollbar.window_virtual_size = size.height
            self.scroll_y = self.validate_scroll_y(self.scroll_y)
        else:
            self.virtual_size = size

    @property
    def _lines(self) -> int:
        """The header, the rows and the line after them."""
        return 1 + self._count + bool(self._ending)

    @property
    def row_count(self) -> int:
        return self._count

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self._count - 1))

    def watch_cursor(self, before: int, cursor: int) -> None:
        self._put_in_sight()
        for row in (before, cursor):
            self.refresh(Region(0, row + 1 - self.scroll_offset.y, self.size.width, 1))
        if self._count:
            self.post_message(self.Highlighted(self, cursor))

    def _put_in_sight(self) -> None:
        height, top = self.size.height - 1, self.scroll_offset.y
        last = self.cursor + bool(self._ending and self.cursor == self._count - 1)
        if height > 0 and not top <= self.cursor <= last < top + height:
            self.show_from(self.cursor if self.cursor < top else last - height + 1)

    def show_from(self, row: int) -> None:
        """Scroll at once so that `row` is the first one below the header."""
        self.scroll_to(y=row, animate=False, immediate=True, force=True)

    def show_in_middle(self, row: int) -> None:
        """Put the cursor on `row`, with the rows around it visible."""
        self.cursor = row
        self.centre()

    def centre(self) -> None:
        """Scroll so that rows above and below the cursor are visible."""
        self.show_from(max(0, self.cursor - self.size.height // 2))

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, by: int) -> None:
        self.cursor += by * max(1, self.size.height - 2)

    def action_go(self, row: int) -> None:
        self.cursor = row if row >= 0 else self._count - 1

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None or at.y < 1:
            return
        row = at.y - 1 + self.scroll_offset.y
        if row < self._count:
            self.cursor = row
            if event.chain == 2:
                self.post_message(self.Chosen(self, row))

    def on_resize(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, self._lines)
        self._put_in_sight()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        base = self.rich_style
        if y == 0:
            style = base + self.get_component_rich_style("table--header", partial=True)
            titles = [column.title for column in self.columns]
            return self._line(titles, width, style, [style] * len(titles))
        row = y - 1 + self.scroll_offset.y
        if row >= self._count:
            if not self._ending or row > self._count:
                return Strip.blank(width, base)
            style = base + self.get_component_rich_style("table--ending", partial=True)
            return Strip([Segment(_fit(f" {clean(self._ending)}", width, right=False), style)])
        style = base
        if row == self._marked:
            style += self.get_component_rich_style("table--marked", partial=True)
        if row == self.cursor:
            style += self.get_component_rich_style("table--cursor", partial=True)
        styles = [style] * len(self.columns)
        if row != self.cursor:
            styles = [style + self.cell_style(row, column) for column in range(len(styles))]
        cells = [clean(cell) for cell in self._cells(row)]
        return self._line(cells, width, style, styles, self.matches)

    def cell_style(self, row: int, column: int) -> Style | None:
        """Return what is added to the row's style for this cell."""
        sign = self.sign(row, column)
        return self.sign_style(sign) if sign else None

    def sign_style(self, sign: int) -> Style:
        """Return the style of good (1) or bad (-1) cells."""
        name = "table--good" if sign > 0 else "table--bad"
        return self.get_component_rich_style(name, partial=True)

    def column_width(self, column: int) -> int:
        """Return the present width of a column in cells."""
        return self._widths(self.scrollable_content_region.width)[column]

    def _line(
        self,
        cells: Sequence[str],
        width: int,
        style: Style,
        styles: Sequence[Style],
        matches: Mapping[int, re.Pattern[str]] = {},
    ) -> Strip:
        """Draw a row: each cell in its own style, and what is between them in `style`."""
        segments: list[Segment] = []
        widths = self._widths(width)
        for at, (cell, size, own) in enumerate(zip(cells, widths, styles, strict=True)):
            if size:
                text = _fit(cell, size, self.columns[at].right)
                found = matches[at].search(text) if at in matches else None
                segments += [*self._marked_in(text, own, found), Segment(" ", style)]
        return Strip(segments[:-1]).adjust_cell_length(width, style)

    def _marked_in(self, text: str, style: Style, found: re.Match[str] | None) -> Iterator[Segment]:
        """Yield the parts of a cell; what was found in it is marked."""
        if found is None:
            yield Segment(text, style)
            return
        yield Segment(text[: found.start()], style)
        mark = self.get_component_rich_style("table--match", partial=True)
        yield Segment(found[0], style + mark)
        yield Segment(text[found.end() :], style)

    def _widths(self, width: int) -> list[int]:
        """Return the width of each column in cells, 0 for one that is left out."""
        widths = [column.width for column in self.columns]
        spare = width - sum(size + 1 for size in widths if size) + 1
        for index in sorted(range(len(widths)), key=lambda i: -self.columns[i].drop):
            if spare >= 0 or not self.columns[index].drop:
                break
            spare += widths[index] + 1 if widths[index] else 0
            widths[index] = 0
        for index, column in enumerate(self.columns):
            if column.flex and widths[index]:
                widths[index] += max(0, spare)
        return widths


def _fit(text: str, width: int, right: bool) -> str:
    spare = width - cell_len(text)
    if spare < 0:
        return set_cell_size(text, width - 1) + "…"
    return " " * spare + text if right else text + " " * spare
