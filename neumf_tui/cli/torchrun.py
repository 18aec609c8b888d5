"""`train` in a process that torchrun started: all train together, and only rank 0 prints."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.cli.options import run_folder
from neumf_tui.errors import RunError, UsageError
from neumf_tui.training.distributed.processes import RESTART, end_with_torchrun

if TYPE_CHECKING:
    from neumf_tui.training.distributed.group import Group
    from neumf_tui.training.distributed.processes import Worker


def follow(worker: "Worker", home: Path) -> int:
    """Train the run that rank 0 chooses, silently, and return the exit code."""
    group = _join(worker)
    name, ended = group.broadcast((b"", False), tuple[bytes, bool])
    folder = Path(os.fsdecode(name))
    from neumf_tui.runs.reader import read_status
    from neumf_tui.training.worker import train

    return read_status(folder).exit_code if ended else train(folder, home, worker, group)


def lead(worker: "Worker", folder: Path, home: Path, ended: bool, json: bool, is_new: bool) -> int:
    """Train the run with the other processes and report it, and return the exit code.

    If the run has ended already, nothing is trained. A new run that cannot start is removed.
    """
    from neumf_tui.cli.plain import reporting
    from neumf_tui.runs.failed_start import remove_failed_start
    from neumf_tui.runs.reader import read_status
    from neumf_tui.runs.summary import train_summary
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.runs import print_summary

    group = _join(worker)
    group.broadcast((os.fsencode(folder), ended), tuple[bytes, bool])
    if ended:
        status = read_status(folder)
        say(f"run {folder.name} of this job is already {status.state}")
        return status.exit_code
    from neumf_tui.training.worker import train

    say(f"run {folder.name} in {folder}")
    with reporting(folder):
        code = train(folder, home, worker, group)
    if is_new and remove_failed_start(folder):  # `train` has said why
        return code
    summary = train_summary(folder)
    if code == 0 or (code != RESTART and summary["metrics"] is not None):
        print_json(summary) if json else print_summary(summary)
    return code


def _join(worker: "Worker") -> "Group":
    # As in runs/launch.py; must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    end_with_torchrun()
    from neumf_tui.training.distributed.torchrun import join_torchrun

    return join_torchrun(worker)


def choose_run(
    worker: "Worker",
    home: Path,
    name: str | None,
    resume: str | None,
    epochs: int | None,
    make: Callable[[str], Path],
) -> tuple[Path, bool]:
    """Return the run to train, ready for a trainer, and whether it has ended already.

    `make(job)` creates a new run. torchrun repeats the command when a process has died, and Slurm
    repeats a job that it has preempted. Both continue the run that the command has created; it is
    found by the job's id and the command. Raises NeumfTuiError.
    """
    from neumf_tui.runs.control import make_ready
    from neumf_tui.runs.create_run import check_data
    from neumf_tui.runs.reader import read_status

    job = f"{worker.job}: {shlex.join(sys.argv[1:])}" if worker.job else ""
    folder = (
        run_folder(home, resume) if resume is not None else find_run_of_job(worker, home, name, job)
    )
    if folder is None:
        return make(job), False
    state = read_status(folder).state
    again = worker.restarts > 0 or (resume is None and state == "finished")
    if again and state in ("finished", "stopped", "failed"):
        return folder, True
    check_data(folder, home)
    more = epochs if resume is not None else None
    make_ready(folder, more, {"processes": worker.size}).close()
    return folder, False


def find_run_of_job(worker: "Worker", home: Path, name: str | None, job: str) -> Path | None:
    """Return the run that this command of this job has created before, if any.

    Raises UsageError if a restart could not find the run again.
    """
    from neumf_tui.home import runs_dir
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.store import run_folders

    if job:
        for folder in run_folders(home):
            try:
                if read_info(folder).job == job:
                    return folder
            except RunError:
                continue  # damaged, so it cannot be continued
        return None
    if worker.max_restarts and name is None:
        raise UsageError(
            f"torchrun --max-restarts {worker.max_restarts}: a restart could not find its run; "
            "add --rdzv-id or --standalone to torchrun, or --name to train"
        )
    folder = runs_dir(home) / (name or "")
    return folder if worker.restarts and name and folder.exists() else None
