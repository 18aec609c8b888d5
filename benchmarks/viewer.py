"""What a viewer costs the training it watches: the same run without one and with one, on this machine, in turns.

The viewer has a terminal of 120x40 with 16 million colours that reads all that is sent. Speeds are the trainer's own, by epoch,
from the run's events, evaluation apart; the first quarter of the epochs, during which the viewer starts, is left out.
"""

import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.host import say
from benchmarks.report import Options, Report, Table, middle, times
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_snapshot, read_status

PROGRAM = [sys.executable, "-m", "neumf_tui"]
SECONDS = 20.0
"""About as long each run takes."""


class Viewer:
    """`neumf-tui attach` in a terminal that reads."""

    def __init__(self, home: Path, name: str) -> None:
        self.received = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        self._process = subprocess.Popen(
            [*PROGRAM, "attach", name, "--home", str(home)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=env,
            start_new_session=True,
        )
        os.close(slave)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return  # the viewer has gone
            self.received += len(data)
            if data.endswith(b"\x1b[c"):
                os.write(self._master, b"\x1b[?62;22c")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        os.close(self._master)


def trained(home: Path, name: str, options: Options, epochs: int, watched: bool) -> dict[str, Any]:
    """A fresh run: examples a second of its later epochs, seconds in all, and KB/s that a viewer was sent."""
    command = [
        *PROGRAM,
        "train",
        "--preset",
        "d2l",
        "--detach",
        "--home",
        str(home),
        "--name",
        name,
        "--epochs",
        str(epochs),
    ]
    command += ["--dataset", "demo"] if options.quick else ["--dataset", "ml-100k"]
    if options.data_dir and not options.quick:
        command += ["--data-dir", str(options.data_dir)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    folder = home / "runs" / name
    viewer = Viewer(home, name) if watched else None
    begun = time.monotonic()
    while read_status(folder).state not in FINAL_STATES:
        time.sleep(0.2)
    seconds = time.monotonic() - begun
    if viewer is not None:
        viewer.close()
    status = read_status(folder)
    if status.state != "finished":
        raise SystemExit(f"{name} {status.state}: {status.reason}")
    done = read_snapshot(folder).epochs
    speeds = [epoch.examples_per_second for epoch in done[epochs // 4 :]]
    pace = (done[-1].t - done[0].t) / (len(done) - 1)
    say(f"  {name:<12}{statistics.median(speeds):>14,.0f} examples/s, {seconds:.1f} s")
    sent = viewer.received / seconds / 1000 if viewer else None
    return {"examples_per_second": speeds, "seconds_an_epoch": pace, "kb_per_second": sent}


def run(options: Options) -> Report:
    rounds = 1 if options.quick else options.rounds or 5
    found: dict[str, list[dict[str, Any]]] = {"alone": [], "watched": []}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        epochs = (
            20
            if options.quick
            else max(
                20, round(SECONDS / trained(home, "first", options, 20, False)["seconds_an_epoch"])
            )
        )
        for number in range(rounds):
            # Each way is first in turn, so that a machine that slows down slows down both.
            for way in ("alone", "watched") if number % 2 == 0 else ("watched", "alone"):
                found[way].append(
                    trained(home, f"{way}-{number}", options, epochs, way == "watched")
                )
    middles = {
        way: [statistics.median(one["examples_per_second"]) for one in runs]
        for way, runs in found.items()
    }
    shares = [
        watched / alone for alone, watched in zip(middles["alone"], middles["watched"], strict=True)
    ]
    sent = [one["kb_per_second"] for one in found["watched"]]
    rows = [
        ["alone, examples/s", middle(middles["alone"], "{:,.0f}")],
        ["watched, examples/s", middle(middles["watched"], "{:,.0f}")],
        ["watched / alone", middle(shares, "{:.3f}")],
        ["sent to the terminal, KB/s", middle(sent, "{:.2f}")],
    ]
    return Report(
        title="What a viewer costs the training",
        figures={"epochs": epochs, "runs": found, "watched_to_alone": shares},
        repeats=f"Medians of {times(rounds, 'round')}, both in turns, with least and most; of a round its epochs' median",
        tables=[Table(["", "median"], rows)],
        notes=[
            f"Preset `d2l`, {epochs} epochs with an evaluation and a checkpoint after each, on "
            f"{'demo' if options.quick else 'ML-100K'}; the viewer has a terminal of 120×40 with 16 million colours. The first "
            "quarter of the epochs, during which it starts, is left out."
        ],
    )
