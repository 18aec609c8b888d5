"""The trainer process: `python -m neumf_tui.training.worker RUN_DIR [LOCK]`.

Its home is that of the environment, and its only output is the run directory. Where several
processes train together, rank 0 alone writes it.
"""

import errno
import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neumf_tui import files
from neumf_tui.errors import NeumfTuiError, UsageError
from neumf_tui.home import home_dir
from neumf_tui.runs import events
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import MuteWriter, RunWriter
from neumf_tui.settings import Settings
from neumf_tui.text import clean
from neumf_tui.training.distributed.processes import (
    RESTART,
    Worker,
    WorkerMessage,
    end_after_failure,
)

if TYPE_CHECKING:
    from neumf_tui.training.distributed.group import Group

REASON_LENGTH = 2000
"""Characters of a reason: the status has to fit into the one block of the disk that it has."""


def main(folder: Path, lock: int | None = None, worker: Worker | None = None) -> int:
    """Train the run in `folder`, leave a final status, and return the process's exit code.

    `lock` is the number of an open file that locks the run until this process does so itself.
    """
    try:
        return train(folder, home_dir(), worker, lock=lock)
    except (NeumfTuiError, OSError) as error:  # it could not even get the lock
        message = describe_failure(error, folder, worker)
        print(message.reason, file=sys.stderr)
        return message.exit_code


def train(
    folder: Path,
    home: Path,
    worker: Worker | None,
    group: "Group | None" = None,
    lock: int | None = None,
) -> int:
    """Train the run in `folder` with the processes of `group`; None: join it here.

    `home` has the run's dataset. Returns the exit code: 0, that of the error, or RESTART.
    """
    with MuteWriter(folder) if worker and worker.rank else RunWriter(folder) as writer:
        if lock is not None:
            os.close(lock)
        try:
            # The lock is taken before torch is imported, which needs a second or more, so that a
            # reader can tell a run that is starting from one that has ended.
            _set_status(writer, state="starting", pid=_pid(worker), reason="", exit_code=0)
            from neumf_tui.training.distributed.group import Group
            from neumf_tui.training.distributed.ring import RingGroup

            group = group or (RingGroup(worker, folder) if worker else Group())
            if group.size > 1:
                end_after_failure(group.failure, lambda message: fail(writer, message))
            state, reason = _train(writer, home, worker, group)
        except Exception as error:  # noqa: BLE001 - after any error the run must not look alive
            message = group.failure() if group else None
            message = message or describe_failure(error, writer.folder, worker)
            return fail(writer, group.report_failure(message) if group else message)
        _set_status(writer, state=state, reason=reason, exit_code=0)
        group.leave()
    return 0


def _pid(worker: Worker | None) -> int:
    """Return the process whose end is the end of the training.

    That is the supervisor or torchrun, if there is one: it would replace this process.
    """
    return os.getppid() if worker else os.getpid()


def _last_status(folder: Path) -> events.Status:
    try:
        return files.read_json(folder, "status.json", events.Status)
    except OSError:  # lost in a power cut, for example: it will be written again
        return events.Status(state="starting", pid=0)


def _set_status(writer: RunWriter, **changes: str | int) -> None:
    writer.status(msgspec.structs.replace(_last_status(writer.folder), **changes))


def describe_failure(error: Exception, folder: Path, worker: Worker | None) -> WorkerMessage:
    """Return what to tell people and the other processes about an error."""
    if isinstance(error, UsageError):  # an error in the command, which is the same for all
        return WorkerMessage(str(error), error.exit_code, final=True)
    where = f"process {worker.rank} of {worker.size}: " if worker and worker.rank else ""
    if isinstance(error, NeumfTuiError):
        return WorkerMessage(where + str(error), error.exit_code, final=True)
    with suppress(OSError):
        traceback.print_exc()
    if isinstance(error, OSError):
        what = f"{where}{error.filename or folder}: {error.strerror}"
        remedy = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "fix that"
        remedy = f"earlier checkpoints can still be used: {remedy}, then use --resume"
        return WorkerMessage(f"{what}; {remedy}", 1, final=True)
    # In a group this is mostly a process or a node that died: the others see a broken connection.
    reason = f"{where}{type(error).__name__}: {error}; see {folder / 'trainer.log'}"
    return WorkerMessage(reason, 1, final=worker is None or worker.is_last_try)


def fail(writer: RunWriter, message: WorkerMessage) -> int:
    """Write the status that `message` gives, and return the exit code.

    The disk can be full: one place that cannot be written to must not keep the reason from others.
    """
    if not message.final:
        text = f"starting again from the last checkpoint: {message.reason}"
        with suppress(OSError):
            writer.event(events.Warned(text=text))
        return RESTART
    reason, code = message.reason[:REASON_LENGTH], message.exit_code
    with suppress(OSError):
        if not isinstance(writer, MuteWriter):
            print(clean(reason), file=sys.stderr)
    with suppress(OSError):
        writer.event(events.Finished(state="failed", reason=reason))
    with suppress(OSError):
        _set_status(writer, state="failed", reason=reason, exit_code=code)
    return code


def _train(writer: RunWriter, home: Path, worker: Worker | None, group: "Group") -> tuple[str, str]:
    """Train to the end or until stopped, and return the final state and its reason."""
    from neumf_tui.data.load import load_dataset
    from neumf_tui.training.device import pick_device, set_threads
    from neumf_tui.training.loop import Loop, Stop

    info = read_info(writer.folder)
    settings = msgspec.convert(info.settings, Settings)
    set_threads(settings, worker)
    device = pick_device(settings.device, worker)
    if device.type == "cpu":
        import torch

        # The effect of `use_deterministic_algorithms` without the compiler that it imports, which
        # takes a second; filling memory costs time and only finds bugs.
        torch.set_deterministic_debug_mode("error")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    dataset = info.dataset
    data = load_dataset(
        dataset.fingerprint, dataset.name, home, info.source_in(home), dataset.options
    )
    loop = Loop(writer, data, settings, device, group)
    for number in (signal.SIGTERM, signal.SIGINT):
        # All processes of a group may get the signal: rank 0 stops them all after the same step.
        signal.signal(number, signal.SIG_IGN if group.rank else loop.requests.on_signal)
    try:
        loop.run(_pid(worker))
        state, reason = "finished", loop.early_stop
    except Stop:
        state, reason = "stopped", loop.requests.stop_reason
    spent = loop.timed()
    writer.event(
        events.Finished(
            state=state,
            reason=reason,
            train_seconds=spent.train_seconds,
            evaluate_seconds=spent.evaluate_seconds,
            total_seconds=spent.total_seconds,
        )
    )
    return state, reason


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
