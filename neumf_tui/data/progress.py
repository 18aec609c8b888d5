"""How long work on data reports its progress to the caller."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The state of one piece of work; at its end `done` equals `total`."""

    what: str
    """The work, e.g. `reading ratings.csv`."""
    done: int
    total: int
    unit: str = ""
    """`B` for bytes; empty for steps of unequal length, from which no time can be estimated."""


Report = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """Ignore the progress."""
