"""Requests to a trainer: one small file each, which the trainer takes between two steps.

A file is named by the request, `stop`, or `pin.7f3a` if there can be several; its content is the
argument.
"""

import secrets
from pathlib import Path
from typing import NamedTuple

from neumf_tui import files

STOP, STOP_NOW, PAUSE, RESUME, CHECKPOINT, EXTEND, PIN, UNPIN = (
    "stop", "stop-now", "pause", "resume", "checkpoint", "extend", "pin", "unpin",
)  # fmt: skip


class Request(NamedTuple):
    what: str
    argument: str = ""
    """The epochs for `extend`, a user id for `pin` and `unpin`, else empty."""


def send_request(folder: Path, what: str, argument: str = "") -> None:
    """Ask the trainer of the run in `folder` for `what`; it obeys after the current step."""
    name = f"{what}.{secrets.token_hex(4)}" if what in (PIN, UNPIN) else what
    files.replace(folder, f"requests/{name}", argument.encode())


def take_requests(folder: Path) -> list[Request]:
    """Remove and return the requests that have arrived, oldest first."""
    files = [path for path in (folder / "requests").iterdir() if not path.name.startswith(".")]
    taken = []
    for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name)):
        argument = path.read_text("utf-8", errors="replace").strip()
        path.unlink(missing_ok=True)
        taken.append(Request(path.name.partition(".")[0], argument))
    return taken
