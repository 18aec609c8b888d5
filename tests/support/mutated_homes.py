"""Homes with mutated runs, one after the other, and a folder beside them that must not change."""

import random
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.mutated_runs import SECRET, make_outside, mutate, state_of

LIMIT = 60
"""Seconds after which a command hangs; a FIFO or a device would stop it for good."""
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Hang(BaseException):
    """Raised in a command that does not end."""


@contextmanager
def ends_in_time() -> Iterator[None]:
    def raise_hang(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, raise_hang)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Place:
    """A home with a mutated run, and a folder beside it that must not change."""

    def __init__(self, golden: Path, base: Path) -> None:
        self.home, self.outside, self._golden = base / "home", base / "outside", golden
        self._before = make_outside(self.outside)

    def mutated(self, seed: int) -> list[str]:
        """Put new runs into the home, change up to three things in one, and return what."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self._golden, self.home)
        rng = random.Random(seed)
        return [
            mutate(self.home / "runs" / "golden", self.outside, rng)
            for _ in range(rng.choice((1, 1, 2, 3)))
        ]

    def check(self, done: str, printed: str) -> None:
        assert "a fault of the program" not in printed, (done, printed)
        assert "not enough memory" not in printed, (done, printed)
        assert not (raw := RAW.search(printed)), (done, raw, printed)
        assert SECRET not in printed, (done, printed)
        assert state_of(self.outside) == self._before, done
