"""Remove a new run whose trainer has ended before it began to train: it holds nothing."""

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from neumf_tui import files
from neumf_tui.runs.contents import remove_run
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_snapshot, read_status

KEPT_LOG = "failed-start.log"
"""The file in the home with the output of the last trainer that failed for an unforeseen reason."""
_FORESEEN = (2, 3, 4)
"""Exit codes of the errors whose message says what to do."""


@dataclass(frozen=True)
class FailedStart:
    """Why a trainer did not begin to train, and the exit code that says so."""

    reason: str
    exit_code: int

    @property
    def text(self) -> str:
        """What to tell a person."""
        return f"the training could not start: {self.reason}"


def remove_failed_start(folder: Path) -> FailedStart | None:
    """Remove a new run whose trainer failed before it began to train, and return why.

    None, and nothing is removed, where the trainer has begun, or has not ended.
    """
    status = read_status(folder)
    if status.state not in ("failed", "crashed") or read_snapshot(folder).started is not None:
        return None
    reason = status.reason
    if status.exit_code not in _FORESEEN:
        reason = reason.partition("; ")[0]  # what follows speaks of the run's log and checkpoints
        home = folder.parents[1]
        with suppress(OSError):
            files.replace(home, KEPT_LOG, files.read_bytes(folder, "trainer.log"))
            reason += f"; {home / KEPT_LOG} has the trainer's output"
    remove_run(folder)
    return FailedStart(reason, status.exit_code or 1)


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
