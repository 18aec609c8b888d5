"""Start a trainer: a process in a session of its own, without a terminal, that outlives whoever started it."""

import os
import subprocess
import sys
from pathlib import Path


def worker_command(folder: Path) -> list[str]:
    """The trainer process of the run in `folder`."""
    return [sys.executable, "-P", "-m", "neumf_tui.training.worker", str(folder)]


def launch_trainer(folder: Path, on_finish: str = "") -> "subprocess.Popen[bytes]":
    """Train the run in `folder` from its last checkpoint, or from the start; output goes to its trainer.log.

    on_finish: a shell command to run when the training has ended, in whatever way.
    """
    command = worker_command(folder)
    if on_finish:
        command = [sys.executable, "-P", "-m", "neumf_tui.runs.keeper", str(folder), on_finish]
    with (folder / "trainer.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            # Threads that wait for one another by turning on the spot cost a busy machine threefold (measured: 31 s an epoch
            # against 9 s, two threads on two cores beside two busy processes).
            env={"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {"PYTHONUNBUFFERED": "1"},
        )
