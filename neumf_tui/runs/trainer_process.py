"""The process of a trainer: tell it from every other one, and kill it and nothing else.

The system gives a process the number of one that has ended, and a run can come from another
machine, or from somebody else. So a number alone proves nothing.
"""

import os
import platform
import shlex
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import Status
from neumf_tui.runs.reader import AGENT_LOCK, RUN_LOCK

HOST = platform.node()


def identity(pid: int) -> str:
    """Return when a process of this machine started, and its command; empty if there is none."""
    try:
        process = psutil.Process(pid)
        started = f"{process.create_time():.2f}"
        if sys.platform == "linux":  # since the start of the system: nobody can set that clock
            stat = files.read_bytes(Path("/proc"), f"{pid}/stat")
            started = stat.rpartition(b")")[2].split()[19].decode()
        return f"{started} {shlex.join(process.cmdline())}"[:500]
    except (psutil.Error, OSError, ValueError, IndexError, OverflowError):
        return ""


def kill_trainer(folder: Path, status: Status) -> None:
    """Kill the trainer of a run, then its children: a supervisor would start them again.

    Raises RunError unless the process that `status` names is on this machine, is the one that has
    written it, and has the lock of the run open itself.
    """
    hangs, pid = f"{folder.name} does not answer", status.pid
    if status.host and status.host != HOST:
        raise RunError(f"{hangs}; its trainer is process {pid} on {status.host}: kill it there")
    same = status.process in ("", identity(pid))
    if pid <= 1 or not same or not _has_lock(pid, folder):
        raise RunError(
            f"{hangs}, and process {pid} is not its trainer: find the one that has "
            f"{folder / RUN_LOCK} open (`fuser` does), and kill it"
        )
    with suppress(psutil.NoSuchProcess):
        trainer = psutil.Process(pid)
        for process in (trainer, *trainer.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def _has_lock(pid: int, folder: Path) -> bool:
    opened = []
    with suppress(psutil.Error, OSError, ValueError, OverflowError):
        opened = psutil.Process(pid).open_files()
    for name in (RUN_LOCK, AGENT_LOCK):
        for file in opened:
            with suppress(OSError):
                if os.path.samestat(os.lstat(folder / name), os.stat(file.path)):  # noqa: PTH116
                    return True
    return False
