"""Open a screen in the terminal."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neumf_tui.errors import UsageError
from neumf_tui.text import clean

ENTER_SCREEN, LEAVE_SCREEN = "\x1b[?1049h\x1b[2J\x1b[H", "\x1b[?1049l"
"""Switch to the alternate screen and clear it; switch back."""


def open_screen(
    folder: Path | None,
    screen: str,
    home: Path,
    low_bandwidth: bool | None,
    user_id: str | None = None,
    epoch: str | None = None,
    is_new: bool = False,
) -> int:
    """Run the app until the person leaves it and return the exit code.

    `folder` is None for the list of runs. The explore screen starts with `user_id` and `epoch`.
    is_new: whether the run is new; if its trainer cannot start, it is removed.
    """
    # At 120 frames a second a key's change is drawn after 8 ms; at Textual's 60 after 17 ms.
    os.environ.setdefault("TEXTUAL_FPS", "120")
    # Imports are many objects and no garbage, for which Python would look every 700 objects. Over
    # hours that would let garbage pile up.
    usual = gc.get_threshold()
    gc.set_threshold(50_000)
    with _first_line(screen, folder.name if folder else ""):
        from neumf_tui.tui.app import NeumfApp, load_config

        app = NeumfApp(folder, home, screen, load_config(), low_bandwidth, user_id, epoch)
        app.gives_hints = True
        app.new_runs = {folder} if folder and is_new else set()
    gc.set_threshold(*usual)
    return app.run_to_end()


@contextmanager
def _first_line(screen: str, name: str) -> Iterator[None]:
    """Show the screen's first line while Textual is imported, which takes a third of a second."""
    terminal = sys.stderr
    terminal.write(f"{ENTER_SCREEN} \x1b[1mneumf-tui\x1b[0m ▸ {screen}  {clean(name)}  loading")
    terminal.flush()
    try:
        yield
    except BaseException:
        # The app has not started, so nothing else leaves the alternate screen.
        terminal.write(LEAVE_SCREEN)
        terminal.flush()
        raise


def need_screen(command: str) -> None:
    """Raise UsageError if no screen can be opened; `command` prints the same as text."""
    from neumf_tui.terminal import why_no_screen

    if why := why_no_screen():
        raise UsageError(f"no screen here: {why}; use `{command}` instead")
