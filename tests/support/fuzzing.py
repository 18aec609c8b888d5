"""How often a fuzzer tries: little in each test run, an hour long by `just fuzz`."""

import os

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("NEUMF_TUI_FUZZ", "1"))
"""How many times as many examples as in the fast suite are tried."""


def examples(number: int) -> settings:
    """Return the settings of a fuzzer that tries `number` examples in the fast suite.

    There the examples are always the same. With a factor they are new ones; hypothesis prints the
    seed and the smallest example that fails, and `--hypothesis-seed` repeats them.
    """
    return settings(
        max_examples=number * FACTOR,
        derandomize=FACTOR == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
