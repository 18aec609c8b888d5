"""Wait for something that another process does."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], bool], what: str = "it", seconds: float = 120) -> None:
    """Return as soon as `condition` holds; fail if it never does."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.01)
