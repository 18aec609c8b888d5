"""Progress of long work with data, on one line of stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from neumf_tui.data.progress import Progress
from neumf_tui.text import clean

PATIENCE = 1.0
"""Seconds that work may take before anything is said of it."""
_ON_TERMINAL, _ELSEWHERE = 0.2, 10.0
"""Seconds between two lines: on a terminal they are written over, in a log they stay."""


class ProgressLine:
    """Called with each `Progress`; tells of work that takes over a second: how much is done, how fast, and the time left."""

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._what = ""
        self._begun = self._told = 0.0
        self._start = 0
        self._wrote = False

    def __call__(self, progress: Progress) -> None:
        now, terminal = self._clock(), self._stream.isatty()
        if progress.what != self._what:
            self._end(terminal)
            self._what, self._begun, self._told, self._start = (
                progress.what,
                now,
                now,
                progress.done,
            )
        pause = _ON_TERMINAL if terminal else _ELSEWHERE
        finished = progress.done >= progress.total
        if now - self._begun >= PATIENCE and (
            not self._wrote or now - self._told >= pause or (finished and terminal)
        ):
            self._told, self._wrote = now, True
            text = clean(line_of(progress, self._start, now - self._begun))
            print(
                f"\r{text}\x1b[K" if terminal else text,
                end="" if terminal else "\n",
                file=self._stream,
                flush=True,
            )
        if finished:
            self._end(terminal)

    def _end(self, terminal: bool) -> None:
        if self._wrote and terminal:
            print(file=self._stream, flush=True)
        self._what, self._wrote = "", False


def line_of(progress: Progress, start: int, seconds: float) -> str:
    """`start` is what was done when it was first heard of, `seconds` ago."""
    if not progress.unit:
        return f"{progress.what}  {progress.done} of {progress.total}"
    unit = "MB" if progress.unit == "B" else f"million {progress.unit}"
    percent = 100 * progress.done // max(1, progress.total)
    parts = [
        progress.what,
        f"{progress.done / 1e6:,.1f} of {progress.total / 1e6:,.1f} {unit}",
        f"{percent} %",
    ]
    rate = (progress.done - start) / seconds if seconds > 0 else 0.0
    if rate > 0:
        parts += [
            f"{rate / 1e6:,.1f} {unit}/s",
            f"{_duration((progress.total - progress.done) / rate)} left",
        ]
    return "  ".join(parts)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60}:{whole % 60:02} min"
