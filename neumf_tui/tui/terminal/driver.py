"""A terminal driver that counts the bytes it sends and notices when they are not taken."""

import os
import re
import selectors
import threading
import time
from codecs import getincrementaldecoder
from typing import IO, Any, cast

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

TICK_SECONDS = 0.1
"""Time between two looks at an escape sequence that has not been completed."""
MOVE = re.compile(r"\x1b\[\d+;\d+H\Z")


class Outlet:
    """The file that the writing thread writes to; it counts what the terminal has taken."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.broken = False
        """Whether the terminal is gone."""
        self.taken = 0
        """Number of bytes that the terminal or the link has accepted."""

    def write(self, text: str) -> int:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            # The thread goes on and empties its queue; else the event loop would wait for ever.
            self.broken = True
        self.taken += len(text.encode())
        return len(text)

    def flush(self) -> None:
        """Do nothing: `write` flushes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


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
        self.outlet = Outlet(cast("IO[str]", self._file))
        self._file = self.outlet  # type: ignore[assignment]
        self.sent = 0
        """Number of bytes given to the writing thread so far."""
        self.restored = False
        """Whether the terminal has its shell settings again."""
        self.exit_event = self._input_end = WakingEvent()
        self._behind_since = 0.0
        self._cursor = ""
        self._held = ""

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
        self.sent += len(data.encode())
        super().write(data)

    def run_input_thread(self) -> None:
        """Read input, as Textual does, but sleep in between: Textual wakes ten times a second."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        with selectors.SelectSelector() as selector:
            selector.register(self._input_end.pipe, selectors.EVENT_READ)
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                incomplete = parser._timeout_time is not None
                ready = selector.select(TICK_SECONDS if incomplete else None)
                if any(key.fd == self.fileno for key, _ in ready):
                    data = os.read(self.fileno, 4096)
                    if not data:  # the end of a file or a pipe
                        selector.unregister(self.fileno)
                    elif text := decode(data):
                        for event in parser.feed(text):
                            self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self.restored = True

    def start_application_mode(self) -> None:
        self.restored = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def behind(self) -> float:
        """Return for how many seconds output has been waiting; 0 if all was taken."""
        return time.monotonic() - self._behind_since if self.sent > self.outlet.taken else 0.0
