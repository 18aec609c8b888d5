"""What is told of work on data that takes long."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """So much of one piece of work is done; at its end `done` is `total`."""

    what: str
    """The work, e.g. `reading ratings.csv`."""
    done: int
    total: int
    unit: str = ""
    """`B` for bytes; empty for steps of unequal length, which say nothing of the time that is left."""


Report = Callable[[Progress], None]


def silent(_progress: Progress) -> None:
    """For whom no progress needs to be told."""
