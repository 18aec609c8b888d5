"""How quick the explore screen is, on a terminal of 120x40: opening it, another user's whole list after a key press, a pick.

A list is complete from the moment on which it stays as it is in the end, under its user's name. The peer is Textual's own
DataTable filled with as many rows, in a program of its own without a terminal. Medians, and 95th percentiles.
"""

import asyncio
import json
import re
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.datasets import synthetic_run
from benchmarks.recorder import PROGRAM, SIZE, Recorder
from benchmarks.report import NONE, Options, Report, Table
from benchmarks.waiting import wait_for

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
        header = next(
            (number for number, line in enumerate(right) if _HEADER.search(line)), len(right)
        )
        rows = []
        for line in right[header + 1 :]:
            if not _ROW.match(line):
                break
            rows.append(line)
        return cls(border[1][1], tuple(rows))


def rest(terminal: Recorder, history: list[tuple[float, str]]) -> None:
    """Wait until a list is shown and nothing has come for a while; what came goes to `history`."""

    def still() -> bool:
        if not terminal.alive:
            raise SystemExit(f"explore has ended; it said\n{terminal.main_text}")
        if terminal.quiet_for() < QUIET:
            return False
        history.extend(terminal.history())
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
    seconds: list[float] = []
    user = Shown.of(terminal.text).user
    while len(seconds) < count:
        history: list[tuple[float, str]] = []
        begun = time.monotonic()
        terminal.send(keys)
        wait_for(
            lambda begun=begun: (
                terminal.arrivals[-1][0] > begun or time.monotonic() > begun + PATIENCE
            ),
            "an answer",
        )
        if terminal.arrivals[-1][0] > begun:
            rest(terminal, history)
            at, final = completed(history)
            if final.user != user:  # a user drawn at random can be the same again
                seconds.append(at - begun)
            user = final.user
    return seconds, user


def check(terminal: Recorder, home: Path, run: str, user: str) -> None:
    """The list on screen is the one that `rank` prints."""
    command = [*PROGRAM, "rank", user, "--run", run, "--home", str(home), "--json", "--top", "1"]
    best = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[
        "items"
    ][0]
    shown = Shown.of(terminal.text).rows[0]
    if best["title"][:10].strip() not in shown:
        raise SystemExit(
            f"user {user}: first on screen {shown!r}, but {best['title']!r} is ranked first"
        )


def opening(home: Path, run: str) -> tuple[Recorder, float, float]:
    """An explore screen at rest, and the seconds from the start of the process to its first paint and to the whole list."""
    terminal = Recorder([*PROGRAM, "explore", run, "--home", str(home)])
    history: list[tuple[float, str]] = []
    rest(terminal, history)
    first = next(at for at, text in history if text.strip())
    at, _ = completed(history)
    return terminal, first - terminal.begun, at - terminal.begun


def trained_run(home: Path, options: Options) -> str:
    """A finished run on ML-100K, or on the demo set, under `home`; its name."""
    name = "demo" if options.quick else "ml-100k"
    if not (home / "runs" / name).exists():
        command = [
            *PROGRAM,
            "train",
            "--preset",
            "d2l",
            "--plain",
            "--dataset",
            name,
            "--home",
            str(home),
            "--name",
            name,
        ]
        if options.data_dir and not options.quick:
            command += ["--data-dir", str(options.data_dir)]
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
        (
            f"{n:,}",
            "",
            f"A title of some length {n}",
            str(1920 + n % 100),
            "Drama Comedy",
            "1.234",
            "+0.617",
            "+0.617",
            f"{n:,}",
        )
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


@dataclass(frozen=True)
class Timing:
    """What was timed, and the seconds of every time."""

    what: str
    seconds: list[float]

    def row(self) -> list[str]:
        ordered = sorted(self.seconds)
        high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        alone = len(ordered) == 1
        return [
            self.what,
            f"{1000 * statistics.median(ordered):,.0f}",
            NONE if alone else f"{1000 * high:,.0f}",
            str(len(ordered)),
        ]


def users(home: Path, run: str, films: int, presses: int, peer_repeats: int) -> list[Timing]:
    """From key press to list, against the peer, on one run."""
    terminal, _, _ = opening(home, run)
    with terminal:
        before = terminal.cpu_seconds()
        stepped, _ = press(terminal, DOWN, presses)
        spent = (terminal.cpu_seconds() - before) / presses
        drawn, user = press(terminal, "r", presses)
        check(terminal, home, run, user)
    return [
        Timing(f"next user, {films:,} films", stepped),
        Timing("– of it on the processor, all threads", [spent]),
        Timing(f"random user, {films:,} films", drawn),
        Timing(f"peer: DataTable filled with {films:,} rows", data_table(films, peer_repeats)),
    ]


def openings(home: Path, run: str, count: int) -> list[Timing]:
    first, whole = [], []
    for _ in range(count):
        terminal, painted, listed = opening(home, run)
        with terminal:
            first.append(painted)
            whole.append(listed)
    return [
        Timing(f"opening {run}: first paint", first),
        Timing(f"opening {run}: whole list", whole),
    ]


def picks(home: Path, run: str, count: int) -> list[Timing]:
    """A new user who picks one film more each time, from two on: fold-in, and the list that comes of it, without the screen."""
    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Ranker

    ranker = Ranker(home / "runs" / run, home)
    ids = [
        ranker.dataset.catalogue.item_ids[item]
        for item in (-ranker.dataset.seen_by).argsort(kind="stable")
    ]
    fitting, listing = [], []
    for number in range(2, count + 3):
        begun = time.monotonic()
        guest = Guest("newcomer", tuple(ids[: 3 * number : 3]))
        ranker.person(guest)
        fitting.append(time.monotonic() - begun)
        ranker.rank(guest)
        listing.append(time.monotonic() - begun)
    return [
        Timing("first pick, with making ready", listing[:1]),
        Timing(f"fold-in of a pick, {ranker.dataset.num_items:,} films", fitting[1:]),
        Timing("– with the list ranked anew", listing[1:]),
    ]


def run(options: Options) -> Report:
    opens, presses, films, people = (
        (1, 3, 2_000, 5_000) if options.quick else (options.rounds or 10, 30, 87_000, 330_000)
    )
    home = options.cache / ("explore-quick" if options.quick else "explore")
    name = trained_run(home, options)
    if not (home / "runs" / synthetic_run.NAME).exists():
        synthetic_run.make_home(home, films, people)
    timings = [
        *openings(home, name, opens),
        *picks(home, name, presses),
        *users(home, name, 1189 if options.quick else 1682, presses, 10),
        *users(home, synthetic_run.NAME, films, presses, 3),
    ]
    return Report(
        title="The explore screen",
        figures=[{"what": one.what, "seconds": one.seconds} for one in timings],
        repeats="Medians; every single time is in the file",
        tables=[
            Table(["", "median, ms", "95th percentile, ms", "of"], [one.row() for one in timings])
        ],
        notes=[
            f"A pseudo-terminal of {SIZE[0]}×{SIZE[1]}; from the start of the process, or the press of a key, to the whole list. "
            f"The large run is invented: {films:,} films, {people:,} users. The DataTable has no terminal to draw on.",
        ],
    )
