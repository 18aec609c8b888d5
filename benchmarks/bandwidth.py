"""What a screen costs a line: bytes a second that a viewer sends while its run grows by two points a second, and W&B LEET's.

LEET shows a run of its own with curves of the same kind, as wandb writes them in training. All have a terminal of 120x40 that
reads everything and answers what it is asked; what is counted begins when the screens have come to rest.
"""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.growing_run import GrowingRun
from benchmarks.host import say
from benchmarks.peers.environments import packages_of, python_of
from benchmarks.pseudo_terminal import Terminal
from benchmarks.recorder import PROGRAM, SIZE
from benchmarks.report import Options, Report, Table, middle, times
from benchmarks.waiting import wait_for

WINDOW = 20.0
"""Seconds of a round."""
SETTLED = 12.0
"""Seconds after which a screen has said all that it says at first."""
DEEP = {"COLORTERM": "truecolor"}
OURS = {
    "neumf-tui, 16 million colours": ([], DEEP),
    "neumf-tui, 256 colours": ([], {}),
    "neumf-tui --low-bandwidth": (["--low-bandwidth"], {}),
}
LEET = "W&B LEET, 16 million colours"
_WANDB = Path(__file__).parent / "peers" / "wandb_driver.py"


@contextmanager
def viewers(home: Path, validation: bool) -> Iterator[dict[str, Terminal]]:
    with GrowingRun(home, validation=validation), ExitStack() as stack:
        found = {}
        for name, (options, env) in OURS.items():
            command = [*PROGRAM, "attach", "growing", "--home", str(home), *options]
            found[name] = stack.enter_context(Terminal(command, size=SIZE, env=env))
        for terminal in found.values():
            terminal.wait_text("growing", "● running", "q Quit")
        yield found


@contextmanager
def leet(python: Path, folder: Path, curves: int) -> Iterator[dict[str, Terminal]]:
    folder.mkdir()
    writer = subprocess.Popen(
        [str(python), str(_WANDB), str(folder), str(curves)], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(
            lambda: next(folder.glob("wandb/offline-run-*/*.wandb"), None) is not None,
            "a run of wandb",
        )
        command = [
            str(python.with_name("wandb")),
            "leet",
            str(next(folder.glob("wandb/offline-run-*/*.wandb"))),
        ]
        with Terminal(command, size=SIZE, env=DEEP | {"WANDB_CONFIG_DIR": str(folder)}) as terminal:
            terminal.wait_text("loss", "auc")
            yield {LEET: terminal}
    finally:
        writer.terminate()
        writer.wait()


def counted(terminals: dict[str, Terminal], rounds: int) -> dict[str, list[float]]:
    """Kilobytes a second that each sends, in each round."""
    time.sleep(SETTLED)
    found: dict[str, list[float]] = {name: [] for name in terminals}
    for _ in range(rounds):
        before, begun = (
            {name: terminal.count for name, terminal in terminals.items()},
            time.monotonic(),
        )
        time.sleep(WINDOW)
        took = time.monotonic() - begun
        for name, terminal in terminals.items():
            if not terminal.alive:
                raise SystemExit(f"{name} has ended; it said\n{terminal.main_text}")
            found[name].append((terminal.count - before[name]) / took / 1000)
    return found


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 5
    # A smoke run does without the peer, which has to be fetched.
    python = None if options.quick else python_of("wandb", options.cache, torch=False)
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for curves in (3, 5):
            folder = Path(scratch) / str(curves)
            with viewers(folder, curves == 5) as terminals:
                rates = counted(terminals, rounds)
            if python is not None:
                with leet(python, folder / "leet", curves) as terminals:
                    rates |= counted(terminals, rounds)
            for name, values in rates.items():
                say(f"  {curves} curves: {name:<32}{middle(values)} KB/s")
                found.setdefault(name, {})[f"{curves} curves"] = values
    return Report(
        title="What a screen sends",
        figures=found,
        repeats=f"Medians of {times(rounds, 'window')} of {WINDOW:.0f} s, with least and most",
        tables=[
            Table(
                ["KB/s", "3 curves", "5 curves"],
                [
                    [name, *(middle(values) for values in rates.values())]
                    for name, rates in found.items()
                ],
            )
        ],
        notes=[
            f"A terminal of {SIZE[0]}×{SIZE[1]}; every curve grows by two points a second. neumf-tui shows the whole train "
            "screen, speed and time among it, LEET its run's charts and overview. With five curves, two are of validation items.",
        ],
        versions=packages_of(python, "wandb") if python else {},
    )
