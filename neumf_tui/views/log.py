"""Events of a run and the output of its trainer, as lines of text."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from neumf_tui import files
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import SnapshotTail, read_status
from neumf_tui.text import clean

POLL_SECONDS = 0.25
TAIL_BYTES = 64_000
OUTPUT = "trainer.log"
OUTPUT_LIMIT = 2**20
"""Bytes of the output that are shown; it can be as large as the disk."""
LINE_LIMIT = 2**16
"""Bytes after which a line is broken."""


def log_line(when: float, text: str) -> str:
    """Return `text` after the local time `when`, in Unix seconds."""
    return f"{time.strftime('%H:%M:%S', time.localtime(when))}  {clean(text)}"


def follow_log(folder: Path, follow: bool) -> Iterator[str]:
    """Yield lines of events and of the trainer's output; with `follow` until the run ends."""
    tail, output = SnapshotTail(folder), _Output(folder)
    shown = 0
    while True:
        ended = read_status(folder).state in FINAL_STATES
        for snapshot in tail.pieces():
            for when, text in snapshot.log_after(shown):
                yield log_line(when, text)
            shown = snapshot.logged
        for line in output.read():
            yield f"trainer:  {clean(line)}"
        if ended or not follow:
            return
        time.sleep(POLL_SECONDS)


class _Output:
    """Reads new whole lines of a trainer's output, which may not exist yet."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._offset = folder, 0

    def read(self) -> Iterator[str]:
        """Yield the lines since the last call; raises OSError."""
        with suppress(FileNotFoundError), files.open_to_read(self._folder, OUTPUT) as file:
            size = os.fstat(file.fileno()).st_size
            if size - self._offset > OUTPUT_LIMIT:
                self._offset = size - OUTPUT_LIMIT
                yield f"({self._offset:,} bytes before this are left out; see {OUTPUT})"
            file.seek(self._offset)
            while (line := file.readline(LINE_LIMIT)).endswith(b"\n") or len(line) == LINE_LIMIT:
                self._offset += len(line)
                yield _text(line)


def last_output(folder: Path, count: int) -> list[str]:
    """Return the last `count` lines that the trainer printed; none if they cannot be read."""
    try:
        with files.open_to_read(folder, OUTPUT) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).splitlines()
    except OSError:
        return []
    return [clean(_text(line)) for line in lines[-count:]]


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r\n")
