"""How long the program takes to say its first word: `--help`, and the first paint of its screens, against bare programs.

The peers are the least that Typer and Textual can do: an application of one command, and one with a single line on its screen.
Times are from the start of the process in a pseudo-terminal, and include that of Python.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.host import say
from benchmarks.recorder import PROGRAM, SIZE, Recorder
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


def ended(*command: str) -> float:
    """Seconds until a program in a terminal has ended."""
    begun = time.monotonic()
    with Recorder(command) as terminal:
        code = terminal.wait_exit()
        seconds = time.monotonic() - begun
        if code:
            raise SystemExit(
                f"{' '.join(command)} ended with {code} and said\n{terminal.main_text}"
            )
    return seconds


def painted(*command: str, more: float = 0.3) -> float:
    """Seconds to the first text on the full screen of a program, which is then killed."""
    with Recorder(command) as terminal:
        seconds: float = terminal.first_paint(more)
        return seconds


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 10
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        home, numbers = folder / "home", iter(range(1000))
        typer, textual = folder / "bare_typer.py", folder / "bare_textual.py"
        typer.write_text(BARE_TYPER)
        textual.write_text(BARE_TEXTUAL)
        train = [
            "train",
            "--dataset",
            "demo",
            "--preset",
            "d2l",
            "--epochs",
            "1",
            "--home",
            str(home),
            "--name",
        ]
        subprocess.run([*PROGRAM, *train, "seen", "--plain"], check=True, capture_output=True)
        timed: dict[str, Callable[[], float]] = {
            "Python alone": lambda: ended(sys.executable, "-c", "pass"),
            "bare Typer app --help": lambda: ended(sys.executable, str(typer), "--help"),
            "neumf-tui --help": lambda: ended(*PROGRAM, "--help"),
            "neumf-tui train --help": lambda: ended(*PROGRAM, "train", "--help"),
            "bare Textual app: first paint": lambda: painted(sys.executable, str(textual)),
            "neumf-tui explore: first paint": lambda: painted(
                *PROGRAM, "explore", "seen", "--home", str(home)
            ),
            "neumf-tui attach: first paint": lambda: painted(
                *PROGRAM, "attach", "seen", "--home", str(home)
            ),
            # The trainer, which outlives its screen, has ended before the next is timed.
            "neumf-tui train: first paint": lambda: painted(
                *PROGRAM, *train, f"new-{next(numbers)}", more=4
            ),
        }
        found: dict[str, list[float]] = {what: [] for what in timed}
        for number in range(rounds):  # in turns, so that a machine that slows down slows down all
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
        repeats=f"Medians of {times(rounds, 'round')}, in which all take turns, with least and most",
        tables=[Table(["", "ms"], rows)],
        notes=[
            f"A pseudo-terminal of {SIZE[0]}×{SIZE[1]}; from the start of the process to its end, or to the first text on its "
            "full screen. The bare apps are the least that Typer and Textual can do: one command; one line. `train` opens the "
            "demo set, lays out a run and starts its trainer before it paints; explore and attach open a finished run."
        ],
    )
