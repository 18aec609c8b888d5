"""A terminal driver that counts the bytes it sends and notices when they are not taken."""

import re
import time
from typing import IO, Any, cast

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver

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

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self.restored = True

    def start_application_mode(self) -> None:
        self.restored = False
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def behind(self) -> float:
        """Return for how many seconds output has been waiting; 0 if all was taken."""
        return time.monotonic() - self._behind_since if self.sent > self.outlet.taken else 0.0
