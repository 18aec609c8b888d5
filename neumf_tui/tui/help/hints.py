"""The hint of a screen, shown when a person opens it for the first time."""

import json
from contextlib import suppress
from pathlib import Path

from neumf_tui import files
from neumf_tui.home import home_to_write
from neumf_tui.tui.terminal.themed import Static

SEEN = "screens-seen.json"


def is_first_time(home: Path, area: str) -> bool:
    """Return whether a screen is opened for the first time, and remember that it was opened.

    The home of another account remembers nothing.
    """
    own = home_to_write(home)
    if own is None:
        return True
    seen: list[str] = []
    with suppress(OSError):
        seen = files.read_json(own, SEEN, list[str])
    if area in seen:
        return False
    with suppress(OSError):
        own.mkdir(parents=True, exist_ok=True)
        content = json.dumps(sorted({*seen, area})).encode()
        files.replace(own, SEEN, content, to_disk=False)
    return True


class Hint(Static):
    """One line above the keys of a screen; it goes when another screen or a dialog is opened."""

    DEFAULT_CSS = """
    Hint {
        height: 1; padding: 0 1; background: $panel; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def __init__(self, text: str) -> None:
        super().__init__(text, markup=False, classes="-first-time")
