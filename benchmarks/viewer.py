"""How much a viewer slows down training: the same run with and without one, in turns.

The viewer has a terminal of 120x40 with 16 million colours that reads everything. Speeds are those
that the trainer reports for each epoch, without evaluations. The first quarter of the epochs, in
which the viewer starts, is left out.
"""

import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.host import say
from benchmarks.program import PROGRAM, data_flags
from benchmarks.recorder import Recorder
from benchmarks.report import Options, Report, Table, middle, times
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_snapshot, read_status

SECONDS = 20.0
"""Approximate duration of each run."""
WARM_UP = 20
"""Epochs of a run that tells how many fill that time."""


def train(home: Path, name: str, options: Options, epochs: int, watched: bool) -> dict[str, Any]:
    """Train a new run; return its speeds, its pace, and what a viewer was sent."""
    command = [*PROGRAM, "train", "--preset", "d2l", "--detach", "--epochs", str(epochs)]
    command += ["--home", str(home), "--name", name, *data_flags(options)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    folder = home / "runs" / name
    sent = None
    with ExitStack() as stack:
        if watched:
            viewer = Recorder([*PROGRAM, "attach", name, "--home", str(home)])
            stack.enter_context(viewer)
        started = time.monotonic()
        while read_status(folder).state not in FINAL_STATES:
            time.sleep(0.2)
        seconds = time.monotonic() - started
        if watched:
            sent = viewer.count / seconds / 1000
    status = read_status(folder)
    if status.state != "finished":
        raise SystemExit(f"{name} {status.state}: {status.reason}")
    done = read_snapshot(folder).epochs
    speeds = [epoch.examples_per_second for epoch in done[epochs // 4 :]]
    pace = (done[-1].t - done[0].t) / (len(done) - 1)
    say(f"  {name:<12}{statistics.median(speeds):>14,.0f} examples/s, {seconds:.1f} s")
    return {"examples_per_second": speeds, "seconds_an_epoch": pace, "kb_per_second": sent}


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 5
    found: dict[str, list[dict[str, Any]]] = {"alone": [], "watched": []}
    with tempfile.TemporaryDirectory() as folder:
        home, epochs = Path(folder), WARM_UP
        if not options.quick:
            first = train(home, "first", options, WARM_UP, False)
            epochs = max(WARM_UP, round(SECONDS / first["seconds_an_epoch"]))
        for number in range(rounds):
            # They take turns to be first, so that a machine that gets slower slows both.
            for way in list(found)[:: 1 if number % 2 == 0 else -1]:
                one = train(home, f"{way}-{number}", options, epochs, way == "watched")
                found[way].append(one)
    medians = {
        way: [statistics.median(one["examples_per_second"]) for one in runs]
        for way, runs in found.items()
    }
    pairs = zip(medians["alone"], medians["watched"], strict=True)
    shares = [watched / alone for alone, watched in pairs]
    sent = [one["kb_per_second"] for one in found["watched"]]
    rows = [
        ["alone, examples/s", middle(medians["alone"], "{:,.0f}")],
        ["watched, examples/s", middle(medians["watched"], "{:,.0f}")],
        ["watched / alone", middle(shares, "{:.3f}")],
        ["sent to the terminal, KB/s", middle(sent, "{:.2f}")],
    ]
    return Report(
        title="How much a viewer slows down training",
        figures={"epochs": epochs, "runs": found, "watched_to_alone": shares},
        repeats=f"Medians of {times(rounds, 'round')}, with least and most; in each round both "
        "take turns, and the median of the epochs counts",
        tables=[Table(["", "median"], rows)],
        notes=[
            f"Preset `d2l`, {epochs} epochs with an evaluation and a checkpoint after each, on "
            f"{'the demo dataset' if options.quick else 'ML-100K'}. The viewer has a terminal of "
            "120×40 with 16 million colours. The first quarter of the epochs, in which it starts, "
            "is left out."
        ],
    )
