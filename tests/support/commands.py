"""Run the program as a command."""

import subprocess
import sys
from collections.abc import Callable

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def run_cli(*args: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run the program in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "neumf_tui", *args],
        capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
