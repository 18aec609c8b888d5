"""The progress of long work, on one line of stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from neumf_tui.data.progress import Progress
from neumf_tui.text import clean

PATIENCE = 1.0  # seconds before the first line: shorter work is not reported
_TERMINAL_SECONDS, _LOG_SECONDS = 0.2, 10.0
"""Seconds between two lines: a terminal's line is overwritten, a log keeps each."""


class ProgressLine:
    """Writes each `Progress` it is called with: how much is done, the rate and the time left.

    Close it before writing anything else to the stream.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._clock = clock
        self._what = ""
        self._started = self._written = 0.0
        self._done_at_start = 0
        self._line_open = False

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if progress.what != self._what:
            self.close()
            self._what, self._started, self._written = progress.what, now, now
            self._done_at_start = progress.done
        pause = _TERMINAL_SECONDS if self._terminal else _LOG_SECONDS
        finished = progress.done >= progress.total
        due = not self._line_open or now - self._written >= pause or (finished and self._terminal)
        if due and now - self._started >= PATIENCE:
            self._written, self._line_open = now, True
            text = clean(line_of(progress, self._done_at_start, now - self._started))
            if self._terminal:
                print(f"\r{text}\x1b[K", end="", file=self._stream, flush=True)
            else:
                print(text, file=self._stream, flush=True)
        if finished:
            self.close()

    def close(self) -> None:
        """End the line on a terminal; the next call starts another."""
        if self._line_open and self._terminal:
            print(file=self._stream, flush=True)
        self._what, self._line_open = "", False


def line_of(progress: Progress, start: int, seconds: float) -> str:
    """Return the text of a line; the work was first reported `seconds` ago, with `start` done."""
    if not progress.unit:
        return f"{progress.what}  {progress.done} of {progress.total}"
    unit = "MB" if progress.unit == "B" else f"million {progress.unit}"
    percent = 100 * progress.done // max(1, progress.total)
    done = f"{progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} {unit}"
    line = f"{progress.what}  {done}  {percent} %"
    rate = (progress.done - start) / seconds if seconds > 0 else 0.0
    if rate <= 0:
        return line
    left = round((progress.total - progress.done) / rate)
    duration = f"{left} s" if left < 60 else f"{left // 60}:{left % 60:02} min"
    return f"{line}  {rate / 1e6:,.1f} {unit}/s  {duration} left"
