"""Texts in the colours of the theme.

A text names its colours as the command line prints them: dim, red, green, yellow and cyan. Here
they become those of the theme, which can be read on its backgrounds; others are not to be used.
"""

from rich.style import Style as RichStyle
from rich.text import Text
from textual import widgets
from textual.app import RenderResult
from textual.content import Content, Span
from textual.style import Style

COLOURS = {
    "dim": "$text-muted",
    "red": "$text-error",
    "green": "$text-success",
    "yellow": "$text-warning",
    "cyan": "$text-primary",
    "default": "$foreground",
}


def themed_style(style: str) -> str:
    """Return a text's style, such as `bold red`, in the words of Textual's CSS."""
    return " ".join(COLOURS.get(word, word) for word in style.split())


def themed(text: Text) -> Content:
    """Return a text whose named colours are looked up when it is drawn: they follow the theme."""
    spans = [(0, len(text.plain), text.style), *text.spans]
    return Content(text.plain, [Span(first, end, _css(style)) for first, end, style in spans])


def _css(style: str | RichStyle) -> str | Style:
    return themed_style(style) if isinstance(style, str) else Style.from_rich_style(style)


def cell_style(style: str) -> RichStyle:
    """Return a text's style for a widget that draws its own cells, while it draws them."""
    return Style.parse(themed_style(style)).rich_style


class Static(widgets.Static):
    """Textual's Static, with texts in the colours of the theme."""

    def render(self) -> RenderResult:
        content = self.content
        return themed(content) if isinstance(content, Text) else super().render()
