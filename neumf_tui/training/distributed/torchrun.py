"""This process as one of those that torchrun started: what it was told, and when it must end; without torch."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

AGAIN = 75
"""Exit code of a process whose group torchrun shall start again (EX_TEMPFAIL of sysexits.h)."""
WATCH_SECONDS = 1.0
GRACE_SECONDS = 10.0
"""Time for the loop to end by itself, after another process has failed."""


@dataclass(frozen=True)
class Member:
    """One process of those that torchrun started."""

    rank: int
    """Among all processes of all nodes, from 0."""
    size: int
    local_rank: int
    """Among those of this node: the number of its GPU."""
    local_size: int
    restarts: int
    """How often torchrun has started this group again."""
    max_restarts: int
    job: str
    """What `--rdzv-id` names the job, or a name that `--standalone` drew; empty where it has none."""

    @property
    def is_last_try(self) -> bool:
        return self.restarts >= self.max_restarts


class Word(NamedTuple):
    """What a process of a group says to the others before it ends because of an error."""

    reason: str
    exit_code: int
    final: bool
    """Whether to end for good; else the group is started again."""


def member(environment: Mapping[str, str] = os.environ) -> Member | None:
    """None for a process that torchrun did not start."""
    names = (
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "LOCAL_WORLD_SIZE",
        "TORCHELASTIC_RESTART_COUNT",
        "TORCHELASTIC_MAX_RESTARTS",
    )
    if not all(name in environment for name in (*names, "TORCHELASTIC_RUN_ID")):
        return None
    job = environment["TORCHELASTIC_RUN_ID"]
    rank, size, local_rank, local_size, restarts, max_restarts = (
        int(environment[name]) for name in names
    )
    return Member(
        rank, size, local_rank, local_size, restarts, max_restarts, "" if job == "none" else job
    )


def end_with_torchrun() -> None:
    """From now on, end this process soon after the torchrun that started it has gone, so that none lingers."""
    torchrun = os.getppid()

    def look() -> None:
        while os.getppid() == torchrun:
            time.sleep(WATCH_SECONDS)
        os._exit(AGAIN)

    threading.Thread(target=look, name="torchrun", daemon=True).start()


def end_after_failure(
    failed: Callable[[], Word | None], on_failure: Callable[[Word], object]
) -> None:
    """From now on, end this process after another of the group has `failed`, should it then be waiting where no broken
    connection wakes it, on a GPU; `on_failure` is called first."""

    def look() -> None:
        while (word := failed()) is None:
            time.sleep(WATCH_SECONDS)
        time.sleep(GRACE_SECONDS)
        on_failure(word)
        os._exit(AGAIN)

    threading.Thread(target=look, name="failure", daemon=True).start()
