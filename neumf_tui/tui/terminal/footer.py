"""The line of keys below a screen."""

from textual import widgets
from textual.app import ComposeResult
from textual.widgets._footer import FooterKey


class Footer(widgets.Footer):
    """Textual's footer, with the keys in their form from the start.

    Textual mounts each key in its compact form and changes it at once, so that the styles of each
    are made three times whenever the keys change.
    """

    def compose(self) -> ComposeResult:
        for part in super().compose():
            if isinstance(part, FooterKey):
                part.set_reactive(FooterKey.compact, self.compact)
            yield part
