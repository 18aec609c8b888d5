"""Send the terminal only the cells that differ from what it shows already.

Textual repaints whole widgets: a chart that grew by one dot costs 31 KiB, over SSH too. This layer
between its compositor and its driver remembers every cell that was sent, and reduces each repaint
to the runs of cells that changed.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import NamedTuple

from rich.cells import split_graphemes
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from neumf_tui.text import clean

_NO_WIDTH = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Control characters, for which the widgets have left no cell."""
GAP = 4
"""Up to so many unchanged cells are sent again: moving the cursor would cost more bytes."""


class Code(NamedTuple):
    """The SGR parameters of a style."""

    attributes: str
    fg: str
    bg: str


PLAIN = Code("", "", "")
Cell = tuple[str, Code]
"""Text and style of a cell. The second cell of a wide character has no text."""
UNKNOWN: Cell = "", Code("?", "?", "?")


class Cells:
    """The text and the style of every cell that the terminal shows."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Cell]] = {}
        self._size = Size(0, 0)
        self._styles: dict[Style, Code] = {}
        self._codes: dict[Code, Code] = {PLAIN: PLAIN}

    def forget(self) -> None:
        """Send every cell again: after a resize or a suspension the terminal may show anything."""
        self._rows.clear()

    def update(self, update: LayoutUpdate | ChopsUpdate, size: Size, console: Console) -> str:
        """Return what changes the terminal to show `update`; empty if it does already."""
        if size != self._size:
            self._size = size
            self.forget()
        system = console._color_system or ColorSystem.TRUECOLOR
        pieces: list[str] = []
        shown = PLAIN
        for y, first, segments in _pieces(update):
            row = self._rows.setdefault(y, [UNKNOWN] * size.width)
            new = self._split(segments, system)[: max(0, size.width - first)]
            there = slice(first, first + len(new))
            for start, end in _changed(row[there], new):
                pieces.append(f"\x1b[{y + 1};{first + start + 1}H")
                for text, code in new[start:end]:
                    if code is not shown and text:
                        pieces.append(_switch(shown, code))
                        shown = code
                    pieces.append(text)
            row[there] = new
        if shown is not PLAIN:
            pieces.append("\x1b[0m")
        return "".join(pieces)

    def _split(self, segments: Iterable[Segment], system: ColorSystem) -> list[Cell]:
        cells: list[Cell] = []
        for text, style, control in segments:
            if control:
                continue
            if not text.isprintable():
                # Whatever a widget was given, a terminal does not execute it.
                text = clean(_NO_WIDTH.sub("", text))
            code = self._code(style, system)
            if text.isascii():
                cells.extend(zip(text, repeat(code), strict=False))
                continue
            for start, end, width in split_graphemes(text)[0]:
                if width:
                    cells += [(text[start:end], code), *[("", code)] * (width - 1)]
                elif cells:  # a combining mark at the very start has no cell
                    at = -1 if cells[-1][0] else -2
                    cells[at] = (cells[at][0] + text[start:end], cells[at][1])
        return cells

    def _code(self, style: Style | None, system: ColorSystem) -> Code:
        """Return the SGR parameters of `style`; equal ones are the same object."""
        if style is None:
            return PLAIN
        if (known := self._styles.get(style)) is None:
            known = _code(style, system)
            known = self._styles[style] = self._codes.setdefault(known, known)
        return known


def _code(style: Style, system: ColorSystem) -> Code:
    """Return the SGR parameters of a style. The terminal's own colour needs none."""
    attributes = Strip.render_ansi(style.without_color, system)
    fg, bg = (
        ";".join(color.downgrade(system).get_ansi_codes(foreground))
        if color and not color.is_default
        else ""
        for color, foreground in ((style.color, True), (style.bgcolor, False))
    )
    return Code(attributes, fg, bg)


def _switch(before: Code, after: Code) -> str:
    """Return the shortest sequence from one style to another."""
    if (
        before.attributes == after.attributes
        and (after.fg or not before.fg)
        and (after.bg or not before.bg)
    ):
        parts = [after.fg] * (after.fg != before.fg) + [after.bg] * (after.bg != before.bg)
    else:
        parts = ["0", *filter(None, after)]
    return f"\x1b[{';'.join(parts)}m"


def _pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, list[Segment]]]:
    """Yield (row, first column, segments) of what an update repaints."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, [segment for strip in strips for segment in strip]
        return
    for y, x1, x2 in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < x2 and end > x1:
                first = max(x, x1)
                yield y, first, list(strip.crop(first - x, min(end, x2) - x))


def _changed(before: list[Cell], after: list[Cell]) -> Iterator[tuple[int, int]]:
    """Yield runs of cells that differ, from start to end; a small gap does not end a run."""
    start = end = -1
    for x, cell in enumerate(after):
        if cell == before[x]:
            continue
        if start >= 0 and x - end > GAP:
            yield start, end
            start = -1
        if start < 0:
            # The left half of a wide character goes with its right half.
            start = x if cell[0] else max(0, x - 1)
        end = x + 1
    if start >= 0:
        yield start, end


class Difference(CompositorUpdate):
    """An update that is reduced when it is sent, so that a dropped one leaves Cells alone."""

    def __init__(self, update: LayoutUpdate | ChopsUpdate, cells: Cells, size: Size) -> None:
        self._update, self._cells, self._size = update, cells, size

    def render_segments(self, console: Console) -> str:
        return self._cells.update(self._update, self._size, console)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._update.__rich_console__(console, options)
