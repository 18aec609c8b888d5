"""The number of usable cores."""

import os


def usable_cores() -> int:
    """Return how many cores this process may use; all of the machine's if that is not known."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
