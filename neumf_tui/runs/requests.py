"""Requests to a trainer: one small file each, made by anyone, consumed by the trainer."""

from pathlib import Path

from neumf_tui.runs.files import replace_bytes

STOP = "stop"


def send_request(folder: Path, what: str) -> None:
    """Ask the trainer of the run in `folder` for `what`; it obeys after the step under way."""
    replace_bytes(folder / "requests" / what, b"")


def take_requests(folder: Path) -> list[str]:
    """Names of the requests that have come in, which are thereby consumed."""
    taken = []
    for path in sorted((folder / "requests").iterdir()):
        if not path.name.startswith("."):
            path.unlink(missing_ok=True)
            taken.append(path.name)
    return taken
