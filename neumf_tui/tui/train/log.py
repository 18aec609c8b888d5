"""The run's log on the train screen."""

import time
from pathlib import Path

from rich.text import Text
from textual.events import Resize
from textual.widgets import RichLog

from neumf_tui.runs.snapshot import LOG_LIMIT, Snapshot
from neumf_tui.views.log import last_output, log_line

LOG_SECONDS = 2.0
"""Time between two additions: each scrolls the log, which is hard to read when it moves."""
CACHED_LINES = 64
"""Drawn lines that are kept; Textual would keep 1,024, which are 5 MB."""
OUTPUT_LINES = 12
"""Lines of the trainer's own output that are shown when it has failed or crashed."""


class RunLog(RichLog):
    """Shows the log of a run, and the trainer's last output where it failed."""

    can_focus = False

    def __init__(self, folder: Path) -> None:
        super().__init__(
            id="log", wrap=True, min_width=20, markup=False, highlight=False, max_lines=LOG_LIMIT
        )
        self._line_cache.maxsize = CACHED_LINES
        self._folder = folder
        self._snapshot = Snapshot()
        self._shown = 0
        self._shown_at, self._shown_state = 0.0, ""
        self._wrapped_at = 0

    def show(self, snapshot: Snapshot, state: str) -> None:
        """Add what is new, unless something was added just now in the same state."""
        now = time.monotonic()
        if state == self._shown_state and now - self._shown_at < LOG_SECONDS:
            return
        self._shown_at, self._shown_state = now, state
        self._snapshot = snapshot
        if snapshot.logged < self._shown:
            self.clear()
            self._shown = 0
        for when, text in snapshot.log_after(self._shown):
            self.write(Text(log_line(when, text)))
        self._shown = snapshot.logged
        broken = state in ("failed", "crashed")
        if broken and not self.has_class("-broken"):
            for line in last_output(self._folder, OUTPUT_LINES):
                self.write(Text(f"trainer:  {line}"))
        self.set_class(broken, "-broken")

    def on_resize(self, _event: Resize) -> None:
        """Write all lines again if the width has changed: writing wraps them. Show the last."""
        before, self._wrapped_at = self._wrapped_at, self.size.width
        # What is written before there is a width waits for it.
        if before and self.size.width not in (0, before):
            self.clear()
            self.remove_class("-broken")
            self._shown, self._shown_at = 0, 0.0
            self.show(self._snapshot, self._shown_state)
        self.scroll_end(animate=False)
