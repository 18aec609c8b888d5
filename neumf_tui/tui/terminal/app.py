"""The base of the app: what is sent to the terminal, how fast, and how the terminal is left.

Everything that uses Textual's private names is in this folder; pyproject.toml pins its version.
"""

import os
import signal
import termios
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual._context import active_message_pump
from textual.app import App, ScreenStackError
from textual.css.query import NoMatches
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message_pump import MessagePump
from textual.notifications import Notification
from textual.screen import Screen

from neumf_tui import files
from neumf_tui.crash import message_of
from neumf_tui.errors import NeumfTuiError
from neumf_tui.home import home_to_write
from neumf_tui.terminal import (
    ask_background,
    clipboard_sequences,
    colour_depth,
    is_light,
    notice_sequences,
)
from neumf_tui.tui.terminal.differences import Cells, Difference
from neumf_tui.tui.terminal.driver import MeteredDriver
from neumf_tui.tui.terminal.screen import TerminalScreen
from neumf_tui.tui.terminal.themes import THEMES, choose_theme, readable
from neumf_tui.tui.terminal.typed_keys import Typed, TypedKeys

STALL_SECONDS = 0.3
"""Output that waits this long means a stalled link: no frame is sent until it moves again."""
SLOW_SECONDS = 1.0
"""Output that waits this long means a slow link: low bandwidth from then on."""
METER_SECONDS = 1.0
METER_WINDOW = 5
"""Readings over which the bytes per second are averaged."""
BACKGROUND_SECONDS = 1.0
"""Time to wait for a terminal that does not report its background colour."""
GRACE_SECONDS = 0.3
"""After a hang-up or SIGTERM the viewer has this long to leave by itself."""
CLIPBOARD = "clipboard.txt"
MOUSE_ON = "\x1b[?1000h\x1b[?1003h\x1b[?1006h"
MOUSE_OFF = "\x1b[?1003l\x1b[?1000l\x1b[?1006l"
RESTORE = (
    "\x1b[?2026l\x1b[?2048l\x1b[?1016l\x1b[?7h\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
    "\x1b[?2004l\x1b[<u\x1b[0m\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""Frame, size reports, line wrap, mouse, bracketed paste, keyboard protocol, colours, alternate
screen, cursor and focus reports: as the shell wants them."""


class TerminalApp(App[None]):
    """An app that measures its link, sends only cells that changed, and leaves in good order."""

    def __init__(self, home: Path, theme: str, low_bandwidth: str, notify: str) -> None:
        """`theme`, `low_bandwidth` and `notify` are those of the config file, `auto` included."""
        self.home = home
        self.low_bandwidth = low_bandwidth == "on"
        self._may_slow = low_bandwidth == "auto"
        self._wanted_theme, self._notices = theme, notify
        no_color = "NO_COLOR" in os.environ  # Textual reads it and removes it
        # Without colours the ANSI filter must be chosen here: a theme set later would leave greys.
        super().__init__(ansi_color=True if no_color else None)
        self._no_color, self._light = no_color, False
        self._cells = Cells()
        self._missed_frame = self._slowed = False
        self._sent: deque[int] = deque([0], METER_WINDOW + 1)
        self._signal = 0
        self._leaving = self._left = False
        self._typed_ahead = bytearray()
        self.fault: BaseException | None = None
        """The error that has ended the app."""
        self.typed_keys = TypedKeys(self, super().on_event)
        for known in THEMES:
            self.register_theme(known)
        self.theme = self._theme_name()

    def get_css_variables(self) -> dict[str, str]:
        """Return the theme's variables, with colours that can be read."""
        self.theme_variables = readable(self.current_theme, super().get_css_variables())
        return self.theme_variables

    def _theme_name(self) -> str:
        env = os.environ | ({"NO_COLOR": "1"} if self._no_color else {})
        few_colours = self.low_bandwidth or colour_depth(os.environ) <= 16
        return choose_theme(self._wanted_theme, env, self._light, few_colours)

    def run_in_terminal(self) -> None:
        """Run until the person leaves, in a theme that suits the terminal's background.

        Raises the error that has ended the app, when the terminal is as it was before.
        """
        typed = self._typed_ahead
        if self._wanted_theme == "auto" and (
            background := ask_background(BACKGROUND_SECONDS, typed=typed)
        ):
            self._light = is_light(background)
            self.theme = self._theme_name()
        try:
            self.run(mouse=not self.low_bandwidth)
        except Exception as error:  # noqa: BLE001 - raised when the terminal is restored
            self.fault = self.fault or error
        driver = self._driver
        if isinstance(driver, MeteredDriver) and (driver.outlet.fault or not driver.restored):
            driver.exit_event.set()  # the thread that reads keys ends
            self._restore(driver)
        self._left = True
        if self.fault is not None:
            raise self.fault

    def end_by_signal(self) -> None:
        """Exit at once if a signal ended the app: a slow interpreter shutdown would be cut off."""
        if self._signal:
            os._exit(128 + self._signal)

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with suppress(ValueError):  # not the main thread: a test harness has the signals
                signal.signal(number, self._end_on_signal)
        self.app_suspend_signal.subscribe(self, lambda _: self._cells.forget())
        self.app_resume_signal.subscribe(self, lambda _: self.action_redraw())
        self.set_interval(METER_SECONDS, self._meter)

    def exit(
        self, result: None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        self._leaving = True
        super().exit(result, return_code, message)

    async def on_event(self, event: events.Event) -> None:
        """Ignore keys once the app is being left: they were typed for the shell."""
        if self._leaving and isinstance(event, events.InputEvent):
            return
        if isinstance(event, Typed) and not event.is_forwarded:
            await self.typed_keys.add(event)
        else:
            await super().on_event(event)

    # Notices. They stand in lines of their own above the footer, in the place of what always stands
    # there, so that they cover no list.

    def _refresh_notifications(self) -> None:
        super()._refresh_notifications()
        self._make_room_for_notices()

    def _unnotify(self, notification: Notification, refresh: bool = True) -> None:
        super()._unnotify(notification, refresh)
        self._make_room_for_notices()

    def _make_room_for_notices(self) -> None:
        with suppress(ScreenStackError):
            are_shown = bool(self._notifications) and not self._disable_notifications
            self.screen.query(".standing").set(display=not are_shown)

    # Errors, and faults of the program.

    def show_error(self, error: NeumfTuiError | OSError) -> None:
        """Tell the person about an error; the screen goes on."""
        self.notify(message_of(error), severity="error", markup=False, timeout=10)

    async def _dispatch_action(self, *args: Any) -> bool:
        try:
            return await super()._dispatch_action(*args)
        except (NeumfTuiError, OSError) as error:  # a run was deleted, for instance
            self.show_error(error)
            return True

    def _handle_exception(self, error: Exception) -> None:
        if isinstance(error, NoMatches) and self._works_for_a_left_screen():
            return  # a timer of Textual's command palette looks for widgets that are gone
        self.fault = self.fault or error
        super()._handle_exception(error)

    def _works_for_a_left_screen(self) -> bool:
        """Return whether what is done at the moment is of a screen that has been closed."""
        node: MessagePump | None = active_message_pump.get(None)
        while node is not None and not isinstance(node, Screen):
            node = node._parent
        return node is not None and all(node not in s for s in self._screen_stacks.values())

    def _fatal_error(self) -> None:
        if self.is_headless:  # tests see the traceback
            super()._fatal_error()
        else:
            self._close_messages_no_wait()

    # The link.

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        return MeteredDriver if found is LinuxDriver else found

    def _build_driver(self, *args: Any, **options: Any) -> Driver:
        driver = super()._build_driver(*args, **options)
        if isinstance(driver, MeteredDriver):
            driver.typed_ahead = bytes(self._typed_ahead)
        return driver

    @property
    def stalled(self) -> bool:
        """Whether the terminal has stopped taking output; nothing is read or drawn for it then."""
        return isinstance(self._driver, MeteredDriver) and self._driver.behind() > STALL_SECONDS

    @property
    def link_text(self) -> str:
        """Kilobytes per second over the last seconds; empty where they are not counted."""
        if not isinstance(self._driver, MeteredDriver):
            return ""
        rate = (self._sent[-1] - self._sent[0]) / max(1, len(self._sent) - 1) / METER_SECONDS
        return f"{rate / 1000:.1f} KB/s"

    @property
    def refresh_seconds(self) -> float:
        return 1.0 if self.low_bandwidth else 0.5

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if self.stalled:
            # A full queue would make this event loop wait for the link; see `_meter`.
            self._missed_frame = True
            return
        if isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            super()._display(screen, Difference(renderable, self._cells, self.size))
        else:
            super()._display(screen, renderable)
        if isinstance(screen, TerminalScreen):
            screen.shown_at = min(screen.shown_at, time.monotonic())

    def _meter(self) -> None:
        driver = self._driver
        if not isinstance(driver, MeteredDriver):
            return
        if driver.outlet.broken:
            self.exit(return_code=129)
            return
        if driver.outlet.fault is not None:
            self._handle_exception(driver.outlet.fault)
            return
        if self._may_slow and not self.low_bandwidth and driver.behind() > SLOW_SECONDS:
            self.set_low_bandwidth(True)
            self._slowed = True
        if self._missed_frame and not self.stalled:
            self._missed_frame = False
            self.screen.refresh(layout=True)
        if self._slowed and not self.stalled:  # only now can the notice be seen
            self._slowed = False
            self.notify("The link is slow: low bandwidth is on (Ctrl-B).")
        self._sent.append(driver.sent)

    def set_low_bandwidth(self, on: bool) -> None:
        self.low_bandwidth = on
        self.theme = self._theme_name()
        self._write(MOUSE_OFF if on else MOUSE_ON)

    def action_bandwidth(self) -> None:
        self._may_slow = False
        self.set_low_bandwidth(not self.low_bandwidth)
        self.notify(f"Low bandwidth is {'on' if self.low_bandwidth else 'off'}.")

    def action_redraw(self) -> None:
        self._cells.forget()
        self.screen.refresh(layout=True)

    def _write(self, sequences: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequences)

    # Notices and the clipboard.

    def tell(self, title: str, body: str) -> None:
        """Notify the person on the screen, by bell and by desktop notice."""
        self._write(notice_sequences(title, body, self._notices, os.environ))
        self.notify(body, title=title, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Offer `text` to the terminal, and write it into a file, because OSC 52 has no answer."""
        self.copy_part(text, text)

    def copy_part(self, part: str, whole: str, rows: str = "") -> None:
        """Offer `part` to the terminal's clipboard and write `whole` into the file.

        rows: which rows of the list `part` has, in words.
        """
        self._clipboard = part
        self._write(clipboard_sequences(part, os.environ))
        home = home_to_write(self.home)
        if home is None:
            self.notify("Offered to the terminal's clipboard; no home here can be written to.")
            return
        path = home / CLIPBOARD
        try:
            home.mkdir(parents=True, exist_ok=True)
            files.replace(home, CLIPBOARD, f"{whole.rstrip()}\n".encode(errors="replace"))
        except OSError as error:
            self.show_error(error)
        else:
            what = f" ({rows})" if rows else ""
            text = f"Written to {path}, and offered to the terminal's clipboard{what}."
            self.notify(text, markup=False)

    # Signals.

    def _end_on_signal(self, number: int, _frame: object) -> None:
        """Leave in good order if the event loop can, and by force if it cannot."""
        if self._signal:
            return
        self._signal = number
        threading.Thread(target=self._leave_by_force, daemon=True).start()
        if self._running and not self._closing:
            self.call_later(self.exit)

    def _leave_by_force(self) -> None:
        """Restore the terminal and end the process where the event loop waits for a dead link."""
        time.sleep(GRACE_SECONDS)
        driver = self._driver
        if isinstance(driver, MeteredDriver) and not (
            self._left or (driver.restored and not driver.behind())
        ):
            self._restore(driver)
        os._exit(128 + self._signal)

    def _restore(self, driver: MeteredDriver) -> None:
        """Give the terminal back without the driver, whose output may be stuck."""
        with suppress(OSError, termios.error):  # the terminal may be gone
            if driver.attrs_before is not None:
                termios.tcsetattr(driver.fileno, termios.TCSANOW, driver.attrs_before)
            # Opened anew: O_NONBLOCK belongs to the open file, which the shell shares.
            terminal = os.open(os.ttyname(2), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(terminal, RESTORE.encode())
            os.close(terminal)
