"""How many bytes a second a train screen sends over a slow line, compared with W&B LEET.

The run that the screens show gets two points a second in each curve. LEET shows a run of its own
with similar curves, as wandb writes them. Every terminal is 120x40, reads everything and answers
queries; counting starts when the screens have drawn themselves completely.
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
from benchmarks.program import PROGRAM
from benchmarks.pseudo_terminal import Terminal
from benchmarks.recorder import SIZE, TRUECOLOR
from benchmarks.report import Options, Report, Table, middle, times
from benchmarks.waiting import wait_for

WINDOW = 20.0
"""Seconds of a round."""
SETTLING = 12.0
"""Seconds after which a screen has drawn itself completely."""
OURS: dict[str, tuple[list[str], dict[str, str]]] = {
    "neumf-tui, 16 million colours": ([], TRUECOLOR),
    "neumf-tui, 256 colours": ([], {}),
    "neumf-tui --low-bandwidth": (["--low-bandwidth"], {}),
}
"""Flags and environment of each viewer."""
LEET = "W&B LEET, 16 million colours"
_WANDB = Path(__file__).parent / "peers" / "wandb_driver.py"


@contextmanager
def viewers(home: Path, validation: bool) -> Iterator[dict[str, Terminal]]:
    """Attach our viewers to a growing run."""
    with GrowingRun(home, validation=validation), ExitStack() as stack:
        found = {}
        for name, (flags, env) in OURS.items():
            command = [*PROGRAM, "attach", "growing", "--home", str(home), *flags]
            found[name] = stack.enter_context(Terminal(command, size=SIZE, env=env))
        for terminal in found.values():
            terminal.wait_text("growing", "● running", "q Quit")
        yield found


@contextmanager
def leet(python: Path, folder: Path, curves: int) -> Iterator[dict[str, Terminal]]:
    """Show a growing run of wandb in LEET."""
    folder.mkdir()
    command = [str(python), str(_WANDB), str(folder), str(curves)]
    writer = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def runs() -> list[Path]:
        return list(folder.glob("wandb/offline-run-*/*.wandb"))

    try:
        wait_for(lambda: bool(runs()), "a run of wandb")
        command = [str(python.with_name("wandb")), "leet", str(runs()[0])]
        env = TRUECOLOR | {"WANDB_CONFIG_DIR": str(folder)}
        with Terminal(command, size=SIZE, env=env) as terminal:
            terminal.wait_text("loss", "auc")
            yield {LEET: terminal}
    finally:
        writer.terminate()
        writer.wait()


def count(terminals: dict[str, Terminal], rounds: int) -> dict[str, list[float]]:
    """Return the kilobytes a second that each terminal is sent, in each round."""
    time.sleep(SETTLING)
    found: dict[str, list[float]] = {name: [] for name in terminals}
    for _ in range(rounds):
        before = {name: terminal.count for name, terminal in terminals.items()}
        started = time.monotonic()
        time.sleep(WINDOW)
        took = time.monotonic() - started
        for name, terminal in terminals.items():
            if not terminal.alive:
                raise SystemExit(f"{name} has ended; it said\n{terminal.main_text}")
            found[name].append((terminal.count - before[name]) / took / 1000)
    return found


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 5
    # A quick test leaves the peer out, which would have to be downloaded.
    python = None if options.quick else python_of("wandb", options.cache, torch=False)
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for curves in (3, 5):
            folder = Path(scratch) / str(curves)
            with viewers(folder, curves == 5) as terminals:
                rates = count(terminals, rounds)
            if python is not None:
                with leet(python, folder / "leet", curves) as terminals:
                    rates |= count(terminals, rounds)
            for name, values in rates.items():
                say(f"  {curves} curves: {name:<32}{middle(values)} KB/s")
                found.setdefault(name, {})[f"{curves} curves"] = values
    rows = [[name, *map(middle, rates.values())] for name, rates in found.items()]
    return Report(
        title="What a screen sends",
        figures=found,
        repeats=f"Medians of {times(rounds, 'window')} of {WINDOW:.0f} s, with least and most",
        tables=[Table(["KB/s", "3 curves", "5 curves"], rows)],
        notes=[
            f"A terminal of {SIZE[0]}×{SIZE[1]}; every curve gets two points a second. neumf-tui "
            "shows the whole train screen with speed and times, LEET its charts and overview. Of "
            "five curves, two are of validation items.",
        ],
        versions=packages_of(python, "wandb") if python else {},
    )
