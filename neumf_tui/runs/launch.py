"""Start a trainer: a process without a terminal that continues when its starter ends."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.contents import check_run
from neumf_tui.runs.orders import Orders
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
    folder: Path, home: Path, lock: BinaryIO | None = None, orders: Orders = Orders()
) -> "subprocess.Popen[bytes]":
    """Train the run in `folder` from its last checkpoint, or from the start.

    `lock` is that of `hold`, if this process has it already. Output goes to the run's trainer.log.
    """
    # Threads that wait actively take three times as long on a busy machine (measured: 31 s per
    # epoch against 9 s, two threads on two cores beside two busy processes).
    environment = {"OMP_WAIT_POLICY": "PASSIVE"} | os.environ
    # The run can have been moved since it was made: the home is the one in which it is now.
    environment |= {"PYTHONUNBUFFERED": "1", "NEUMF_TUI_HOME": str(home)}
    with lock or hold(folder) as lock, files.open_to_append(folder, "trainer.log") as log:
        if orders == Orders() and not _needs_attendant(folder):
            return start_worker(folder, environment, log, lock)
        command = [*_attendant(folder, orders), str(lock.fileno())]
        return _start(command, environment, log, lock)


def attend(folder: Path) -> None:
    """Let a process follow a training that this program does, if one of its alarms needs that."""
    if _needs_attendant(folder):
        with files.open_to_append(folder, "trainer.log") as log:
            _start(_attendant(folder, Orders()), os.environ, log)


def _needs_attendant(folder: Path) -> bool:
    return read_info(folder).alarms.stall_minutes > 0


def _attendant(folder: Path, orders: Orders) -> list[str]:
    given = msgspec.json.encode(orders).decode()
    return ["-P", "-m", "neumf_tui.runs.attend", str(folder), given]


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
    arguments: list[str],
    environment: Mapping[str, str],
    log: BinaryIO | None,
    lock: BinaryIO | None = None,
) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd="/",
        env=environment,
        pass_fds=[lock.fileno()] if lock else [],
    )
    # A viewer lives on after its trainer; without a wait the trainer would stay a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process
