"""How time and memory grow with interactions, users, items and factors.

The data are synthetic, of ML-20M's shape. Every measurement is a process of its own
(benchmarks/one_epoch.py): one epoch of preset `d2l` in batches of BATCH pairs, and an evaluation of
all users. Interactions grow together with the users, as in the releases of MovieLens, up to
ML-20M's size. Users and items grow alone, at BASE of that size, and factors at a quarter of BASE.
"""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import cached
from benchmarks.host import say
from benchmarks.line_charts import LineCharts, Panel, Series
from benchmarks.power_law import fit
from benchmarks.program import output_of
from benchmarks.report import NONE, Options, Report, Table, middle, times

BATCH = 65_536
"""With the deck's 1,024 an epoch would take 20,000 steps that each update all 3 million weights."""
BASE = 1 / 16


@dataclass(frozen=True)
class Point:
    """One dataset and model."""

    sweep: str
    fraction: float
    users: float = 1.0
    items: float = 1.0
    factors: int = 10

    @property
    def changes(self) -> dict[str, Any]:
        """Settings on top of the preset; layers are as wide as the embeddings, as in the deck."""
        return {
            "batch_size": BATCH,
            "embedding_size": self.factors,
            "mlp_layers": [self.factors] * 3,
        }

    def x(self, found: dict[str, Any]) -> float:
        return float(self.factors if self.sweep == "factors" else found[self.sweep])


def points(quick: bool) -> list[Point]:
    base = 1 / 128 if quick else BASE  # smaller ones do not have a rating for every item
    fractions = (1 / 128, 1 / 64) if quick else (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
    times = (1 / 2, 1.0, 2.0) if quick else (1 / 4, 1 / 2, 1.0, 2.0, 4.0)
    return [
        *(Point("interactions", fraction) for fraction in fractions),
        *(Point("users", base, users=k) for k in times),
        *(Point("items", base, items=k) for k in times),
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
        point: cached.prepared(options.cache, point.fraction, point.users, point.items)
        for point in every
    }
    found: dict[Point, list[dict[str, Any]]] = {point: [] for point in every}
    for _ in range(rounds):  # in turns: a machine that gets slower slows all
        for point in every:
            found[point].append(measured(folders[point], point))
    return report(found, rounds)


def measured(folder: Path, point: Point) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.one_epoch", str(folder), json.dumps(point.changes)]
    one: dict[str, Any] = json.loads(output_of(command))
    say(
        f"  {point.sweep} {point.x(one):>12,.0f}  train {one['train']:7.2f} s  "
        f"evaluate {one['evaluate']:7.2f} s"
    )
    return one


COLUMNS = (
    "", "users", "items", "interactions", "factors", "train 1 epoch, s", "million pairs/s",
    "evaluation, s", "million pairs/s", "memory, MiB", "of it own, MiB",
)  # fmt: skip


def report(found: dict[Point, list[dict[str, Any]]], rounds: int) -> Report:
    panels = {
        sweep: panel(sweep, {p: runs for p, runs in found.items() if p.sweep == sweep})
        for sweep in dict.fromkeys(point.sweep for point in found)
    }
    fits = {
        sweep: {series.label: series.fit for series in drawn.series if series.fit}
        for sweep, drawn in panels.items()
    }
    points = [
        {"sweep": point.sweep, "fraction": point.fraction, "factors": point.factors, "runs": runs}
        for point, runs in found.items()
    ]
    slopes = {
        sweep: {label: {"slope": one.slope, "error": one.error} for label, one in fitted.items()}
        for sweep, fitted in fits.items()
    }
    slope_rows = [
        [sweep, *(one.text() for one in fitted.values())] for sweep, fitted in fits.items()
    ]
    return Report(
        title="Time and memory as the data grows",
        figures={"batch_size": BATCH, "points": points, "slopes": slopes},
        repeats=f"Medians of {times(rounds, 'repeat')}, each a process of its own, "
        "with least and most",
        tables=[
            Table(COLUMNS, [row(point, runs) for point, runs in found.items()]),
            Table(["slope against", "training", "evaluation"], slope_rows),
        ],
        notes=notes(found),
        chart=LineCharts(list(panels.values())),
    )


def notes(found: dict[Point, list[dict[str, Any]]]) -> list[str]:
    every = [one for runs in found.values() for one in runs]
    threads = max(one["threads"] for one in every)
    ranking = max(one["evaluation_threads"] for one in every)
    sweep = [point for point in found if point.sweep == "interactions"]
    largest = max(sweep, key=lambda point: point.fraction)
    most = max(one["mib"]["peak"] or 0 for one in found[largest])
    return [
        f"Synthetic data of ML-20M's shape. Preset `d2l` with batches of {BATCH:,} pairs and "
        f"layers as wide as the embeddings, {times(threads, 'thread')} for gradients and {ranking} "
        "for everything else. Users, items and factors grow alone while the interactions stay; "
        "interactions grow together with the users.",
        "Pairs of training are positives, each with one negative; pairs of an evaluation are "
        "users × items.",
        "Slopes are those of time in logarithms (1: twice as much takes twice as long), by least "
        "squares, with standard error.",
        "Memory is the most that was resident at once, with mapped files and code, and what of it "
        f"is the process's own. The largest dataset needs {most / 1024:.1f} GiB.",
    ]


def row(point: Point, runs: Sequence[dict[str, Any]]) -> list[str]:
    one = runs[0]

    def rate(count: int, what: str) -> str:
        return f"{statistics.median(count / run[what] for run in runs) / 1e6:.3g}"

    def memory(what: str) -> str:
        known = [run["mib"][what] for run in runs if run["mib"][what] is not None]
        return f"{statistics.median(known):,.0f}" if known else NONE

    return [
        point.sweep,
        f"{one['users']:,}",
        f"{one['items']:,}",
        f"{one['interactions']:,}",
        str(point.factors),
        middle([run["train"] for run in runs]),
        rate(one["pairs"], "train"),
        middle([run["evaluate"] for run in runs]),
        rate(one["users"] * one["items"], "evaluate"),
        memory("peak"),
        memory("anonymous"),
    ]


def panel(sweep: str, found: dict[Point, list[dict[str, Any]]]) -> Panel:
    xs = [point.x(runs[0]) for point, runs in found.items()]
    series = []
    for what, label in (("train", "train one epoch"), ("evaluate", "evaluate all users")):
        ys = [statistics.median(run[what] for run in runs) for runs in found.values()]
        series.append(Series(label, xs, ys, fit(xs, ys)))
    return Panel(sweep, "seconds", series)
