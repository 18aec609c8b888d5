"""Events of a run and the output of its trainer, as lines of text."""

import time
from collections.abc import Iterator
from pathlib import Path

from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import EventTail, read_status
from neumf_tui.runs.snapshot import Snapshot, fold
from neumf_tui.text import clean

POLL_SECONDS = 0.25
TAIL_BYTES = 64_000


def log_line(when: float, text: str) -> str:
    """Return `text` after the local time `when`, in Unix seconds."""
    return f"{time.strftime('%H:%M:%S', time.localtime(when))}  {clean(text)}"


def follow_log(folder: Path, follow: bool) -> Iterator[str]:
    """Yield lines of events and of the trainer's output; with `follow` until the run ends."""
    tail, output = EventTail(folder), _Output(folder / "trainer.log")
    snapshot, shown = Snapshot(), 0
    while True:
        ended = read_status(folder).state in FINAL_STATES
        snapshot = fold(Snapshot() if tail.restarted else snapshot, tail.read())
        for when, text in snapshot.log[shown:]:
            yield log_line(when, text)
        shown = len(snapshot.log)
        for line in output.read():
            yield f"trainer:  {clean(line)}"
        if ended or not follow:
            return
        time.sleep(POLL_SECONDS)


class _Output:
    """Reads new whole lines of a file that may not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def read(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode("utf-8", errors="replace").splitlines()


def last_output(folder: Path, count: int) -> list[str]:
    """Return the last `count` lines that the trainer printed."""
    path = folder / "trainer.log"
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return [clean(line) for line in lines[-count:]]
