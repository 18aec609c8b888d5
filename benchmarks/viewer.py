"""What a viewer costs the training it watches: the same run without one and with one, on this machine, in turns.

    python benchmarks/viewer.py [--data-dir FOLDER] [--epochs 60] [--rounds 3]

The viewer has a terminal of 120x40 with 16 million colours that reads all that is sent. Speeds are the trainer's own, by epoch,
from the run's events, evaluation apart; the first epochs, during which the viewer starts, are left out.
"""

import argparse
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

from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import read_snapshot, read_status

PROGRAM = [sys.executable, "-m", "neumf_tui"]
WARM_UP = 5
"""Epochs that do not count."""


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


def speeds(home: Path, name: str, options: argparse.Namespace, watched: bool) -> list[float]:
    """Examples a second of each epoch of a fresh run."""
    data = ["--dataset", "ml-100k", "--data-dir", str(options.data_dir)] if options.data_dir else ["--dataset", "demo"]
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
        str(options.epochs),
        *data,
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    folder = home / "runs" / name
    viewer = Viewer(home, name) if watched else None
    begun = time.monotonic()
    while read_status(folder).state not in FINAL_STATES:
        time.sleep(0.5)
    seconds = time.monotonic() - begun
    if viewer is not None:
        viewer.close()
        print(f"  {viewer.received / seconds / 1000:.1f} KB/s sent to the terminal")
    status = read_status(folder)
    if status.state != "finished":
        sys.exit(f"{name} {status.state}: {status.reason}")
    return [epoch.examples_per_second for epoch in read_snapshot(folder).epochs[WARM_UP:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            # Each way is first in turn, so that a machine that slows down slows down both.
            for watched in (False, True) if number % 2 == 0 else (True, False):
                name = f"{'watched' if watched else 'alone'}-{number}"
                speed = speeds(Path(folder), name, options, watched)
                found[watched] += speed
                print(f"{name:<12}{statistics.median(speed):>14,.0f} examples/s", flush=True)
    alone, watched_speed = statistics.median(found[False]), statistics.median(found[True])
    print(f"{'alone':<12}{alone:>14,.0f} examples/s, median of {len(found[False])} epochs")
    print(f"{'watched':<12}{watched_speed:>14,.0f} examples/s")
    print(f"{'ratio':<12}{watched_speed / alone:>14.3f}")


if __name__ == "__main__":
    main()
