"""Start a trainer: a process in a session of its own, without a terminal, that outlives whoever started it."""

import os
import subprocess
import sys
from pathlib import Path


def launch_trainer(folder: Path) -> "subprocess.Popen[bytes]":
    """Train the run in `folder` from its last checkpoint, or from the start; output goes to its trainer.log."""
    with (folder / "trainer.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "neumf_tui.training.worker", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
