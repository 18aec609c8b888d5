"""Start a trainer: a process without a terminal that continues when its starter ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.reader import AGENT_LOCK, read_info

RESTARTS = 3
"""How often torchrun restarts the processes of a run after one of them died."""


def launch_trainer(folder: Path, on_finish: str = "") -> "subprocess.Popen[bytes]":
    """Train the run in `folder` from its last checkpoint, or from the start.

    Output goes to its trainer.log. `on_finish` is a shell command to run when training has ended,
    for whatever reason.
    """
    # Threads that wait actively take three times as long on a busy machine (measured: 31 s per
    # epoch against 9 s, two threads on two cores beside two busy processes).
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ | {"PYTHONUNBUFFERED": "1"}
    with files.open_to_append(folder, "trainer.log") as log:
        if on_finish:
            return _start(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "neumf_tui.runs.run_on_finish",
                    str(folder),
                    on_finish,
                ],
                environment,
                log,
            )
        return start_worker(folder, environment, log)


def start_worker(
    folder: Path, environment: Mapping[str, str], log: IO[bytes] | None
) -> "subprocess.Popen[bytes]":
    """Start the trainer: one process, or torchrun with as many as the run's settings say."""
    worker = ["-m", "neumf_tui.training.worker", str(folder)]
    processes = int(read_info(folder).settings.get("processes", 1))
    if processes == 1:
        return _start([sys.executable, "-P", *worker], environment, log)
    torchrun = [
        "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
        f"--max-restarts={RESTARTS}",
    ]  # fmt: skip
    # Avoid needless warnings: of torchrun about OMP_NUM_THREADS (each process sets its threads
    # itself), and of torch about each connection that ends.
    quiet = {"OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    environment = quiet | dict(environment) | {"PYTHONSAFEPATH": "1"}
    # torchrun holds this lock: while it restarts the processes, none of them holds the run's lock.
    with files.open_lock(folder, AGENT_LOCK) as lock:
        if not files.take_lock(lock):
            raise RunError(f"{folder}: another trainer is working on this run; stop it first")
        return _start([sys.executable, *torchrun, *worker], environment, log, lock.fileno())


def _start(
    command: list[str], environment: Mapping[str, str], log: IO[bytes] | None, *kept_open: int
) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd="/",
        env=environment,
        pass_fds=kept_open,
    )
    # A viewer lives on after its trainer; without a wait the trainer would stay a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
