"""How a benchmark's figures are written: JSON with all of them, a Markdown table, and charts."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.host import Host
from neumf_tui.runs.files import replace_bytes

NONE = "–"


@dataclass(frozen=True)
class Options:
    """What the command line asks of a benchmark."""

    data_dir: Path | None
    """Of ML-100K, as for `train`."""
    cache: Path
    """What is made once and used again: environments of peers, invented data."""
    rounds: int | None = None
    """Repeats; None: the benchmark's own number."""
    quick: bool = False
    """Everything once and tiny: whether it works, not how fast it is."""
    device: str = "cuda"
    """Of `gpu`."""


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column stands left, the others right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [self.columns, ["---"] + ["---:"] * (len(self.columns) - 1), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True)
class Fit:
    """y = e^height · x^slope, by least squares in the logarithms."""

    slope: float
    error: float | None
    """Standard error of the slope; None with two points, through which the line goes."""
    height: float

    def at(self, x: float) -> float:
        return math.exp(self.height + self.slope * math.log(x))

    def text(self) -> str:
        shown = f"{self.slope:.2f}" + (f" ± {self.error:.2f}" if self.error is not None else "")
        return shown.replace("-", "−")


def fit(xs: Sequence[float], ys: Sequence[float]) -> Fit:
    """The power law through points above 0; raises ValueError where all stand at one x."""
    found = statistics.linear_regression(
        u := [math.log(x) for x in xs], v := [math.log(y) for y in ys]
    )
    if len(u) < 3:
        return Fit(found.slope, None, found.intercept)
    rest = sum((y - found.intercept - found.slope * x) ** 2 for x, y in zip(u, v, strict=True))
    spread = sum((x - statistics.fmean(u)) ** 2 for x in u)
    return Fit(found.slope, math.sqrt(rest / (len(u) - 2) / spread), found.intercept)


@dataclass(frozen=True)
class Series:
    """A line of a chart."""

    label: str
    xs: Sequence[float]
    ys: Sequence[float]
    fit: Fit | None = None


@dataclass(frozen=True)
class Chart:
    """Both axes are logarithmic."""

    x: str
    y: str
    series: Sequence[Series]


@dataclass(frozen=True)
class Report:
    """What a benchmark found."""

    title: str
    figures: Any
    """All that was measured, as plain values."""
    repeats: str
    """How often, and what of it is shown."""
    tables: Sequence[Table]
    notes: Sequence[str]
    """What stands behind the tables, a sentence or more each."""
    charts: Sequence[Chart] = ()
    """Drawn side by side."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of peers in environments of their own."""


def write(
    name: str, report: Report, host: Host, folder: Path, others: float | None = None
) -> list[Path]:
    """Write `folder`/`name`.json, .md and, where there are charts, .svg; their paths.

    others: seconds of the processor that other programs took for each second of the benchmark. Charts need matplotlib.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC).date().isoformat()
    about = {
        "benchmark": name, "command": f"python -m benchmarks {name}", "made": made, "repeats": report.repeats,
        "host": msgspec.to_builtins(host), "versions_of_peers": report.versions, "others": others, "figures": report.figures,
    }  # fmt: skip
    paths = [folder / f"{name}.json", folder / f"{name}.md"]
    replace_bytes(paths[0], msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")
    replace_bytes(paths[1], markdown(name, report, host, made, others).encode())
    if report.charts:
        from benchmarks.chart import draw

        paths.append(folder / f"{name}.svg")
        draw(report.charts, paths[-1])
    return paths


def markdown(name: str, report: Report, host: Host, made: str, others: float | None) -> str:
    versions = ", ".join(
        f"{what} {version}" for what, version in (host.versions | report.versions).items()
    )
    busy = (
        ""
        if others is None
        else "; nothing else running"
        if others < 0.05
        else f"; other programs took {others:.1f} cores"
    )
    notes = [
        *report.notes,
        f"{report.repeats}.",
        f"{made}, {host.system}, {host.processor}, {host.cores} cores, {host.memory_gib:g} GiB{busy}; {versions}. "
        f"`python -m benchmarks {name}` measures; every figure is in `{name}.json`.",
    ]
    picture = [f"![{report.title}]({name}.svg)"] if report.charts else []
    parts = [f"# {report.title}", *(table.markdown() for table in report.tables), *picture]
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)]) + "\n"


def times(count: int, what: str) -> str:
    """Such as `1 round` or `5 rounds`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def middle(values: Sequence[float], text: str = "{:.2f}") -> str:
    """The median, with the least and the most where there are several."""
    shown = text.format(statistics.median(values))
    return (
        shown
        if len(values) < 2
        else f"{shown} ({text.format(min(values))}–{text.format(max(values))})"
    )
