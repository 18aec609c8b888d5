"""Start a trainer: a process without a terminal that continues when its starter ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.contents import check_run
from neumf_tui.runs.reader import AGENT_LOCK, RUN_LOCK, read_info


def hold(folder: Path) -> BinaryIO:
    """Lock a run for the trainer that this process is about to start.

    The trainer inherits the lock, so that nobody else can get the run in between. Raises RunError
    if another trainer has the run, or is about to; OSError if a part of the run leads out of it.
    """
    check_run(folder)
    with files.open_lock(folder, RUN_LOCK) as run_lock:
        lock = files.open_lock(folder, AGENT_LOCK)
        try:
            if files.take_lock(lock) and files.take_lock(run_lock):
                return lock
        except OSError:
            lock.close()
            raise
    lock.close()
    raise RunError(
        f"{folder}: this run is being trained right now; `neumf-tui attach {folder.name}` shows it"
    )


def launch_trainer(
    folder: Path, home: Path, lock: BinaryIO | None = None, on_finish: str = ""
) -> "subprocess.Popen[bytes]":
    """Train the run in `folder` from its last checkpoint, or from the start.

    `lock` is that of `hold`, if this process has it already. Output goes to the run's trainer.log.
    `on_finish` is a shell command to run when training has ended, for whatever reason.
    """
    # Threads that wait actively take three times as long on a busy machine (measured: 31 s per
    # epoch against 9 s, two threads on two cores beside two busy processes).
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    # The run can have been moved since it was made: the home is the one in which it is now.
    environment |= {"PYTHONUNBUFFERED": "1", "NEUMF_TUI_HOME": str(home)}
    with lock or hold(folder) as lock, files.open_to_append(folder, "trainer.log") as log:
        if not on_finish:
            return start_worker(folder, environment, log, lock)
        command = ["-P", "-m", "neumf_tui.runs.run_on_finish"]
        command += [str(folder), on_finish, str(lock.fileno())]
        return _start(command, environment, log, lock)


def start_worker(
    folder: Path, environment: Mapping[str, str], log: BinaryIO | None, lock: BinaryIO
) -> "subprocess.Popen[bytes]":
    """Start the trainer: one process, or the supervisor of as many as the run's settings say.

    It inherits `lock`, which a supervisor keeps: while it starts the processes again, none of them
    holds the run's own.
    """
    python = ["-P", "-m"]
    processes = read_info(folder).processes
    if processes == 1:
        worker = [*python, "neumf_tui.training.worker", str(folder), str(lock.fileno())]
        return _start(worker, environment, log, lock)
    supervisor = [*python, "neumf_tui.training.distributed.supervisor", str(folder)]
    return _start([*supervisor, str(processes)], environment, log, lock)


def _start(
    arguments: list[str], environment: Mapping[str, str], log: BinaryIO | None, lock: BinaryIO
) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd="/",
        env=environment,
        pass_fds=[lock.fileno()],
    )
    # A viewer lives on after its trainer; without a wait the trainer would stay a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
