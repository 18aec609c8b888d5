"""Open a screen, with what the terminal and the person's config say of it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neumf_tui.errors import UsageError
from neumf_tui.text import clean

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h\x1b[2J\x1b[H", "\x1b[?1049l"
"""The alternate screen, empty; and back."""


def open_screen(
    folder: Path | None,
    screen: str,
    home: Path,
    low_bandwidth: bool | None,
    user_id: str | None = None,
    epoch: str | None = None,
) -> int:
    """Run the app until the person leaves; the exit code. `folder` is None for the list of runs.

    `user_id` and `epoch` are what the explore screen begins with.
    """
    # What a key changes is drawn at the next frame, twice if an answer comes after: 8 ms each instead of 17.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    with _first_line(screen, folder.name if folder else ""):
        from neumf_tui.tui.app import NeumfApp, load_config

        app = NeumfApp(folder, home, screen, load_config(), low_bandwidth, user_id, epoch)
    return app.run_to_end()


@contextmanager
def _first_line(screen: str, name: str) -> Iterator[None]:
    """The screen's first line at once, where the app will draw it: Textual alone takes a third of a second to import."""
    terminal = sys.__stderr__
    assert terminal is not None, "need_screen has looked"
    terminal.write(f"{ENTER_SCREEN} \x1b[1mneumf-tui\x1b[0m ▸ {screen}  {clean(name)}  loading")
    terminal.flush()
    try:
        yield
    except BaseException:
        # Nothing was started that would leave the screen; what went wrong is told on the shell's own.
        terminal.write(LEAVE_SCREEN)
        terminal.flush()
        raise


def need_screen(twin: str) -> None:
    """Raise UsageError where there can be no screen, naming the command that prints the same."""
    from neumf_tui.terminal import why_no_screen

    if why := why_no_screen():
        raise UsageError(f"this needs a terminal, and {why}; `{twin}` prints the same")
