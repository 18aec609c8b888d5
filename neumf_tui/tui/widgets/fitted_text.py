"""Text that is laid out for the width it gets."""

from collections.abc import Callable

from rich.text import Text
from textual.geometry import Size
from textual.widget import Widget

Layout = Callable[[int], Text]
"""Returns the text for a width in cells, no line wider than that."""


class FittedText(Widget):
    """As high as its text, which `layout` makes anew whenever the width changes."""

    DEFAULT_CSS = "FittedText { height: auto; width: 1fr; }"

    def __init__(self, *, id: str, classes: str = "") -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._layout: Layout = lambda _: Text()
        self._made: tuple[int, Text] | None = None

    def show(self, layout: Layout) -> None:
        """Show another text."""
        self._layout, self._made = layout, None
        self.refresh(layout=True)

    def say(self, line: str) -> None:
        """Show a line of text, for any width."""
        self.show(lambda _: Text(line, "dim"))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._text(width).plain.count("\n") + 1

    def render(self) -> Text:
        return self._text(self.content_size.width)

    def _text(self, width: int) -> Text:
        if self._made is None or self._made[0] != width:
            self._made = width, self._layout(width)
        return self._made[1]
