"""How long the program takes to start: `--help`, and the first text of its screens.

The peers are the smallest Typer and Textual programs: an app with one command, and one with a
single line on its screen. Times are from the start of the process in a pseudo-terminal and include
Python's own start.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.host import say
from benchmarks.program import PROGRAM
from benchmarks.recorder import SIZE, Recorder
from benchmarks.report import Options, Report, Table, middle, times

BARE_TYPER = """
import typer
app = typer.Typer()

@app.command()
def hello(name: str = "you"):
    print(name)

app()
"""
BARE_TEXTUAL = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("bare")

Bare().run()
"""
TRAIN = ("train", "--dataset", "demo", "--preset", "d2l", "--epochs", "1")


def until_end(*command: str) -> float:
    """Return the seconds until a program in a terminal has ended."""
    started = time.monotonic()
    with Recorder(command) as terminal:
        code = terminal.wait_exit()
        seconds = time.monotonic() - started
        if code:
            raise SystemExit(
                f"{' '.join(command)} ended with {code} and said\n{terminal.main_text}"
            )
    return seconds


def until_paint(*command: str, more: float = 0.3) -> float:
    """Return the seconds until a program's screen shows text; then end it. `more`: as there."""
    with Recorder(command) as terminal:
        return terminal.first_paint(more)


def starts(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is timed, by name; `folder` gets the bare apps and a home with one run."""
    home, numbers = str(folder / "home"), iter(range(1000))
    typer, textual = folder / "bare_typer.py", folder / "bare_textual.py"
    typer.write_text(BARE_TYPER)
    textual.write_text(BARE_TEXTUAL)
    seen = [*PROGRAM, *TRAIN, "--home", home, "--name", "seen", "--plain"]
    subprocess.run(seen, check=True, capture_output=True)

    def viewer(name: str) -> float:
        return until_paint(*PROGRAM, name, "seen", "--home", home)

    def train() -> float:
        # The trainer outlives its screen: it has ended before the next start is timed.
        name = f"new-{next(numbers)}"
        return until_paint(*PROGRAM, *TRAIN, "--home", home, "--name", name, more=4)

    return {
        "Python alone": lambda: until_end(sys.executable, "-c", "pass"),
        "bare Typer app --help": lambda: until_end(sys.executable, str(typer), "--help"),
        "neumf-tui --help": lambda: until_end(*PROGRAM, "--help"),
        "neumf-tui train --help": lambda: until_end(*PROGRAM, "train", "--help"),
        "bare Textual app: first paint": lambda: until_paint(sys.executable, str(textual)),
        "neumf-tui explore: first paint": lambda: viewer("explore"),
        "neumf-tui attach: first paint": lambda: viewer("attach"),
        "neumf-tui train: first paint": train,
    }


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 10
    with tempfile.TemporaryDirectory() as scratch:
        timed = starts(Path(scratch))
        found: dict[str, list[float]] = {what: [] for what in timed}
        for number in range(rounds):  # in turns: a machine that gets slower slows all
            for what, call in timed.items():
                found[what].append(call())
            say(f"  round {number + 1} of {rounds}")
    rows = [
        [what, middle([1000 * one for one in seconds], "{:,.0f}")]
        for what, seconds in found.items()
    ]
    return Report(
        title="Starting",
        figures=found,
        repeats=f"Medians of {times(rounds, 'round')} in which all take turns, with least and most",
        tables=[Table(["", "ms"], rows)],
        notes=[
            f"A pseudo-terminal of {SIZE[0]}×{SIZE[1]}; from the start of the process to its end, "
            "or to the first text on its full screen. The bare apps are the smallest that Typer "
            "and Textual can do: one command; one line. `train` opens the demo dataset, creates a "
            "run and starts its trainer before it paints; explore and attach open a finished run."
        ],
    )
