"""The terminal driver, with a count of the bytes it sends and a look at whether they arrive."""

import re
import time
from typing import IO, Any, cast

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver

MOVE = re.compile(r"\x1b\[\d+;\d+H\Z")


class Outlet:
    """The terminal's file as the writing thread sees it; knows what has been handed over and what was taken."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.broken = False
        """Whether nobody is there any more."""
        self.taken = 0
        """Bytes the terminal, or what stands for it, has accepted."""

    def write(self, text: str) -> int:
        try:
            self._file.write(text)
            self._file.flush()
        except OSError:
            self.broken = True  # the thread lives on and empties its queue, or the event loop would wait for it for ever
        self.taken += len(text.encode())
        return len(text)

    def flush(self) -> None:
        """Nothing: every write is flushed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class MeteredDriver(LinuxDriver):
    """Counts bytes, keeps back what changes nothing, and tells when the link no longer takes what it is given."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outlet = Outlet(cast("IO[str]", self._file))
        self._file = self.outlet  # type: ignore[assignment]
        self.sent = 0
        """Bytes given to the writing thread so far."""
        self.restored = False
        """Whether the terminal has been told to be as the shell wants it."""
        self._behind_since = 0.0
        self._cursor = ""
        self._held = ""

    def write(self, data: str) -> None:
        # A frame without a changed cell is a synchronisation pair around a cursor movement to where the cursor is.
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

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self.restored = True

    def start_application_mode(self) -> None:
        self.restored = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def behind(self) -> float:
        """Seconds for which the terminal has not taken all that was sent; 0 where it has."""
        return time.monotonic() - self._behind_since if self.sent > self.outlet.taken else 0.0
