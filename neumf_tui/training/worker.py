"""The trainer process, `python -m neumf_tui.training.worker RUN_DIR`; its only output is the run directory.

torchrun may have started it as one of several that train together: rank 0 then writes the run directory, alone.
"""

import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from neumf_tui.errors import NeumfTuiError, UsageError
from neumf_tui.runs import events
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.writer import MuteWriter, RunWriter
from neumf_tui.settings import Settings
from neumf_tui.training.distributed.torchrun import (
    AGAIN,
    Member,
    Word,
    end_after_failure,
    end_with_torchrun,
    member,
)

if TYPE_CHECKING:
    from neumf_tui.training.distributed.group import Group


def main(folder: Path) -> int:
    """Train the run in `folder` under its lock and leave a final status; the process's exit code."""
    part = member()
    if part is None:
        return train(folder, None)
    end_with_torchrun()
    if has_ended(folder, part):
        return 0
    # torchrun starts again whatever ends in another way; how the run has ended is in its directory.
    return AGAIN if train(folder, part) == AGAIN else 0


def has_ended(folder: Path, part: Member) -> bool:
    """Whether torchrun has started this process again though the run had already ended, for better or for worse."""
    return part.restarts > 0 and _last_status(folder).state in ("finished", "stopped", "failed")


def train(folder: Path, part: Member | None, group: "Group | None" = None) -> int:
    """Train the run in `folder` with the processes of `group`, which is joined here where none is given.

    Returns the exit code: 0, that of the error, or AGAIN.
    """
    with MuteWriter(folder) if part and part.rank else RunWriter(folder) as writer:
        # The lock comes before torch's import of a second or more, so that a reader can tell starting from gone.
        writer.status(
            msgspec.structs.replace(
                _last_status(folder), state="starting", pid=_pid(part), reason="", exit_code=0
            )
        )
        try:
            from neumf_tui.training.distributed.group import join

            group = group or join(part)
            if group.size > 1:
                end_after_failure(group.failed, lambda word: _fail(writer, word))
            state, reason, code = _train(writer, part, group)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must not look alive
            told = group.failed() if group else None
            word = told or _word(error, writer.folder, part)
            return _fail(writer, group.fail(word) if group else word)
        writer.status(
            msgspec.structs.replace(
                _last_status(folder), state=state, reason=reason, exit_code=code
            )
        )
        group.leave()
    return code


def _pid(part: Member | None) -> int:
    """The process whose end is the end of the training: torchrun would start another in the place of this one."""
    return os.getppid() if part else os.getpid()


def _last_status(folder: Path) -> events.Status:
    return msgspec.json.decode((folder / "status.json").read_bytes(), type=events.Status)


def _word(error: Exception, folder: Path, part: Member | None) -> Word:
    """What to say of an error, to people and to the other processes."""
    if isinstance(error, UsageError):
        return Word(
            str(error), error.exit_code, final=True
        )  # said of the command, which is the same for all
    where = f"process {part.rank} of {part.size}: " if part and part.rank else ""
    if isinstance(error, NeumfTuiError):
        return Word(where + str(error), error.exit_code, final=True)
    traceback.print_exc()
    if isinstance(error, OSError):
        remedy = "earlier checkpoints stay usable: free space, then --resume"
        return Word(f"{where}{error.filename or folder}: {error.strerror}; {remedy}", 1, final=True)
    # In a group this is mostly a process or a node that died: the others see a broken connection.
    reason = f"{where}{type(error).__name__}: {error}; see {folder / 'trainer.log'}"
    return Word(reason, 1, final=part is None or part.is_last_try)


def _fail(writer: RunWriter, word: Word) -> int:
    """Leave the status that `word` gives; the exit code."""
    if not word.final:
        writer.event(
            events.Warned(
                t=time.time(), text=f"starting again from the last checkpoint: {word.reason}"
            )
        )
        return AGAIN
    if not isinstance(writer, MuteWriter):
        print(word.reason, file=sys.stderr)
    writer.event(events.Finished(t=time.time(), state="failed", reason=word.reason))
    last = _last_status(writer.folder)
    writer.status(
        msgspec.structs.replace(last, state="failed", reason=word.reason, exit_code=word.exit_code)
    )
    return word.exit_code


def _train(writer: RunWriter, part: Member | None, group: "Group") -> tuple[str, str, int]:
    """Train to the end or a stop: state, reason, exit code."""
    from neumf_tui.data.registry import load_dataset
    from neumf_tui.training.device import pick_device, set_threads
    from neumf_tui.training.loop import Loop, Stop

    info = read_info(writer.folder)
    settings = msgspec.convert(info.settings, Settings)
    set_threads(settings, part)
    device = pick_device(settings.device, part)
    if device.type == "cpu":
        import torch

        # What `use_deterministic_algorithms` sets, without the compiler that it imports, which takes a second.
        torch.set_deterministic_debug_mode("error")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time, only finds bugs
    data = load_dataset(
        info.dataset.fingerprint, info.dataset.name, Path(info.home), info.dataset.source
    )
    loop = Loop(writer, data, settings, device, group)
    for number in (signal.SIGTERM, signal.SIGINT):
        # All of a group may be signalled at once: rank 0 then stops them all after the same step.
        signal.signal(number, signal.SIG_IGN if group.rank else loop.orders.on_signal)
    try:
        loop.run(_pid(part))
        state = "finished"
    except Stop:
        state = "stopped"
    reason = loop.orders.stop_reason if state == "stopped" else loop.early_stop
    spent = loop.timed()
    writer.event(
        events.Finished(
            t=time.time(),
            state=state,
            reason=reason,
            train_seconds=spent.train_seconds,
            evaluate_seconds=spent.evaluate_seconds,
            total_seconds=spent.total_seconds,
        )
    )
    return state, reason, 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
