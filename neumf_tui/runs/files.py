"""Replace files as a whole, so that no reader sees them half written; lock a run."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO


def replace_with(path: Path, write: Callable[[Path], object], *, to_disk: bool = True) -> None:
    """Let `write` fill a temporary file and move it to `path`; `to_disk`: survive a power cut."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(scratch)
        if to_disk:
            with scratch.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes, *, to_disk: bool = False) -> None:
    """Replace a file by one with this content, which a power cut can lose without `to_disk`."""
    replace_with(path, lambda scratch: scratch.write_bytes(content), to_disk=to_disk)


def take_lock(file: IO[str]) -> bool:
    """Lock `file` while it is open, here or in a process that inherits it; False if it is taken.

    A reader that tests the lock holds it for a moment, so this tries five times.
    """
    for attempt in range(5):
        time.sleep(0.02 * attempt)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False
