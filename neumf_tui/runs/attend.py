"""Stay beside a training: tell that it stalls, and run a person's commands.

`python -m neumf_tui.runs.attend DIR ORDERS [LOCK]` starts the trainer if it gets the lock of the
run; else it follows a training that another program does. This is a process of its own, because a
trainer that hangs can write nothing, and one that was killed (e.g. out of memory) can run nothing.
The commands are never read from the run directory: opening another person's run must not run them.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from neumf_tui.errors import RunError
from neumf_tui.runs.alarms import STALL, StallWatch
from neumf_tui.runs.events import FINAL_STATES, Alarm, AlarmOver
from neumf_tui.runs.launch import start_worker
from neumf_tui.runs.orders import Orders
from neumf_tui.runs.reader import EventTail, read_info, read_snapshot, read_status
from neumf_tui.runs.summary import status_object
from neumf_tui.runs.writer import append_beside

COMMAND_SECONDS = 600
"""Time after which a command is killed."""
POLL_SECONDS = 1.0
_VARIABLES = {
    "RUN": "run", "RUN_DIR": "run_dir", "STATE": "state", "REASON": "reason",
    "DATASET": "dataset", "PRESET": "preset", "EPOCH": "epoch", "EPOCHS": "epochs",
    "HIT50": "hit@50", "AUC": "auc", "BEST_HIT50": "best_hit@50", "BEST_EPOCH": "best_epoch",
    "VALIDATION_HIT50": "validation_hit@50", "SECONDS": "seconds",
    "BEST_VALIDATION_HIT50": "best_validation_hit@50",
}  # fmt: skip


def environment_of(folder: Path, alarm: Alarm | None = None) -> dict[str, str]:
    """Return environment variables that describe the run; those without a value are empty.

    `alarm`: the one that a command is run for.
    """
    status = status_object(folder)
    values = {name: status[key] for name, key in _VARIABLES.items()}
    found = {name: "" if value is None else str(value) for name, value in values.items()}
    found |= {"ALARM": alarm.alarm, "ALARM_TEXT": alarm.text} if alarm else {}
    return {f"NEUMF_TUI_{name}": value for name, value in found.items()}


def run_command(flag: str, command: str, folder: Path, alarm: Alarm | None = None) -> None:
    """Run the shell command that a person gave with `flag`, and say what came of it."""
    try:
        done = subprocess.run(
            command,
            # A shell, since this is the command line that the person gave.
            shell=True,  # nosec B602
            env=os.environ | environment_of(folder, alarm),
            timeout=COMMAND_SECONDS,
            check=False,
        )
        outcome = f"exit code {done.returncode}" if done.returncode else "done"
    except Exception as error:  # noqa: BLE001 - must not look like a failure of the run
        outcome = f"{type(error).__name__}: {error}"
    print(f"{time.strftime('%H:%M:%S')} {flag} {command}: {outcome}", flush=True)


class Attendant:
    """Follows one training until it has ended."""

    def __init__(self, folder: Path, on_alarm: str) -> None:
        self._folder, self._on_alarm = folder, on_alarm
        self._tail = EventTail(folder)
        for _ in self._tail.pieces():
            pass  # alarms of an earlier trainer
        self._stall: StallWatch | None = None
        self._unwritten: list[Alarm | AlarmOver] = []
        if minutes := read_info(folder).alarms.stall_minutes:
            told = STALL in read_snapshot(folder).alarms
            self._stall = StallWatch(60 * minutes, told)

    def follow(self, ended: Callable[[], bool]) -> None:
        """Do what is due until `ended`, which waits a while before it says no."""
        while self._stall or self._on_alarm:
            is_last = ended()
            with suppress(RunError, OSError):  # the disk is full, for example: later, perhaps
                self._look()
            if is_last:
                return

    def _look(self) -> None:
        if self._stall:
            told = self._stall.look(read_status(self._folder), time.monotonic())
            self._unwritten += [told] if told else []
            while self._unwritten and append_beside(self._folder, self._unwritten[0]):
                self._unwritten.pop(0)
        for event in self._tail.read():
            if isinstance(event, Alarm) and self._on_alarm:
                run_command("--on-alarm", self._on_alarm, self._folder, event)


def main(folder: Path, orders: Orders, lock: int | None = None) -> int:
    """Follow a training until it has ended, and return the exit code of the trainer.

    `lock` is the number of an open file: the lock of the run, for the trainer that is started here.
    Trainer and commands write to trainer.log.
    """
    attendant = Attendant(folder, orders.on_alarm)
    if lock is None:
        attendant.follow(lambda: _has_ended(folder))
        return 0
    with os.fdopen(lock, "rb+") as held:
        trainer = start_worker(folder, os.environ, None, held)

    def ended() -> bool:
        with suppress(subprocess.TimeoutExpired):
            trainer.wait(POLL_SECONDS)
        return trainer.poll() is not None

    attendant.follow(ended)
    code = trainer.wait()
    if orders.on_finish:
        run_command("--on-finish", orders.on_finish, folder)
    return code


def _has_ended(folder: Path) -> bool:
    time.sleep(POLL_SECONDS)
    try:
        return read_status(folder).state in FINAL_STATES
    except RunError:  # it was deleted or renamed
        return True


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[2], type=Orders)
    sys.exit(main(Path(sys.argv[1]), given, int(sys.argv[3]) if len(sys.argv) > 3 else None))
