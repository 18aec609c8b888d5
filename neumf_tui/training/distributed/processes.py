"""Which of several processes this one is, and when it must end; without torch.

The processes of one machine are started by `supervisor.py`, those of several by torchrun.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

RESTART = 75
"""Exit code of a process whose group must be started again (EX_TEMPFAIL of sysexits.h)."""
POLL_SECONDS = 1.0
GRACE_SECONDS = 10.0
"""Time for the loop to end by itself after another process has failed."""
_NUMBERS = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
    "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS",
)  # fmt: skip


@dataclass(frozen=True)
class Worker:
    """One of the processes that train together."""

    rank: int
    """Number among all processes of all nodes, from 0."""
    size: int
    """Number of processes on all nodes."""
    local_rank: int
    """Number among the processes of this node, and the number of its GPU."""
    local_size: int
    restarts: int
    """How often this group has been started again."""
    max_restarts: int
    job: str = field(kw_only=True)
    """The job's name by torchrun's `--rdzv-id`, or one that its `--standalone` drew; empty where it
    has none."""
    sockets: tuple[int, int] | None = field(default=None, kw_only=True)
    """Open sockets, to the previous and from the next process; None if torchrun started this one,
    which then connects by TCP."""

    @property
    def is_last_try(self) -> bool:
        return self.restarts >= self.max_restarts


class WorkerMessage(NamedTuple):
    """What a process of a group tells the others before it ends because of an error."""

    reason: str
    exit_code: int
    final: bool
    """Whether to end for good; else the group is started again."""


def current_worker(environment: Mapping[str, str] = os.environ) -> Worker | None:
    """Return this process's place among the others; None if torchrun did not start it."""
    try:
        numbers = [int(environment[name]) for name in _NUMBERS]
        job = environment["TORCHELASTIC_RUN_ID"]
    except KeyError:
        return None
    return Worker(*numbers, job="" if job == "none" else job)


def end_with_supervisor() -> None:
    """From now on, end this process as soon as the supervisor that started it has ended.

    Standard input is a pipe to which nobody writes; it ends when the supervisor does.
    """

    def watch() -> None:
        os.read(0, 1)
        os._exit(RESTART)

    threading.Thread(target=watch, name="supervisor", daemon=True).start()


def end_with_torchrun() -> None:
    """From now on, end this process soon after the torchrun that started it has ended."""
    torchrun = os.getppid()

    def watch() -> None:
        while os.getppid() == torchrun:
            time.sleep(POLL_SECONDS)
        os._exit(RESTART)

    threading.Thread(target=watch, name="torchrun", daemon=True).start()


def end_after_failure(
    failure: Callable[[], WorkerMessage | None], on_failure: Callable[[WorkerMessage], object]
) -> None:
    """From now on, end this process after another of the group has failed.

    It may be waiting for a GPU, where no broken connection wakes it. `failure` returns the message
    of the process that failed, if one did; `on_failure` is called before this process ends.
    """

    def watch() -> None:
        while (message := failure()) is None:
            time.sleep(POLL_SECONDS)
        time.sleep(GRACE_SECONDS)
        on_failure(message)
        os._exit(RESTART)

    threading.Thread(target=watch, name="failure", daemon=True).start()
