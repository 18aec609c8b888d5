"""A pseudo-terminal that only records when each piece of a program's output came. Needs pyte."""

import time
from collections.abc import Mapping, Sequence

from benchmarks.pseudo_terminal import Terminal
from benchmarks.waiting import wait_for

SIZE = (120, 40)
TRUECOLOR = {"COLORTERM": "truecolor"}
COMPILED: dict[str, str | None] = {"PYTHONDONTWRITEBYTECODE": None}
"""Modules are compiled once, as those of an installed program."""


class Recorder(Terminal):
    """A terminal that draws its screen only on demand, to leave the cores to the program."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._pieces: list[tuple[float, str]] = []
        super().__init__(command, size=SIZE, env={**TRUECOLOR, **COMPILED, **(env or {})})
        self.started = time.monotonic()
        """Time of the program's start, except for the moment that it took to report its pid."""

    def _draw(self, text: str) -> None:
        self._pieces.append((self.arrivals[-1][0], text))

    def history(self) -> list[tuple[float, str]]:
        """Return the time of each piece since the last call, and the screen's text after it."""
        found = []
        while self._pieces:
            at, text = self._pieces.pop(0)
            super()._draw(text)
            found.append((at, self.text if self.alternate else ""))
        return found

    def quiet_for(self) -> float:
        """Return the seconds since the last output."""
        return time.monotonic() - (self.arrivals[-1][0] if self.arrivals else self.started)

    def first_paint(self, more: float) -> float:
        """Return the seconds from the start to the first text on the alternate screen.

        more: seconds to let the program go on after it has switched to that screen.
        """
        wait_for(lambda: b"\x1b[?1049h" in self.received or not self.alive, "a full screen")
        time.sleep(more)
        for at, text in self.history():
            if text.strip():
                return at - self.started
        raise SystemExit(f"no full screen came; the program said\n{self.main_text}")
