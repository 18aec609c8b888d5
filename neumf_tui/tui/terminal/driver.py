"""A terminal driver: it reads keys, counts the bytes it sends, and notices if none are taken."""

import os
import re
import selectors
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any, TextIO, cast

from textual import events
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from neumf_tui.tui.terminal.encoding import encode
from neumf_tui.tui.terminal.keyboard import Keyboard

BURST_SECONDS = 0.02
"""Keys that come within this time of those before them were not typed, but pasted or sent."""
MOVE = re.compile(r"\x1b\[\d+;\d+H\Z")


class Outlet:
    """The file that the writing thread writes to; it counts what the terminal has taken."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.broken = False
        """Whether the terminal is gone."""
        self.fault: Exception | None = None
        """Another error of the thread that writes."""
        self.taken = 0
        """Number of bytes that the terminal or the link has accepted."""

    def write(self, text: str) -> int:
        # The thread goes on in any case and empties its queue; else the event loop would wait for
        # ever.
        try:
            self._file.buffer.write(encode(text, self._file.encoding))
            self._file.flush()
        except OSError:
            self.broken = True
        except Exception as error:  # noqa: BLE001 - the app ends by it
            self.fault = error
        self.taken += sent_bytes(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def sent_bytes(text: str) -> int:
    """Return the size of `text` for the meter, whatever the terminal's encoding is."""
    return len(text.encode(errors="replace"))


class WakingEvent(threading.Event):
    """An event that a selector can wait for, by its pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.pipe, self._writing_end = os.pipe()

    def set(self) -> None:
        if not self.is_set():
            super().set()
            os.write(self._writing_end, b"!")

    def clear(self) -> None:
        if self.is_set():
            super().clear()
            os.read(self.pipe, 1)


class MeteredDriver(LinuxDriver):
    """Counts bytes, drops frames that change nothing, and measures how long output waits."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outlet = Outlet(cast("TextIO", self._file))
        self._file = self.outlet  # type: ignore[assignment]
        self.sent = 0
        """Number of bytes given to the writing thread so far."""
        self.restored = False
        """Whether the terminal has its shell settings again."""
        self.exit_event = self._input_end = WakingEvent()
        self._behind_since = 0.0
        self._cursor = ""
        self._held = ""
        self.typed_ahead = b""
        """Input that was read before this driver was there."""
        self._read_at = self._burst_at = 0.0
        """When input was read last, and when the burst began to which it belongs."""

    def write(self, data: str) -> None:
        # A frame without changes is a synchronisation pair around a move to where the cursor is.
        if data == SYNC_START:
            self._held = data
            return
        if data == SYNC_END and self._held:
            self._held = ""
            return
        if data == self._cursor:
            return
        if move := MOVE.search(data):
            self._cursor = move.group()
        elif data != SYNC_END:
            self._cursor = ""
        data, self._held = self._held + data, ""
        if self.sent == self.outlet.taken:
            self._behind_since = time.monotonic()
        self.sent += sent_bytes(data)
        super().write(data)

    def _query_in_band_window_resize(self) -> None:
        """Ask for no reports of the size in the input: the kernel knows it."""

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001 - the app ends by it
            self._app.call_later(self._app._handle_exception, error)

    def run_input_thread(self) -> None:
        """Read input until the app is left; Textual wakes ten times a second for it."""
        stdin = sys.__stdin__
        keyboard = Keyboard(stdin.encoding if stdin is not None else "utf-8")
        self._burst_at = time.monotonic()
        self._send(keyboard.feed(self.typed_ahead))
        self.typed_ahead = b""
        with selectors.SelectSelector() as selector:
            selector.register(self._input_end.pipe, selectors.EVENT_READ)
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(keyboard.patience)
                if not ready:
                    self._send(keyboard.give_up())
                elif any(key.fd == self.fileno for key, _ in ready):
                    data = self._read()
                    if not data:
                        selector.unregister(self.fileno)
                    self._send(keyboard.feed(data))

    def _read(self) -> bytes:
        """Return what was typed; nothing at the end of a file, or where the terminal is gone."""
        try:
            data = os.read(self.fileno, 4096)
        except OSError:
            return b""
        now = time.monotonic()
        if now - self._read_at > BURST_SECONDS:
            self._burst_at = now
        self._read_at = now
        return data

    def _send(self, found: Iterable[Message]) -> None:
        for message in found:
            if isinstance(message, (events.Key, events.Paste)):
                message.time = self._burst_at
            self.process_message(message)

    def _sigcont_application(self, *_: object) -> None:
        """Go on; after a SIGSTOP, of which no program is told, Textual would read keys twice."""
        if self._auto_restart and not self.restored:
            self.suspend_application_mode()
            self._must_signal_resume = True
        super()._sigcont_application()

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self.restored = True

    def start_application_mode(self) -> None:
        self.restored = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def behind(self) -> float:
        """Return for how many seconds output has been waiting; 0 if all was taken."""
        return time.monotonic() - self._behind_since if self.sent > self.outlet.taken else 0.0
