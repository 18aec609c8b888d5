"""The line of keys below a screen."""

from rich.cells import cell_len
from textual import events, widgets
from textual.app import ComposeResult
from textual.widgets._footer import FooterKey

ALWAYS = ("help", "leave", "back", "dismiss", "finish")
"""Actions whose keys stand in every footer: help lists the keys that have no room."""


class Footer(widgets.Footer):
    """Textual's footer, with whole keys only, and with each of them in its form from the start.

    Textual cuts off what has no room. It mounts each key in its compact form and changes it at
    once, so that the styles of each are made three times whenever the keys change.
    """

    _fitted_to = 0
    """The width for which keys were chosen."""

    def compose(self) -> ComposeResult:
        self._fitted_to = self.screen.size.width
        keys = [part for part in super().compose() if isinstance(part, FooterKey)]
        for key in fitting(keys, self._fitted_to):
            key.set_reactive(FooterKey.compact, self.compact)
            yield key

    def on_resize(self, event: events.Resize) -> None:
        """Take keys in or leave them out where the width has changed."""
        if event.size.width != self._fitted_to:
            self.call_after_refresh(self.recompose)


def fitting(keys: list[FooterKey], width: int) -> list[FooterKey]:
    """Return the keys that fit in `width` cells: without the last ones that need not be there."""
    kept, room = list(keys), width - sum(map(_width, keys))
    for key in reversed(keys):
        name = key.action.partition("(")[0].rpartition(".")[2]
        if room < 0 and name not in ALWAYS:
            kept.remove(key)
            room += _width(key)
    return kept


def _width(key: FooterKey) -> int:
    """Return the cells of a key: spaces around the key itself, and one after its description."""
    return 3 + cell_len(key.key_display) + cell_len(key.description)
