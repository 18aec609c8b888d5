"""A program on a pseudo-terminal, for tests and benchmarks: its output and its screen."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil
import pyte

from benchmarks.waiting import wait_for

LIMIT = 60.0
"""Seconds after which a wait fails; far more than anything takes."""
KIND = "\x1b[?62;22c"
"""The answer to the query for the terminal's kind (DA1), which all terminals answer somehow."""

# The first process of the session. It starts the program as a shell does, or becomes it, as with
# `ssh host command`. It reports the program's pid and exit code, and keeps the session open until
# it is told to end.
_LEADER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
report, hold, own, *command = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
pid = os.getpid() if own == "own" else os.fork()
if pid == 0 or own == "own":
    if own == "own":
        os.write(report, b"%d\\n" % pid)
    os.close(report)
    os.close(hold)
    os.execvp(command[0], command)
os.write(report, b"%d\\n" % pid)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.write(report, b"%d\\n" % code)
os.read(hold, 1)
"""

_OF_A_TERMINAL = (
    "COLORTERM", "NO_COLOR", "TMUX", "STY", "TERM_PROGRAM", "LC_TERMINAL", "VTE_VERSION",
    "COLORFGBG", "LINES", "COLUMNS",
)  # fmt: skip
_SEQUENCE = re.compile(
    r"\x1b(?:\[[\d;:?<=>$ ]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|P(?:[^\x1b]|\x1b[^\\]|\x1b\x1b\\)*\x1b\\|[^\[\]P])"
)
_SGR = re.compile(r"\x1b\[([\d;:]*)m")
_MODE = re.compile(r"\x1b\[\?([\d;]+)([hl])")
_UNKNOWN_TO_PYTE = re.compile(
    r"\x1b(?:\[[<>=][\d;]*[a-zA-Z]|\[[\d;?]*\$p|\](?:52|9|777|11);[^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|P(?:[^\x1b]|\x1b[^\\]|\x1b\x1b\\)*\x1b\\)"
)


def colours(text: str) -> set[int]:
    """Return the colour depths that `text` uses: 16, 256, 1 << 24; bold and the like have none."""
    found = set()
    for match in _SGR.finditer(text):
        parameters = re.split("[;:]", match.group(1))
        while parameters:
            first = int(parameters.pop(0) or 0)
            if first in (38, 48):
                found.add(256 if parameters[0] == "5" else 1 << 24)
                del parameters[: 2 if parameters[0] == "5" else 4]
            elif 30 <= first <= 49 or 90 <= first <= 107:
                found.add(16)
    return found


def set_modes(text: str) -> set[int]:
    """Return the private modes that are on after `text`; 25 (cursor) and 7 (line wrap) start on."""
    modes = {7, 25}
    for match in _MODE.finditer(text):
        for mode in map(int, match.group(1).split(";")):
            modes.add(mode) if match.group(2) == "h" else modes.discard(mode)
    return modes


def environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return this environment without its own terminal's variables; None removes a variable."""
    env = dict(os.environ)
    for name in _OF_A_TERMINAL:
        env.pop(name, None)
    for name, value in {"TERM": "xterm-256color", **changes}.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


class Terminal:
    """A terminal emulator that runs a program; a context manager that ends the program.

    background: the background colour that it reports, as `#rrggbb`. answers: whether it answers the
    query for its kind. own_session: whether the program is the session's first process, without a
    shell above it.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (120, 40),
        env: Mapping[str, str | None] | None = None,
        background: str | None = None,
        answers: bool = True,
        own_session: bool = False,
    ) -> None:
        self.size, self.background, self.answers = size, background, answers
        self.received = b""
        """All output so far."""
        self.arrivals: list[tuple[float, int]] = []
        """Time (time.monotonic) and number of bytes of each read."""
        self._screens = {name: pyte.Screen(*size) for name in ("main", "alternate")}
        self._streams = {name: pyte.Stream(screen) for name, screen in self._screens.items()}
        self._shown = "main"
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._tail = ""
        self._question = b""
        self._lock = threading.RLock()
        self._reading, self._closing = threading.Event(), threading.Event()
        self._reading.set()

        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        report, report_end = os.pipe()
        hold_end, self._hold = os.pipe()
        own = "own" if own_session else "below"
        self.modes_before = termios.tcgetattr(self.master)
        self.leader = subprocess.Popen(
            [sys.executable, "-ISc", _LEADER, str(report_end), str(hold_end), own, *command],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            pass_fds=(report_end, hold_end),
            env=environment(env or {}),
        )
        os.close(report_end)
        os.close(hold_end)
        self._report = os.fdopen(report)
        self.pid = int(self._report.readline())
        """The program's process id."""
        self._code: int | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for pid in self.session():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.leader.kill()
        self.leader.wait()
        self.hang_up()
        self._report.close()
        os.close(self._hold)

    # The terminal.

    def _read(self) -> None:
        while not self._closing.is_set():
            if not self._reading.wait(0.05) or not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            with self._lock:
                self.received += data
                self.arrivals.append((time.monotonic(), len(data)))
                self._answer(data)
                self._draw(self._decoder.decode(data))

    def _answer(self, data: bytes) -> None:
        self._question += data
        end = 0
        for match in re.finditer(rb"\x1b\]11;\?\x1b\\|\x1b\[c", self._question):
            end = match.end()
            if match.group() == b"\x1b[c" and self.answers:
                os.write(self.master, KIND.encode())
            elif match.group() != b"\x1b[c" and self.background:
                red, green, blue = (self.background[i : i + 2] * 2 for i in (1, 3, 5))
                os.write(self.master, f"\x1b]11;rgb:{red}/{green}/{blue}\x1b\\".encode())
        self._question = self._question[end:][-16:]  # a query may come in two pieces

    def _draw(self, text: str) -> None:
        text = self._tail + text
        self._tail = ""
        last = text.rfind("\x1b", max(0, len(text) - 4096))
        while last > 0 and text[last - 1] == "\x1b":
            last -= 1
        if last >= 0 and not _SEQUENCE.match(text, last):
            text, self._tail = text[:last], text[last:]
        for part in re.split(r"(\x1b\[\?1049[hl])", _UNKNOWN_TO_PYTE.sub("", text)):
            if part.startswith("\x1b[?1049"):
                self._shown = "alternate" if part.endswith("h") else "main"
                if self._shown == "alternate":
                    self._screens["alternate"].reset()
            else:
                self._streams[self._shown].feed(part)

    def stall(self) -> None:
        """Stop reading, like a connection that was lost without notice."""
        self._reading.clear()
        time.sleep(0.05)  # until the current read has ended

    def go_on(self) -> None:
        self._reading.set()

    @property
    def full(self) -> bool:
        """Whether the buffer between program and terminal is full."""
        return not select.select([], [self.slave], [], 0)[1]

    def hang_up(self) -> None:
        """Close the terminal."""
        if not self._closing.is_set():
            self._closing.set()
            self._reading.set()
            self._thread.join()
            os.close(self.master)
            os.close(self.slave)

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, width: int, height: int) -> None:
        with self._lock:
            self.size = (width, height)
            for screen in self._screens.values():
                screen.resize(height, width)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    # The screen.

    @property
    def count(self) -> int:
        """Number of bytes so far."""
        return len(self.received)

    @property
    def stream(self) -> str:
        return self.received.decode("utf-8", errors="replace")

    @property
    def modes(self) -> set[int]:
        """Private modes that are on."""
        return set_modes(self.stream)

    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        return self._shown == "alternate"

    @property
    def text(self) -> str:
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screens[self._shown].display)

    @property
    def main_text(self) -> str:
        """Text of the main screen, which the alternate one covers."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screens["main"].display)

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """All cells of the screen, with colours and attributes."""
        with self._lock:
            screen = self._screens[self._shown]
            return [
                [screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)
            ]

    def wait_text(self, *texts: str, seconds: float = LIMIT) -> None:
        """Wait until all `texts` are shown."""
        until = time.monotonic() + seconds
        while not all(text in self.text for text in texts):
            assert time.monotonic() < until, f"{texts} never came; shown is\n{self.text}"
            assert self._code is not None or self.alive or self.leader.poll() is None, (
                f"ended before {texts}:\n{self.text}"
            )
            time.sleep(0.01)

    def settle(self, quiet: float = 1.2, seconds: float = LIMIT) -> None:
        """Wait until there was no output for `quiet` seconds."""
        until, count, since = time.monotonic() + seconds, self.count, time.monotonic()
        while time.monotonic() - since < quiet:
            assert time.monotonic() < until, "it never comes to rest"
            time.sleep(0.02)
            if self.count != count:
                count, since = self.count, time.monotonic()

    # The program.

    @property
    def alive(self) -> bool:
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def cpu_seconds(self) -> float:
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def kill(self, number: int) -> None:
        os.kill(self.pid, number)

    def wait_exit(self, seconds: float = LIMIT) -> int:
        """Return the exit code; negative: the number of the signal that killed the program."""
        if self._code is None:
            if self.leader.pid == self.pid:
                self._code = self.leader.wait(seconds)
            else:
                ready = select.select([self._report], [], [], seconds)[0]
                assert ready, f"still running after {seconds} s; shown is\n{self.text}"
                self._code = int(self._report.readline())
        return self._code

    def session(self) -> list[int]:
        """Return the processes of this session, without the first if it is not the program."""
        found = []
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError, psutil.Error):
                mine = os.getsid(pid) == self.leader.pid and (
                    pid != self.leader.pid or pid == self.pid
                )
                if mine and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                    found.append(pid)
        return found

    def caught_up(self) -> None:
        """Wait until all output has been read."""
        wait_for(lambda: not select.select([self.master], [], [], 0.02)[0], "the terminal to read")
        with self._lock:
            pass


def viewer(*args: str, **options: object) -> Terminal:
    """Run `neumf-tui` with `args` in a terminal; options are those of Terminal."""
    return Terminal([sys.executable, "-m", "neumf_tui", *args], **options)  # type: ignore[arg-type]


def differing(
    before: list[list[pyte.screens.Char]], after: list[list[pyte.screens.Char]]
) -> list[str]:
    """Return a line for each cell that differs between two drawings of a screen."""
    pairs = (
        (y, x, a, b)
        for y, (r, s) in enumerate(zip(before, after, strict=True))
        for x, (a, b) in enumerate(zip(r, s, strict=True))
    )
    return [f"row {y} column {x}: {a} is {b} when drawn again" for y, x, a, b in pairs if a != b]


def refreshes(terminal: Terminal, since: float) -> list[int]:
    """Return the bytes of each refresh after `since`; output within 0.2 s counts as one."""
    sizes: list[int] = []
    last = 0.0
    for when, count in terminal.arrivals:
        if when < since:
            continue
        if when - last > 0.2:
            sizes.append(0)
        sizes[-1] += count
        last = when
    return sizes
