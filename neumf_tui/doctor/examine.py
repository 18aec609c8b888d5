"""Run all checks of this machine and terminal."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from neumf_tui.doctor import machine, storage, terminal
from neumf_tui.doctor.check import Check, Finding, Probes, ok
from neumf_tui.doctor.trainer import check_trainer


def examine(home: Path, probes: Probes | None = None) -> list[Check]:
    """Return all findings: the terminal, then what trains, then where runs are kept.

    Nothing is created or changed, except that missing kernels are compiled into the cache. A check
    that fails unexpectedly is a problem of its own. Importing torch takes seconds.
    """
    probes = probes or Probes()
    checks: dict[str, Callable[[Probes], Finding]] = {
        "terminal": terminal.check_terminal,
        "screen": terminal.check_screen,
        "colours": terminal.check_colours,
        "background": terminal.check_background,
        "unicode": terminal.check_unicode,
        "ssh": terminal.check_ssh,
        "tmux": terminal.check_tmux,
        "clipboard": terminal.check_clipboard,
        "notices": terminal.check_notices,
        "mouse": lambda _: ok("not needed: everything has a key"),
        "python": machine.check_python,
        "torch": machine.check_torch,
        "kernels": machine.check_kernels,
        "cuda": machine.check_cuda,
        "gpu": machine.check_gpu,
        "data": lambda _: storage.check_data(home),
        "home": lambda _: storage.check_home(home),
        "locks": partial(storage.check_locks, home),
        "trainer": check_trainer,
    }
    return [_guarded(name, check, probes) for name, check in checks.items()]


def _guarded(name: str, check: Callable[[Probes], Finding], probes: Probes) -> Check:
    try:
        return Check(name, *check(probes))
    except Exception as error:  # noqa: BLE001 - a failing check must not hide the other findings
        return Check(name, "problem", f"the check failed: {type(error).__name__}: {error}")
