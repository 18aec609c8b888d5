"""Kill a trainer at each named moment, and train on: `python -m tests.support.killed_trainers`.

The trainers are forks of one process, which has imported what they need.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.runs import checkpoint
from neumf_tui.runs.events import Checkpointed, Evaluated
from neumf_tui.runs.reader import read_status
from neumf_tui.runs.writer import RunWriter, reopen_run
from neumf_tui.training import loop, worker
from neumf_tui.training.trainer import Trainer
from tests.support.whole_runs import check_readable

LAST, BEST = ("last", "00002.safetensors"), "best"
STEPS = 60
"""An epoch has 52 of them."""


def counted(number: int) -> Callable[..., bool]:
    """Return a condition that is true at the call of this number."""
    calls = iter(range(1, number + 1))
    return lambda *_, **__: next(calls) == number


def event_is(kind: type, epoch: int) -> Callable[..., bool]:
    return lambda _, event: isinstance(event, kind) and event.epoch == epoch  # type: ignore[attr-defined]


MOMENTS: dict[str, tuple[Any, str, Callable[..., bool]]] = {
    "starting": (worker, "_train", counted(1)),
    "in-a-step": (Trainer, "step", counted(STEPS)),
    "in-an-evaluation": (Evaluator, "ranks", counted(2)),
    "between-ranks-and-event": (RunWriter, "event", event_is(Evaluated, 2)),
    "in-writing-a-checkpoint": (os, "replace", lambda _, to, **__: to == LAST[1]),
    "between-checkpoint-and-pointer": (checkpoint, "set_pointer", lambda _, *to: to == LAST),
    "between-last-and-best": (loop, "set_pointer", lambda _, name, to: to == LAST[1]),
    "between-best-and-event": (RunWriter, "event", event_is(Checkpointed, 2)),
    "before-the-final-status": (worker, "_set_status", lambda *_, state, **__: state == "finished"),
}
"""By the name of a moment: the function before which a trainer is killed, and at which call."""


def kill_before(owner: Any, name: str, when: Callable[..., bool]) -> None:
    """Kill this process before the call of a function for which `when` is true."""
    function = getattr(owner, name)

    def killing(*args: Any, **options: Any) -> Any:
        if when(*args, **options):
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    setattr(owner, name, killing)


def train(folder: Path, moment: str = "") -> int:
    """Train a run in a fork, which is killed at `moment`; return its exit code."""
    reopen_run(folder)
    if (pid := os.fork()) == 0:
        if moment:
            kill_before(*MOMENTS[moment])
        os._exit(worker.main(folder))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at(folder: Path, moment: str) -> tuple[int, str, int]:
    """Return the code of the killed trainer, the state it left, and the code of the next one."""
    killed = train(folder, moment)
    check_readable(folder)
    state = read_status(folder).state
    return killed, state, train(folder)


def kill_all(folders: dict[str, Path]) -> dict[str, list[Any]]:
    """Return the result of `kill_at` by moment."""
    given = {moment: str(folder) for moment, folder in folders.items()}
    command = [sys.executable, "-m", "tests.support.killed_trainers", json.dumps(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=1500)
    found: dict[str, list[Any]] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    results = {name: kill_at(Path(path), name) for name, path in json.loads(sys.argv[1]).items()}
    print(json.dumps(results))
