"""The help on a screen: what it shows, its symbols, its keys, and the words that it uses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.actions import parse
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widget import Widget

from neumf_tui.data.nouns import Noun
from neumf_tui.tui.help.content import WORDS, Topic
from neumf_tui.tui.keys import bindings, hidden, shown
from neumf_tui.tui.terminal.footer import Footer
from neumf_tui.tui.terminal.screen import TerminalScreen
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.head_text import head

AREAS = {
    "view": "This list",
    "chart": "Charts (Tab goes to one)",
    "table": "Lists",
    "item-search": "Search line",
    "welcome": "New run",
    "scatter": "Picture",
    "app": "Everywhere",
}
"""Titles of groups of keys, by the area of their ids; a screen's own keys come first."""
_SPELT = {
    "⏎": "Enter", "esc": "Esc", "space": "Space", "backspace": "Backspace", "tab": "Tab",
    "pgup": "Page up", "pgdn": "Page down", "home": "Home", "end": "End", "del": "Delete",
}  # fmt: skip
"""Keys as people call them."""
_GAP = 2


class HelpScreen(TerminalScreen[None]):
    """One page that scrolls."""

    DEFAULT_CSS = """
    HelpScreen > VerticalScroll { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    HelpScreen Static { height: auto; max-width: 110; }
    HelpScreen .help-title { color: $text-primary; text-style: bold; margin-top: 1; }
    HelpScreen #help-head {
        max-width: 100%;
        height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "help",
        hidden("down,j", "scroll(1)", "Down", "The next line", key_id="down"),
        hidden("up,k", "scroll(-1)", "Up", "The line before", key_id="up"),
        shown("pagedown,space", "page(1)", "Next page", key_id="page-down"),
        hidden("pageup", "page(-1)", "Page before", key_id="page-up"),
        hidden("home,g", "end(-1)", "Top", key_id="first"),
        hidden("end,G", "end(1)", "Bottom", key_id="last"),
        shown("escape,q,question_mark,f1", "close", "Close", display="Esc"),
    )

    def __init__(
        self, topic: Topic, groups: Mapping[str, Sequence[tuple[str, str]]], noun: Noun
    ) -> None:
        """`groups` has the keys and what they do, by the title of the group."""
        super().__init__()
        self._topic, self._groups, self.noun = topic, groups, noun

    def compose(self) -> ComposeResult:
        yield Static(head("help", self.noun.fill(self._topic.title)), id="help-head")
        with VerticalScroll():
            for title, body in self._sections():
                yield Static(title, classes="help-title", markup=False)
                yield Static(body)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def _sections(self) -> Iterable[tuple[str, RenderableType]]:
        fill, topic = self.noun.fill, self._topic
        paragraphs = [Text(fill(text)) for text in topic.shows]
        yield "What this screen shows", Group(*_with_blank_lines(paragraphs))
        yield "Symbols", _two_columns((mark, fill(what)) for mark, what in topic.symbols.items())
        for title, keys in self._groups.items():
            yield f"Keys · {title}", _two_columns((key, fill(what)) for key, what in keys)
        yield "Words", _two_columns((fill(word), fill(what)) for word, what in WORDS.items())

    @property
    def _page(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def action_scroll(self, by: int) -> None:
        self._page.scroll_relative(y=by, animate=False)

    def action_page(self, by: int) -> None:
        self._page.scroll_relative(y=by * max(1, self._page.size.height - 1), animate=False)

    def action_end(self, which: int) -> None:
        to = self._page.max_scroll_y if which > 0 else 0
        self._page.scroll_to(y=to, animate=False)

    def action_close(self) -> None:
        self.dismiss()


def _with_blank_lines(paragraphs: Sequence[Text]) -> list[Text]:
    parts = [part for paragraph in paragraphs for part in (paragraph, Text(""))]
    return parts[:-1]


def _two_columns(rows: Iterable[tuple[str, str]]) -> Table:
    """Return rows with what is explained at the left; both columns are wrapped between words."""
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(max_width=18)
    table.add_column(ratio=1)
    for left, right in rows:
        table.add_row(Text(f"  {left}", "bold"), Text(right))
    return table


def keys_of(screen: Screen[Any], own: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Return the keys that work on a screen and on what is on it now, and what they do, by group.

    `own` has the person's own keys by the id of their binding. Keys of the framework, which have
    no id of this program, are left out.
    """
    groups: dict[str, dict[tuple[str, str], None]] = {}
    for owner in (screen, *filter(_is_displayed, screen.query("*")), screen.app):
        for kind in type(owner).__mro__:
            for binding in kind.__dict__.get("BINDINGS", ()):
                if isinstance(binding, Binding) and binding.id and "." in binding.id:
                    if owner.check_action(*parse(binding.action)[1:]) is False:
                        continue
                    area = binding.id.partition(".")[0]
                    keys = own.get(binding.id, binding.key)
                    what = binding.tooltip or binding.description
                    row = _displayed(screen.app, binding, keys), what
                    # One key can have two bindings, of which only one is offered at a time.
                    groups.setdefault(AREAS.get(area, "This screen"), {})[row] = None
    order = ["This screen", *AREAS.values()]
    return {title: [*groups[title]] for title in order if title in groups}


def _is_displayed(widget: Widget) -> bool:
    return all(node.display for node in widget.ancestors_with_self if isinstance(node, Widget))


def _displayed(app: App[Any], binding: Binding, keys: str) -> str:
    names = (
        app.get_key_display(replace(binding, key=key.strip(), key_display=None))
        for key in keys.split(",")
    )
    return " ".join(dict.fromkeys(map(_spelt, names)))


def _spelt(name: str) -> str:
    """Return the name of a key as people write it: `Ctrl-Z` for `^z`."""
    if name.startswith("^") and len(name) > 1:
        return f"Ctrl-{name[1:].upper()}"
    if name[:1] == "f" and name[1:].isdecimal():
        return name.upper()
    return _SPELT.get(name, name.replace("shift+", "Shift-"))
