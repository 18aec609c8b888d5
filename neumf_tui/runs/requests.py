"""Requests to a trainer: one small file each, which the trainer takes between two steps.

A file is named by the request, `stop`, or `pin.7f3a9c01` if there can be several; its content is
the argument. Whatever else lies in the folder of the requests is ignored.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple

from neumf_tui import files

STOP, STOP_NOW, PAUSE, RESUME, CHECKPOINT, EXTEND, PIN, UNPIN = (
    "stop", "stop-now", "pause", "resume", "checkpoint", "extend", "pin", "unpin",
)  # fmt: skip
NAME = r"[a-z-]{1,20}(\.[0-9a-f]{8})?"
"""Pattern of the names of requests, also of those that this version does not know."""
SIZE_LIMIT = 4096


class Request(NamedTuple):
    what: str
    argument: str = ""
    """The epochs for `extend`, a user id for `pin` and `unpin`, else empty."""


def send_request(folder: Path, what: str, argument: str = "") -> None:
    """Ask the trainer of the run in `folder` for `what`; it obeys after the current step."""
    name = f"{what}.{os.urandom(4).hex()}" if what in (PIN, UNPIN) else what
    files.make_folder(folder, "requests")
    files.replace(folder, f"requests/{name}", argument.encode(), to_disk=False)


def take_requests(folder: Path) -> tuple[list[Request], dict[str, str]]:
    """Remove and return the requests that have arrived, oldest first.

    Also returns the names of what cannot be taken, with the reason. Never raises OSError, since a
    training must not end by what lies there.
    """
    taken, others = [], {}
    try:
        files.make_folder(folder, "requests")
        found = files.entries(folder, "requests")
    except OSError as error:
        return [], {"": str(error.strerror)}
    for name in sorted(found, key=lambda name: (found[name].st_mtime_ns, name)):
        if name.startswith("."):  # being written, or of the file system
            continue
        try:
            if not re.fullmatch(NAME, name):
                raise files.UnusableFileError(folder / "requests" / name, "not a request")
            argument = files.read_text(folder, f"requests/{name}", SIZE_LIMIT).strip()
            files.remove(folder, f"requests/{name}")
        except FileNotFoundError:
            continue  # taken back
        except OSError as error:
            others[name] = str(error.strerror)
        else:
            taken.append(Request(name.partition(".")[0], argument))
    return taken, others
