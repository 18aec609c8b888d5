"""How long the program takes to start: `--help`, the first text of its screens, one user's list.

The peers are the smallest Typer and Textual programs: an app with one command, and one with a
single line on its screen. Times are from the start of the process in a pseudo-terminal and include
Python's own start.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.host import say
from benchmarks.program import Program, data_flags, dataset_name, programs
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


def until_end(*command: str, env: Mapping[str, str] | None = None) -> float:
    """Return the seconds until a program in a terminal has ended."""
    started = time.monotonic()
    with Recorder(command, env) as terminal:
        code = terminal.wait_exit()
        seconds = time.monotonic() - started
        if code:
            raise SystemExit(
                f"{' '.join(command)} ended with {code} and said\n{terminal.main_text}"
            )
    return seconds


def until_paint(*command: str, env: Mapping[str, str] | None = None, more: float = 0.3) -> float:
    """Return the seconds until a program's screen shows text; then end it. `more`: as there."""
    with Recorder(command, env) as terminal:
        return terminal.first_paint(more)


def bare(folder: Path) -> dict[str, Callable[[], float]]:
    """Return what is timed of the peers, by name; `folder` gets their files."""
    typer, textual = folder / "bare_typer.py", folder / "bare_textual.py"
    typer.write_text(BARE_TYPER)
    textual.write_text(BARE_TEXTUAL)
    return {
        "Python alone": lambda: until_end(sys.executable, "-c", "pass"),
        "bare Typer app --help": lambda: until_end(sys.executable, str(typer), "--help"),
        "bare Textual app: first paint": lambda: until_paint(sys.executable, str(textual)),
    }


def starts(program: Program, folder: Path, options: Options) -> dict[str, Callable[[], float]]:
    """Return what is timed of a program, by name; `folder` becomes a home with two runs."""
    home, numbers = ("--home", str(folder)), iter(range(1000))
    program.run(*TRAIN, *home, "--name", "seen", "--plain")
    flags = ["--preset", "d2l", "--plain", "--name", "ranked", *data_flags(options)]
    program.run("train", *flags, *home)
    user = "sim-001" if options.quick else "196"

    def ends(*arguments: str) -> Callable[[], float]:
        return lambda: until_end(*program.command, *arguments, env=program.env)

    def paints(*arguments: str) -> Callable[[], float]:
        return lambda: until_paint(*program.command, *arguments, *home, env=program.env)

    def train() -> float:
        # The trainer outlives its screen: it has ended before the next start is timed.
        command = [*program.command, *TRAIN, *home, "--name", f"new-{next(numbers)}"]
        return until_paint(*command, env=program.env, more=4)

    timed = {
        "neumf-tui --help": ends("--help"),
        "neumf-tui train --help": ends("train", "--help"),
        "neumf-tui runs --plain": ends("runs", "--plain", *home),
        f"neumf-tui rank {user}": ends("rank", user, "--run", "ranked", *home),
        "neumf-tui explore: first paint": paints("explore", "seen"),
        "neumf-tui attach: first paint": paints("attach", "seen"),
        "neumf-tui train: first paint": train,
    }
    return {f"{what}{program.label}": call for what, call in timed.items()}


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 10
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        timed = bare(folder)
        for program in programs(options):
            timed |= starts(program, folder / f"home{program.label}", options)
        found: dict[str, list[float]] = {what: [] for what in timed}
        for number in range(rounds + 1):  # in turns: a machine that gets slower slows all
            for what, call in timed.items():
                seconds = call()
                if number:  # in round 0 modules are compiled
                    found[what].append(seconds)
            say(f"  round {number} of {rounds}")
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
            "run and starts its trainer before it paints; explore and attach open a finished run. "
            f"`rank` prints a list of {dataset_name(options)}."
        ],
    )
