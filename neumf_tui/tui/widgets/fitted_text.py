"""Text that is laid out for the width it gets."""

import textwrap
from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from neumf_tui.tui.terminal.themed import themed

Layout = Callable[[int], Text]
"""Returns the text for a width in cells, no line wider than that."""


def wrapped(text: str, width: int, most: int) -> str:
    """Return `text` in at most `most` lines, broken between words; … stands for what is left."""
    lines = textwrap.wrap(
        text, max(4, width), max_lines=most, placeholder=" …", break_on_hyphens=False
    )
    return "\n".join(lines)


def fitting(forms: Sequence[str], width: int) -> str:
    """Return the first of `forms` that fits in `width` cells; else the last, cut with …."""
    for form in forms:
        if cell_len(form) <= width:
            return form
    last = Text(forms[-1] if forms else "")
    last.truncate(max(0, width), overflow="ellipsis")
    return last.plain


def in_width(text: Text, width: int) -> Text:
    """Return a line of at most `width` cells; … stands for what is left."""
    line = text.copy()
    line.truncate(max(1, width), overflow="ellipsis")
    return line


class FittedText(Widget):
    """As high as its text, which `layout` makes anew whenever the width changes."""

    DEFAULT_CSS = "FittedText { height: auto; width: 1fr; }"

    def __init__(self, *, id: str, classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._layout: Layout = lambda _: Text()
        self._made: tuple[int, Text] | None = None

    def show(self, layout: Layout) -> None:
        """Show another text. Nothing is drawn where it is equal to the present one."""
        before, width = self._made, self.content_size.width
        self._layout, self._made = layout, None
        if not width:
            return  # it is laid out when it is seen
        if before is None or before[0] != width:
            self.refresh(layout=True)
            return
        old, new = before[1], self._text(width)
        if old != new or old.style != new.style:
            self.refresh(layout=_lines(old) != _lines(new))

    def say(self, line: str) -> None:
        """Show a line of text, for any width."""
        self.show(lambda _: Text(line, "dim"))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return _lines(self._text(width))

    def render(self) -> Content:
        return themed(self._text(self.content_size.width))

    def _text(self, width: int) -> Text:
        if self._made is None or self._made[0] != width:
            self._made = width, self._layout(width)
        return self._made[1]


def _lines(text: Text) -> int:
    return text.plain.count("\n") + 1
