"""How quick the explore screen is, on a terminal of 120x40: opening it, another user's whole list after a key press, a pick.

    python benchmarks/explore.py [--data-dir FOLDER] [--presses 30] [--opens 10] [--films 87000] [--users 330000] [--keep HOME]

A real pseudo-terminal notes when each piece of output came; what the screen showed after each is worked out afterwards, when
nothing is being timed. A list is complete from the moment on which it stays as it is in the end, under its user's name. The peer
is Textual's own DataTable filled with as many rows, in a program of its own without a terminal. Medians, and 95th percentiles.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import synthetic

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from ptys import Terminal, wait_for

PROGRAM = [sys.executable, "-m", "neumf_tui"]
SIZE = (120, 40)
QUIET = 0.5
"""Seconds without output after which nothing more is coming; no wait inside the program is as long."""
PATIENCE = 5.0
"""Seconds after which a key press that changes nothing is given up."""
DOWN = "\x1b[B"
_USER = re.compile(r"\buser (\S+) ──")
_HEADER = re.compile(r"#.*\btitle\b")
_ROW = re.compile(r"\W*\d[\d,]*(\.5)?\s")


@dataclass(frozen=True)
class Shown:
    """What matters of a screen: whose list it is, and the list's rows as they stand."""

    user: str
    rows: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Shown":
        lines = text.split("\n")
        border = next(((line, match) for line in lines if (match := _USER.search(line))), None)
        if border is None:
            return cls("", ())
        left = border[1].start()
        right = [line[left - 2 :] for line in lines]
        header = next((number for number, line in enumerate(right) if _HEADER.search(line)), len(right))
        rows = []
        for line in right[header + 1 :]:
            if not _ROW.match(line):
                break
            rows.append(line)
        return cls(border[1][1], tuple(rows))


class Recorder(Terminal):
    """A terminal that only notes what comes and when, and draws it on demand, so that it takes no time from the program."""

    def __init__(self, command: Sequence[str]) -> None:
        self._pieces: list[tuple[float, str]] = []
        super().__init__(command, size=SIZE, env={"COLORTERM": "truecolor"})
        self.begun = time.monotonic()
        """When the program was started, but for the moment that it took to say its process id."""

    def _draw(self, text: str) -> None:
        self._pieces.append((self.arrivals[-1][0], text))

    def history(self) -> list[tuple[float, str]]:
        """When each piece came since the last call, and the screen's text after it."""
        found = []
        while self._pieces:
            at, text = self._pieces.pop(0)
            super()._draw(text)
            found.append((at, self.text if self.alternate else ""))
        return found

    def rest(self, history: list[tuple[float, str]]) -> None:
        """Wait until a list is shown and nothing has come for a while; what came goes to `history`."""

        def still() -> bool:
            if not self.alive:
                raise SystemExit(f"explore has ended; it said\n{self.main_text}")
            if time.monotonic() - (self.arrivals[-1][0] if self.arrivals else self.begun) < QUIET:
                return False
            history.extend(self.history())
            return bool(history and Shown.of(history[-1][1]).rows)

        wait_for(still, "a list")


def completed(history: list[tuple[float, str]]) -> tuple[float, Shown]:
    """When the list came to be what it is at last, and that."""
    shown = [(at, Shown.of(text)) for at, text in history]
    at, final = shown[-1]
    for earlier, before in reversed(shown):
        if before != final:
            break
        at = earlier
    return at, final


def press(terminal: Recorder, keys: str, count: int) -> tuple[list[float], str]:
    """Seconds from each of `count` key presses to the new user's whole list; and the last user."""
    seconds, user = [], Shown.of(terminal.text).user
    while len(seconds) < count:
        history: list[tuple[float, str]] = []
        begun = time.monotonic()
        terminal.send(keys)
        wait_for(lambda begun=begun: terminal.arrivals[-1][0] > begun or time.monotonic() > begun + PATIENCE, "an answer")
        if terminal.arrivals[-1][0] > begun:
            terminal.rest(history)
            at, final = completed(history)
            if final.user != user:  # a user drawn at random can be the same again
                seconds.append(at - begun)
            user = final.user
    return seconds, user


def check(terminal: Recorder, home: Path, run: str, user: str) -> None:
    """The list on screen is the one that `rank` prints."""
    command = [*PROGRAM, "rank", user, "--run", run, "--home", str(home), "--json", "--top", "1"]
    best = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["items"][0]
    shown = Shown.of(terminal.text).rows[0]
    if best["title"][:10].strip() not in shown:
        raise SystemExit(f"user {user}: first on screen {shown!r}, but {best['title']!r} is ranked first")


def opening(home: Path, run: str) -> tuple[Recorder, float, float]:
    """An explore screen at rest, and the seconds from the start of the process to its first paint and to the whole list."""
    terminal = Recorder([*PROGRAM, "explore", run, "--home", str(home)])
    history: list[tuple[float, str]] = []
    terminal.rest(history)
    first = next(at for at, text in history if text.strip())
    at, _ = completed(history)
    return terminal, first - terminal.begun, at - terminal.begun


def ml100k_run(home: Path, data_dir: Path | None) -> str:
    """A finished run on ML-100K under `home`; its name."""
    name = "ml-100k"
    if not (home / "runs" / name).exists():
        data = ["--data-dir", str(data_dir)] if data_dir else []
        command = [
            *PROGRAM,
            "train",
            "--preset",
            "d2l",
            "--plain",
            "--dataset",
            "ml-100k",
            "--home",
            str(home),
            "--name",
            name,
            *data,
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return name


def data_table(films: int, repeats: int) -> list[float]:
    """Seconds in which Textual's DataTable takes a list of `films` rows and has drawn it."""
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable

    class Peer(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable(cursor_type="row")

    rows = [
        (f"{n:,}", "", f"A title of some length {n}", str(1920 + n % 100), "Drama Comedy", "1.234", "+0.617", "+0.617", f"{n:,}")
        for n in range(films)
    ]

    async def fill() -> list[float]:
        seconds = []
        app = Peer()
        async with app.run_test(size=SIZE) as pilot:
            table = app.query_one(DataTable)
            table.add_columns("#", "", "title", "year", "genres", "score", "GMF", "MLP", "seen by")
            for _ in range(repeats):
                begun = time.monotonic()
                table.clear()
                table.add_rows(rows)
                await pilot.pause()
                seconds.append(time.monotonic() - begun)
        return seconds

    return asyncio.run(fill())


def say(what: str, seconds: list[float]) -> float:
    """Print median and 95th percentile in ms; the median in seconds."""
    ordered = sorted(seconds)
    median, high = statistics.median(ordered), ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(f"{what:<52}{1000 * median:>9,.0f} ms{1000 * high:>9,.0f} ms   of {len(ordered)}", flush=True)
    return median


def users(home: Path, run: str, films: int, presses: int, peer_repeats: int) -> None:
    """From key press to list, against the peer, on one run."""
    terminal, _, _ = opening(home, run)
    with terminal:
        before = terminal.cpu_seconds()
        stepped, _ = press(terminal, DOWN, presses)
        spent = (terminal.cpu_seconds() - before) / presses
        drawn, user = press(terminal, "r", presses)
        check(terminal, home, run, user)
    median = say(f"next user, {films:,} films", stepped)
    print(f"{'  of it on the processor, all threads':<52}{1000 * spent:>9,.0f} ms")
    say(f"random user, {films:,} films", drawn)
    peer = say(f"  peer: DataTable of {films:,} rows", data_table(films, peer_repeats))
    print(f"  next user is {peer / median:,.1f} times as fast as the peer's filling alone")


def openings(home: Path, run: str, count: int) -> None:
    first, whole = [], []
    for _ in range(count):
        terminal, painted, listed = opening(home, run)
        with terminal:
            first.append(painted)
            whole.append(listed)
    say(f"opening {run}: first paint", first)
    say(f"opening {run}: whole list", whole)


def picks(home: Path, run: str, count: int) -> None:
    """A new user who picks one film more each time, from two on: fold-in, and the list that comes of it, without the screen."""
    from neumf_tui.ranking.guests import Guest
    from neumf_tui.ranking.load import Ranker

    ranker = Ranker(home / "runs" / run, home)
    ids = [ranker.dataset.catalogue.item_ids[item] for item in (-ranker.dataset.seen_by).argsort(kind="stable")]
    fitting, listing = [], []
    for number in range(2, count + 3):
        begun = time.monotonic()
        guest = Guest("newcomer", tuple(ids[: 3 * number : 3]))
        ranker.person(guest)
        fitting.append(time.monotonic() - begun)
        ranker.rank(guest)
        listing.append(time.monotonic() - begun)
    print(f"{'first pick, with making ready':<52}{1000 * listing[0]:>9,.0f} ms")
    say(f"fold-in of a pick, {ranker.dataset.num_items:,} films", fitting[1:])
    say("  with the list ranked anew", listing[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--presses", type=int, default=30)
    parser.add_argument("--opens", type=int, default=10)
    parser.add_argument("--films", type=int, default=87_000)
    parser.add_argument("--users", type=int, default=330_000)
    parser.add_argument("--keep", type=Path, help="a home that is made once and used again")
    parser.add_argument("--only", choices=["open", "pick", "small", "big"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home: Path = options.keep or Path(scratch)
        parts: dict[str, Callable[[], None]] = {
            "open": lambda: openings(home, ml100k_run(home, options.data_dir), options.opens),
            "pick": lambda: picks(home, ml100k_run(home, options.data_dir), options.presses),
            "small": lambda: users(home, ml100k_run(home, options.data_dir), 1682, options.presses, 10),
            "big": lambda: users(home, synthetic_run(home, options.films, options.users), options.films, options.presses, 3),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                part()


def synthetic_run(home: Path, films: int, people: int) -> str:
    if not (home / "runs" / synthetic.NAME).exists():
        synthetic.make_home(home, films, people)
    return synthetic.NAME


if __name__ == "__main__":
    main()
