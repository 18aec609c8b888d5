"""How fast the explore screen is: opening it, another user's list after a key press, a pick.

And how much memory it takes.

It runs on a terminal of 120x40. A list is complete at the moment from which it stays as it is at
the end, under its user's name. The peer is Textual's own DataTable filled with as many rows, in a
program without a terminal.
"""

import asyncio
import itertools
import json
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.datasets import synthetic_run
from benchmarks.program import Program, data_flags, dataset_name, programs
from benchmarks.recorder import SIZE, Recorder
from benchmarks.report import NONE, Options, Report, Table
from benchmarks.waiting import wait_for

QUIET = 0.5
"""Seconds without output after which the screen is complete; the program never waits as long."""
PATIENCE = 5.0
"""Seconds to wait for the answer to a key press, which may change nothing."""
DOWN = "\x1b[B"
_USER = re.compile(r"\buser (\S+) ──")
_HEADER = re.compile(r"#.*\btitle\b")
_ROW = re.compile(r"\W*\d[\d,]*(\.5)?\s")


@dataclass(frozen=True)
class Shown:
    """The user whose list is on the screen, and the rows of the list."""

    user: str
    rows: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "Shown":
        lines = text.split("\n")
        border = next((match for line in lines if (match := _USER.search(line))), None)
        if border is None:
            return cls("", ())
        right = [line[border.start() - 2 :] for line in lines]
        headers = (number for number, line in enumerate(right) if _HEADER.search(line))
        below = right[next(headers, len(right)) + 1 :]
        return cls(border[1], tuple(itertools.takewhile(_ROW.match, below)))


def wait_complete(terminal: Recorder, history: list[tuple[float, str]]) -> None:
    """Wait until a list is shown and the output has stopped; add the output to `history`."""

    def still() -> bool:
        if not terminal.alive:
            raise SystemExit(f"explore has ended; it said\n{terminal.main_text}")
        if terminal.quiet_for() < QUIET:
            return False
        history.extend(terminal.history())
        return bool(history and Shown.of(history[-1][1]).rows)

    wait_for(still, "a list")


def completed(history: list[tuple[float, str]]) -> tuple[float, Shown]:
    """Return the time from which on the list did not change, and the list."""
    shown = [(at, Shown.of(text)) for at, text in history]
    at, final = shown[-1]
    for earlier, before in reversed(shown):
        if before != final:
            break
        at = earlier
    return at, final


def press(terminal: Recorder, keys: str, count: int) -> tuple[list[float], str]:
    """Press keys until `count` presses have shown another user.

    Returns the seconds from each of them to the whole list, and the last user.
    """
    seconds: list[float] = []
    user = Shown.of(terminal.text).user
    while len(seconds) < count:
        history: list[tuple[float, str]] = []
        started = time.monotonic()
        terminal.send(keys)
        while terminal.arrivals[-1][0] <= started and time.monotonic() < started + PATIENCE:
            time.sleep(0.01)
        if terminal.arrivals[-1][0] > started:
            wait_complete(terminal, history)
            at, final = completed(history)
            if final.user != user:  # a user drawn at random can be the same again
                seconds.append(at - started)
            user = final.user
    return seconds, user


@dataclass(frozen=True)
class Subject:
    """A program, and the home with its runs, which an earlier program may be unable to share."""

    program: Program
    home: Path

    def open(self, run: str) -> tuple[Recorder, float, float]:
        """Open the explore screen and wait until it is complete.

        Returns the terminal, and the seconds from the start of the process to the first text and
        to the whole list.
        """
        command = [*self.program.command, "explore", run, "--home", str(self.home)]
        terminal = Recorder(command, self.program.env)
        history: list[tuple[float, str]] = []
        wait_complete(terminal, history)
        first = next(at for at, text in history if text.strip())
        at, _ = completed(history)
        return terminal, first - terminal.started, at - terminal.started

    def make_runs(self, options: Options, num_items: int, num_users: int) -> None:
        """Train a run named as its dataset, and make the synthetic one, unless they exist."""
        name, home = dataset_name(options), str(self.home)
        if not (self.home / "runs" / name).exists():
            flags = ["--preset", "d2l", "--plain", "--home", home, "--name", name]
            self.program.run("train", *flags, *data_flags(options))
        if not (self.home / "runs" / synthetic_run.NAME).exists():
            sizes = ["--items", str(num_items), "--users", str(num_users)]
            self.program.run(home, *sizes, module="benchmarks.datasets.synthetic_run")

    def check(self, terminal: Recorder, run: str, user: str) -> None:
        """Raise SystemExit unless the first item on screen is the one that `rank` prints."""
        where = ["--run", run, "--home", str(self.home)]
        best = json.loads(self.program.run("rank", user, *where, "--json", "--top", "1"))["items"][
            0
        ]
        shown = Shown.of(terminal.text).rows[0]
        if best["title"][:10].strip() not in shown:
            raise SystemExit(
                f"user {user}: first on screen {shown!r}, but {best['title']!r} is ranked first"
            )


def subjects(options: Options) -> list[Subject]:
    name = "explore-quick" if options.quick else "explore"
    ends = ("", "-before")
    found = zip(programs(options), ends, strict=False)
    return [Subject(program, options.cache / f"{name}{end}") for program, end in found]


def data_table(count: int, repeats: int) -> list[float]:
    """Return the seconds in which Textual's DataTable takes `count` rows and draws them."""
    from textual.app import App, ComposeResult
    from textual.widgets import DataTable

    class Peer(App[None]):
        def compose(self) -> ComposeResult:
            yield DataTable(cursor_type="row")

    fixed = ("Drama Comedy", "1.234", "+0.617", "+0.617")
    rows = [
        (f"{n:,}", "", f"A title of some length {n}", str(1920 + n % 100), *fixed, f"{n:,}")
        for n in range(count)
    ]

    async def fill() -> list[float]:
        seconds = []
        app = Peer()
        async with app.run_test(size=SIZE) as pilot:
            table = app.query_one(DataTable)
            table.add_columns("#", "", "title", "year", "genres", "score", "GMF", "MLP", "seen by")
            for _ in range(repeats):
                started = time.monotonic()
                table.clear()
                table.add_rows(rows)
                await pilot.pause()
                seconds.append(time.monotonic() - started)
        return seconds

    return asyncio.run(fill())


@dataclass(frozen=True)
class Timing:
    """A name, and the seconds of each repeat."""

    what: str
    seconds: list[float]

    def row(self) -> list[str]:
        ordered = sorted(self.seconds)
        high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        return [
            self.what,
            f"{1000 * statistics.median(ordered):,.0f}",
            NONE if len(ordered) == 1 else f"{1000 * high:,.0f}",
            str(len(ordered)),
        ]


def users(one: Subject, run: str, num_items: int, presses: int) -> list[Timing]:
    """Time other users' lists after key presses."""
    terminal, _, _ = one.open(run)
    with terminal:
        before = terminal.cpu_seconds()
        stepped, _ = press(terminal, DOWN, presses)
        spent = (terminal.cpu_seconds() - before) / presses
        drawn, user = press(terminal, "r", presses)
        one.check(terminal, run, user)
    label = one.program.label
    return [
        Timing(f"next user, {num_items:,} items{label}", stepped),
        Timing(f"– its processor time, all threads{label}", [spent]),
        Timing(f"random user, {num_items:,} items{label}", drawn),
    ]


def peer(num_items: int, repeats: int) -> Timing:
    what = f"peer: DataTable filled with {num_items:,} rows"
    return Timing(what, data_table(num_items, repeats))


@dataclass(frozen=True)
class Opened:
    """What was measured of one opening."""

    first: float
    """Seconds to the first text."""
    whole: float
    """Seconds to the whole list."""
    processor: float
    """Seconds of processor time of all threads, a second after the list at most."""
    own: float
    """Bytes of memory that no other process shares."""
    resident: float
    """Bytes of memory with shared libraries and mapped files."""


def openings(found: list[Subject], run: str, count: int) -> list[tuple[Subject, list[Opened]]]:
    """Open the screen of every program in turns; the first round, which compiles, is left out."""
    opened: list[tuple[Subject, list[Opened]]] = [(one, []) for one in found]
    for number in range(count + 1):
        for one, results in opened:
            terminal, first, whole = one.open(run)
            with terminal:
                memory = psutil.Process(terminal.pid).memory_full_info()
                spent = terminal.cpu_seconds()
            if number:
                results.append(Opened(first, whole, spent, memory.uss, memory.rss))
    return opened


TIMES: dict[str, Callable[[Opened], float]] = {
    "first paint": lambda one: one.first,
    "whole list": lambda one: one.whole,
    "processor time": lambda one: one.processor,
}
MEMORY: dict[str, Callable[[Opened], float]] = {
    "own memory": lambda one: one.own,
    "resident memory": lambda one: one.resident,
}


def opening_times(opened: list[tuple[Subject, list[Opened]]], run: str) -> list[Timing]:
    return [
        Timing(f"opening {run}: {what}{one.program.label}", [value(each) for each in results])
        for what, value in TIMES.items()
        for one, results in opened
    ]


def memory_rows(opened: list[tuple[Subject, list[Opened]]], run: str) -> list[list[str]]:
    return [
        [
            f"{run}: {what}{one.program.label}",
            f"{statistics.median(value(each) for each in results) / 2**20:,.0f}",
        ]
        for what, value in MEMORY.items()
        for one, results in opened
    ]


def picks(home: Path, run: str, count: int) -> list[Timing]:
    """Time a new user's picks without the screen: fold-in, and the new list.

    The user starts with two items and picks one more each time.
    """
    from neumf_tui.explore.guests import Guest
    from neumf_tui.explore.ranker import Ranker

    ranker = Ranker(home / "runs" / run, home)
    popular = (-ranker.dataset.seen_by).argsort(kind="stable")
    ids = [ranker.dataset.catalogue.item_ids[item] for item in popular]
    fitting, listing = [], []
    for number in range(2, count + 3):
        started = time.monotonic()
        guest = Guest("newcomer", tuple(ids[: 3 * number : 3]))
        ranker.person(guest)
        fitting.append(time.monotonic() - started)
        ranker.rank(guest)
        listing.append(time.monotonic() - started)
    return [
        Timing("first pick, with its preparation", listing[:1]),
        Timing(f"fold-in of a pick, {ranker.dataset.num_items:,} items", fitting[1:]),
        Timing("– with the new list", listing[1:]),
    ]


def run(options: Options) -> Report:
    opens, presses, num_items, num_users = 1, 3, 2_000, 5_000
    if not options.quick:
        opens, presses, num_items, num_users = options.rounds or 10, 30, 87_000, 330_000
    found = subjects(options)
    for one in found:
        one.make_runs(options, num_items, num_users)
    name, few_items = dataset_name(options), 1189 if options.quick else 1682
    opened = {run: openings(found, run, opens) for run in (name, synthetic_run.NAME)}
    timings = [
        *(row for run, results in opened.items() for row in opening_times(results, run)),
        *picks(found[0].home, name, presses),
        *(row for one in found for row in users(one, name, few_items, presses)),
        peer(few_items, 10),
        *(row for one in found for row in users(one, synthetic_run.NAME, num_items, presses)),
        peer(num_items, 3),
    ]
    columns = ["", "median, ms", "95th percentile, ms", "repeats"]
    memory = [row for run, results in opened.items() for row in memory_rows(results, run)]
    return Report(
        title="The explore screen",
        figures={
            "seconds": [{"what": one.what, "seconds": one.seconds} for one in timings],
            "bytes": [
                {
                    "what": f"{run}: {what}{one.program.label}",
                    "bytes": [value(each) for each in results],
                }
                for run, measured in opened.items()
                for what, value in MEMORY.items()
                for one, results in measured
            ],
        },
        repeats="Medians; each repeat is in the file",
        tables=[
            Table(columns, [one.row() for one in timings]),
            Table(["", "median, MiB"], memory),
        ],
        notes=[
            f"A pseudo-terminal of {SIZE[0]}×{SIZE[1]}; from the start of the process, or the "
            "press of a key, to the whole list. The large run is synthetic: "
            f"{num_items:,} items, {num_users:,} users. The DataTable has no terminal to draw on.",
            "Memory with one model open, half a second after its list: own is what no other "
            "process shares; resident has shared libraries and mapped files, too.",
        ],
    )
