"""Find text that a screen cuts off without saying so, words that it breaks, and overlaps."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from rich.cells import cell_len
from textual.containers import ScrollableContainer
from textual.content import Content
from textual.geometry import Region
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, RichLog

from neumf_tui.tui.widgets.plane import Plane
from neumf_tui.tui.widgets.table import Table


def faults(screen: Screen[Any]) -> list[str]:
    """Return what is wrong with the layout of a screen, a line for each fault."""
    leaves = [widget for widget in screen.query("*") if _is_leaf(widget) and _seen(widget)]
    found = [f"{_name(widget)}: {fault}" for widget in leaves for fault in _of_widget(widget)]
    for one, other in combinations(leaves, 2):
        both = _seen(one).intersection(_seen(other))
        if both and one.layer == other.layer:
            found.append(f"{_name(one)} and {_name(other)} overlap in {both}")
    return found


def _is_leaf(widget: Widget) -> bool:
    return not list(widget.children)


def _name(widget: Widget) -> str:
    named = next((a for a in widget.ancestors_with_self if a.id), widget)
    return f"{type(widget).__name__} in #{named.id}"


def _seen(widget: Widget) -> Region:
    """Return the part of the screen where a widget is drawn."""
    found = widget.screen._compositor.visible_widgets.get(widget)
    return found[0].intersection(found[1]) if found else Region()


def _of_widget(widget: Widget) -> Iterator[str]:
    region, clip = widget.screen._compositor.visible_widgets[widget]
    if region.intersection(clip) != region and not _scrolls(widget):
        yield f"{region} is cut to {region.intersection(clip)}: {_plain(widget)!r}"
    if isinstance(widget, Table):
        yield from _of_table(widget)
    elif isinstance(widget, Input):
        if not widget.value and cell_len(str(widget.placeholder)) > widget.content_size.width:
            yield f"{widget.content_size.width} cells cut {widget.placeholder!r}"
    elif not isinstance(widget, (Plane, RichLog, ScrollableContainer)):
        yield from _of_text(widget)


def _scrolls(widget: Widget) -> bool:
    """Return whether a scrollbar says that there is more."""
    return any(
        isinstance(a, Widget) and (a.show_vertical_scrollbar or a.show_horizontal_scrollbar)
        for a in widget.ancestors
    )


def _plain(widget: Widget) -> str:
    visual = widget._render()
    return visual.plain if isinstance(visual, Content) else ""


def _of_text(widget: Widget) -> Iterator[str]:
    text, room = _plain(widget), widget.content_size
    if not text.strip():
        return
    if widget.styles.text_wrap == "nowrap":
        lines = text.split("\n")
        longest = max(lines, key=cell_len)
        if cell_len(longest) > room.width and widget.styles.text_overflow != "ellipsis":
            yield f"{room.width} cells cut {longest!r}"
    else:
        lines = [str(line) for line in Content(text).wrap(room.width)]
        word = max(text.split(), key=cell_len)
        if cell_len(word) > room.width:
            yield f"{room.width} cells break {word!r}"
    if len(lines) > room.height:
        yield f"{room.height} lines of {len(lines)}: {text!r}"


def _of_table(table: Table) -> Iterator[str]:
    width = table.scrollable_content_region.width
    widths = [size for size in table._widths(width) if size]
    if widths and sum(widths) + len(widths) - 1 > width:
        yield f"columns of {widths} in {width} cells"
    for column, size in zip(table.columns, table._widths(width), strict=True):
        if size and cell_len(column.title) > size:
            yield f"title {column.title!r} in {size} cells"
