"""What a benchmark returns, and how it is written: JSON, a Markdown page and a chart."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from benchmarks.host import Host
from neumf_tui import files

NONE = "–"


@dataclass(frozen=True)
class Options:
    """What the command line asks of a benchmark."""

    data_dir: Path | None
    """The folder of ML-100K, as for `train`."""
    cache: Path
    """The folder for what is made once and used again: environments of peers, synthetic data."""
    rounds: int | None = None
    """Number of repeats or seeds; None: the benchmark's own number."""
    minutes: float | None = None
    """For `soak`: its duration; None: its own."""
    quick: bool = False
    """Do everything once and on small data: test whether it works, not how fast it is."""
    device: str = "cuda"
    """For `gpu`."""
    only: tuple[str, ...] = ()
    """For `quality` and `ablation`: the rows to measure; empty: all."""
    keep: Path | None = None
    """For `quality` and `ablation`: the folder that keeps finished runs."""
    before: Path | None = None
    """For `explore` and `startup`: the folder of an earlier state of the program."""


@dataclass(frozen=True)
class Table:
    """Cells are text; the first column is aligned left, the others right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        lines = [self.columns, ["---"] + ["---:"] * (len(self.columns) - 1), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class Chart(Protocol):
    """A chart that can be saved; needs matplotlib."""

    def save(self, path: Path) -> None: ...


@dataclass(frozen=True)
class Report:
    """The result of a benchmark."""

    title: str
    figures: Any
    """All measurements, as values that JSON can hold."""
    repeats: str
    """How often was measured, and which statistic is shown."""
    tables: Sequence[Table]
    notes: Sequence[str]
    """What a reader must know of the tables, one or more sentences each."""
    chart: Chart | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of packages besides those of `Host`, such as peers in their own environments."""


def write(
    name: str, report: Report, host: Host, folder: Path, others: float | None = None
) -> list[Path]:
    """Write `name`.json, `name`.md and, if there is a chart, `name`.svg; return their paths.

    others: number of cores that other programs took while the benchmark ran; None if unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = datetime.now(UTC).date().isoformat()
    about = {
        "benchmark": name,
        "command": f"python -m benchmarks {name}",
        "made": made,
        "repeats": report.repeats,
        "host": host,
        "versions_of_peers": report.versions,
        "others": others,
        "figures": report.figures,
    }
    paths = [folder / f"{name}.json", folder / f"{name}.md"]
    files.replace(
        folder, paths[0].name, msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n"
    )
    files.replace(folder, paths[1].name, markdown(name, report, host, made, others).encode())
    if report.chart:
        paths.append(folder / f"{name}.svg")
        report.chart.save(paths[-1])
    return paths


def markdown(name: str, report: Report, host: Host, made: str, others: float | None) -> str:
    """Return the page: title, tables, chart, notes."""
    versions = dict(host.versions) | dict(report.versions)
    busy = ""
    if others is not None:
        busy = (
            "; nothing else running"
            if others < 0.05
            else f"; other programs took {others:.1f} cores"
        )
    notes = [
        *report.notes,
        f"{report.repeats}.",
        f"{made}, {host.system}, {host.processor}, {host.cores} cores, {host.memory_gib:g} GiB"
        f"{busy}; {', '.join(f'{what} {version}' for what, version in versions.items())}. "
        f"`python -m benchmarks {name}` measures; every figure is in `{name}.json`.",
    ]
    parts = [f"# {report.title}", *(table.markdown() for table in report.tables)]
    if report.chart:
        parts.append(f"![{report.title}]({name}.svg)")
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)]) + "\n"


def copy_into(page: str, name: str, result: str) -> str:
    """Return `page` with a result's tables and notes between its marks.

    The marks are <!-- name:begin --> and <!-- name:end -->. `result` is the text of `name`.md; its
    title and chart are left out. Raises ValueError if `page` does not have each mark once.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(
            f"expected one {begin} and after it one {end}; add them where the table goes"
        )
    parts = [part for part in result.strip().split("\n\n") if not part.startswith(("# ", "!["))]
    before, _, rest = page.partition(begin)
    return "\n\n".join([before + begin, *parts, end + rest.partition(end)[2]])


def times(count: int, what: str) -> str:
    """Return such as `1 round` or `5 rounds`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def middle(values: Sequence[float], text: str = "{:.2f}") -> str:
    """Return the median, and if there are several values the least and the most of them."""
    shown = text.format(statistics.median(values))
    if len(values) < 2:
        return shown
    return f"{shown} ({text.format(min(values))}–{text.format(max(values))})"
