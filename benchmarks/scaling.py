"""How time and memory grow with interactions, users, items and factors, on invented data in the shape of ML-20M.

Every figure is of a process of its own (benchmarks/one_epoch.py): one epoch of preset `d2l` in batches of BATCH pairs, and the
evaluation of all users. Interactions grow with the users, as they do in the releases of MovieLens, up to ML-20M's own size;
users and items grow alone, at BASE of it, and factors at a quarter of that.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import cached
from benchmarks.host import say
from benchmarks.line_charts import LineCharts, Panel, Series
from benchmarks.power_law import fit
from benchmarks.report import NONE, Options, Report, Table, middle, times

BATCH = 65_536
"""Of the deck's 1,024 an epoch would be 20,000 steps, of which each has to touch all 3 million weights."""
BASE = 1 / 16


@dataclass(frozen=True)
class Point:
    """One dataset and model."""

    sweep: str
    fraction: float
    users: float = 1.0
    films: float = 1.0
    factors: int = 10

    @property
    def changes(self) -> dict[str, Any]:
        """Layers are as wide as the embeddings, as in the deck."""
        return {
            "batch_size": BATCH,
            "embedding_size": self.factors,
            "mlp_layers": [self.factors] * 3,
        }

    def x(self, found: dict[str, Any]) -> float:
        return float(self.factors if self.sweep == "factors" else found[self.sweep])


def points(quick: bool) -> list[Point]:
    base = 1 / 128 if quick else BASE  # with less there are not ratings enough for all films
    fractions = (1 / 128, 1 / 64) if quick else (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    times = (1 / 2, 1.0, 2.0) if quick else (1 / 4, 1 / 2, 1.0, 2.0, 4.0)
    return [
        *(Point("interactions", fraction) for fraction in fractions),
        *(Point("users", base, users=k) for k in times),
        *(Point("items", base, films=k) for k in times),
        # The widest model takes a hundred times as long as the narrowest.
        *(
            Point("factors", base if quick else base / 4, factors=d)
            for d in ((8, 16, 32) if quick else (8, 16, 32, 64, 128))
        ),
    ]


def run(options: Options) -> Report:
    every = points(options.quick)
    rounds = 1 if options.quick else options.rounds or 5
    folders = {
        point: cached.prepared(options.cache, point.fraction, point.users, point.films)
        for point in every
    }
    found: dict[Point, list[dict[str, Any]]] = {point: [] for point in every}
    for _ in range(rounds):  # in turns, so that a machine that slows down slows down all
        for point in every:
            found[point].append(measured(folders[point], point))
    return report(found, rounds)


def measured(folder: Path, point: Point) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.one_epoch", str(folder), json.dumps(point.changes)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cached.ROOT)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
        )
    one: dict[str, Any] = json.loads(done.stdout)
    say(
        f"  {point.sweep} {point.x(one):>12,.0f}  train {one['train']:7.2f} s  evaluate {one['evaluate']:7.2f} s"
    )
    return one


def report(found: dict[Point, list[dict[str, Any]]], rounds: int) -> Report:
    sweeps = list(dict.fromkeys(point.sweep for point in found))
    panels = [
        panel(sweep, {point: runs for point, runs in found.items() if point.sweep == sweep})
        for sweep in sweeps
    ]
    slopes = [
        [sweep, *(one.fit.text() for one in drawn.series if one.fit)]
        for sweep, drawn in zip(sweeps, panels, strict=True)
    ]
    columns = [
        "",
        "users",
        "items",
        "interactions",
        "factors",
        "train 1 epoch, s",
        "million pairs/s",
        "evaluation, s",
    ]
    columns += ["million pairs/s", "memory, MiB", "of it own, MiB"]
    largest = max(
        (point for point in found if point.sweep == "interactions"),
        key=lambda point: point.fraction,
    )
    most = max(one["mib"]["peak"] or 0 for one in found[largest])
    threads = sorted({one["threads"] for runs in found.values() for one in runs})
    ranking = max(one["evaluation_threads"] for runs in found.values() for one in runs)
    return Report(
        title="Time and memory as the data grows",
        figures={
            "batch_size": BATCH,
            "points": [
                {"sweep": p.sweep, "fraction": p.fraction, "factors": p.factors, "runs": runs}
                for p, runs in found.items()
            ],
            "slopes": {
                sweep: {
                    one.label: {"slope": one.fit.slope, "error": one.fit.error}
                    for one in drawn.series
                    if one.fit
                }
                for sweep, drawn in zip(sweeps, panels, strict=True)
            },
        },
        repeats=f"Medians of {times(rounds, 'repeat')}, each a process of its own, with least and most",
        tables=[
            Table(columns, [row(point, runs) for point, runs in found.items()]),
            Table(["slope against", "training", "evaluation"], slopes),
        ],
        notes=[
            f"Invented data in the shape of ML-20M. Preset `d2l` with batches of {BATCH:,} pairs and layers as wide as the "
            f"embeddings, {times(threads[-1], 'thread')} for gradients and {ranking} for all else. Users, items and factors grow "
            "alone, with the interactions as they are; interactions grow together with the users.",
            "Pairs of training are positives, each with one negative; pairs of an evaluation are users × items.",
            "Slopes are of time in the logarithms (1: twice as much takes twice as long), by least squares, with standard error.",
            "Memory is the most that was resident at once, mapped files and code included, and what of it is the process's own. "
            f"The largest dataset needs {most / 1024:.1f} GiB.",
        ],
        chart=LineCharts(panels),
    )


def row(point: Point, runs: Sequence[dict[str, Any]]) -> list[str]:
    one = runs[0]

    def rate(count: int, what: str) -> str:
        return f"{statistics.median(count / run[what] for run in runs) / 1e6:.3g}"

    def memory(what: str) -> str:
        known = [run["mib"][what] for run in runs if run["mib"][what] is not None]
        return f"{statistics.median(known):,.0f}" if known else NONE

    return [
        point.sweep, f"{one['users']:,}", f"{one['items']:,}", f"{one['interactions']:,}", str(point.factors),
        middle([run["train"] for run in runs]), rate(one["pairs"], "train"),
        middle([run["evaluate"] for run in runs]), rate(one["users"] * one["items"], "evaluate"),
        memory("peak"), memory("anonymous"),
    ]  # fmt: skip


def panel(sweep: str, found: dict[Point, list[dict[str, Any]]]) -> Panel:
    xs = [point.x(runs[0]) for point, runs in found.items()]
    series = []
    for what, label in (("train", "train one epoch"), ("evaluate", "evaluate all users")):
        ys = [statistics.median(run[what] for run in runs) for runs in found.values()]
        series.append(Series(label, xs, ys, fit(xs, ys)))
    return Panel(sweep, "seconds", series)
