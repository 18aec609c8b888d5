"""A real pseudo-terminal that notes when each piece of a program's output came.

What the screen showed after each is worked out afterwards, when nothing is being timed. Needs pyte.
"""

import sys
import time
from collections.abc import Sequence

from benchmarks.pseudo_terminal import Terminal
from benchmarks.waiting import wait_for

PROGRAM = [sys.executable, "-m", "neumf_tui"]
SIZE = (120, 40)


class Recorder(Terminal):
    """A terminal that only notes what comes and when, and draws it on demand, so that it takes no time from the program."""

    def __init__(self, command: Sequence[str]) -> None:
        self._pieces: list[tuple[float, str]] = []
        super().__init__(command, size=SIZE, env={"COLORTERM": "truecolor"})
        self.begun = time.monotonic()
        """When the program was started, but for the moment that it took to say its process id."""

    def _draw(self, text: str) -> None:
        self._pieces.append((self.arrivals[-1][0], text))

    def history(self) -> list[tuple[float, str]]:
        """When each piece came since the last call, and the screen's text after it."""
        found = []
        while self._pieces:
            at, text = self._pieces.pop(0)
            super()._draw(text)
            found.append((at, self.text if self.alternate else ""))
        return found

    def quiet_for(self) -> float:
        """Seconds since anything came."""
        return time.monotonic() - (self.arrivals[-1][0] if self.arrivals else self.begun)

    def first_paint(self, more: float) -> float:
        """Seconds from the start to the first text on a full screen, worked out `more` seconds after there is one."""
        wait_for(lambda: b"\x1b[?1049h" in self.received or not self.alive, "a full screen")
        time.sleep(more)
        for at, text in self.history():
            if text.strip():
                return at - self.begun
        raise SystemExit(f"no full screen came; the program said\n{self.main_text}")
