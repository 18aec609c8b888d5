"""The app on a pseudo-terminal within this process: thousands of inputs in one session."""

import asyncio
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.driver import Driver
from textual.message import Message

from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.terminal.driver import MeteredDriver

OWN = re.compile(
    r"\x1b(?:\[\d+;\d+H|\[[\d;:]*m|\[\?(?:7|25|1000|1003|1004|1006|1015|1049|2004|2026)[hl]"
    r"|\[>25u|\[<u|\[\?2026\$p|\]52;c;[A-Za-z0-9+/=]*\x07|\]22;[a-z-]*\x07)"
)
"""All sequences that screens send, apart from notices of an end of a training."""
CONTROL = re.compile("[\x00-\x06\x08-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What may not be left when these are taken out; a bell may."""


def foreign(output: str) -> list[str]:
    """Return every sequence, and every control character, that is not the program's own."""
    rest = OWN.sub("", output)
    return [rest[max(0, at.start() - 5) : at.start() + 20] for at in CONTROL.finditer(rest)]


class CountingDriver(MeteredDriver):
    """Counts the bytes that have become messages."""

    read = passed_on = 0

    def _read(self) -> bytes:
        self.passed_on = self.read
        data = super()._read()
        self.read += len(data)
        return data

    def _send(self, found: Iterable[Message]) -> None:
        super()._send(found)
        self.passed_on = self.read


class LiveApp(NeumfApp):
    """An app that counts when it would be left, suspended or end by a fault, and goes on."""

    left = 0

    def exit(self, *_: object, **__: object) -> None:  # type: ignore[override]
        self.left += 1

    def get_driver_class(self) -> type[Driver]:
        return CountingDriver

    def action_suspend_process(self) -> None:
        pass


class Session:
    """Both ends of the terminal."""

    def __init__(self, app: LiveApp, master: int) -> None:
        self.app, self.master = app, master
        self.output = bytearray()
        self.sent = 0
        self.end = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while not self.end.is_set():
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 65536)

    def close(self) -> None:
        self.end.set()
        self._reader.join()

    async def send(self, data: bytes) -> None:
        """Send input, and wait until every key of it has been handled."""
        self.sent += len(data)
        for start in range(0, len(data), 1024):
            os.write(self.master, data[start : start + 1024])
            await asyncio.sleep(0)
        await self.rest()

    async def rest(self) -> None:
        """Wait until no key is left to be read or to be handled; a thread reads them."""
        quiet = 0
        for _ in range(100_000):
            if self.app.fault is not None:
                raise self.app.fault
            is_read = getattr(self.app._driver, "passed_on", 0) == self.sent
            quiet = quiet + 1 if is_read and self.app.typed_keys.done else 0
            if quiet == 20:
                return
            await asyncio.sleep(0 if quiet else 0.0005)
        raise AssertionError(f"{self.app.screen} never comes to rest")

    async def base(self) -> None:
        """Go back to the first screen, whatever is open."""
        app = self.app
        while len(app.screen_stack) > 2:
            app.pop_screen()
        app.screen.set_focus(None)
        app.screen.minimize()
        await self.rest()


@asynccontextmanager
async def live_app(
    monkeypatch: pytest.MonkeyPatch, home: Path, screen: str, folder: Path | None = None
) -> AsyncIterator[Session]:
    """Run the app on a terminal of 80 columns and 24 lines."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, mode in (("__stdin__", "r"), ("__stdout__", "w"), ("__stderr__", "w")):
        stream = open(os.dup(slave), mode, encoding="utf-8")  # noqa: PTH123, SIM115
        monkeypatch.setattr(sys, name, stream)
    app = LiveApp(folder, home, screen)
    session = Session(app, master)
    task = asyncio.create_task(app.run_async())
    try:
        await asyncio.sleep(0.5)
        await session.rest()
        yield session
    finally:
        NeumfApp.exit(app)
        await task
        session.close()
        os.close(slave)
        os.close(master)
