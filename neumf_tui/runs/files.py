"""Files that no reader ever sees half written."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO


def replace_with(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file, force it to disk, and move it to `path`."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(scratch)
        with scratch.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def replace_bytes(path: Path, content: bytes) -> None:
    """The same for small contents that need not survive a power cut."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def take_lock(file: IO[str]) -> bool:
    """Lock `file` for as long as it is open, here or in a process that inherits it; False where another holds it."""
    for attempt in range(5):
        time.sleep(
            0.02 * attempt
        )  # a reader that looks whether it is held holds it itself for a moment
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False
