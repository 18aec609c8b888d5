"""Measure the contrast of everything that a screen has drawn."""

from typing import Any

from rich.style import Style
from textual.color import Color
from textual.screen import Screen

from neumf_tui.tui.terminal.themes import LINE, TEXT, contrast


def unreadable(screen: Screen[Any]) -> list[str]:
    """Return the texts with less contrast than 4.5, and lines and marks with less than 3.

    Keys that would do nothing have 3, too.
    """
    names, variables = ("text-disabled", "footer-disabled"), screen.app.theme_variables
    found, disabled = {}, [Color.parse(variables[name]) for name in names]
    strips = screen._compositor.render_strips()
    # What a dialog covers is faint on purpose.
    for region in (child.region for child in screen.children):
        for strip in strips[region.y : region.bottom]:
            for text, style, _ in strip.crop(region.x, region.right):
                if text.strip() and style is not None and (wrong := _fault(text, style, disabled)):
                    found[wrong] = text.strip()[:30]
    return [f"{text!r}: {wrong}" for wrong, text in found.items()]


def _fault(text: str, style: Style, disabled: list[Color]) -> str:
    if style.dim:
        return "dim"
    if style.color is None or style.bgcolor is None:
        return f"no colour: {style}"
    front, back = (Color.from_rich_color(one) for one in (style.color, style.bgcolor))
    if style.reverse:
        front, back = back, front
    # Scrollbars and bars are blocks whose shape says as much as their colour.
    is_text = any(c.isalnum() for c in text) and front not in disabled
    least = TEXT if is_text else LINE
    ratio = contrast(front, back)
    return "" if ratio >= least - 0.01 else f"{front.hex} on {back.hex}: {ratio:.2f}"
