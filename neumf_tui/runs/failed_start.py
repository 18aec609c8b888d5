"""Remove a new run whose trainer has ended before it began to train: it holds nothing."""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from neumf_tui import files
from neumf_tui.runs.contents import remove_run
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_snapshot, read_status

_LOG_LINES = 20
_FORESEEN = (2, 3, 4)
"""Exit codes of the errors whose message says what to do."""


@dataclass(frozen=True)
class FailedStart:
    """Why a trainer did not begin to train."""

    reason: str
    log: tuple[str, ...]
    """The last lines of its output where the error was not foreseen."""
    exit_code: int

    @property
    def lines(self) -> list[str]:
        """What to tell a person."""
        said = [f"the training could not start: {self.reason}"]
        return [*said, *([*self.log, "the run was removed"] if self.log else [])]


def remove_failed_start(folder: Path) -> FailedStart | None:
    """Remove a new run whose trainer failed before it began to train, and return why.

    None, and nothing is removed, where the trainer has begun, or has not ended.
    """
    status = read_status(folder)
    if status.state not in ("failed", "crashed") or read_snapshot(folder).started is not None:
        return None
    reason, log = status.reason, b""
    if status.exit_code not in _FORESEEN:
        reason = reason.partition("; ")[0]  # what follows speaks of the run's log and checkpoints
        with suppress(OSError):
            log = files.read_bytes(folder, "trainer.log")
    lines = log.decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    remove_run(folder)
    return FailedStart(reason, tuple(lines), status.exit_code or 1)


def await_start(
    folder: Path, process: "subprocess.Popen[bytes] | None" = None
) -> FailedStart | None:
    """Wait until the trainer of a new run trains or has ended, then do as `remove_failed_start`.

    process: the trainer, or what attends it and runs a person's commands, which reads the run.
    """
    from neumf_tui.runs.control import wait_until  # only here: a screen of runs would wait for it

    status = wait_until(folder, lambda status: status.state != "starting")
    if process is not None and status.state in FINAL_STATES:
        process.wait()
    return remove_failed_start(folder)
