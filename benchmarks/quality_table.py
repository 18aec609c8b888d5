"""What `python -m benchmarks.quality` measured: its form as JSON, its means, and the Markdown table made of them."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.host import Host
from neumf_tui.settings import flag_of

METRICS = {"hit@10": "Hit@10", "hit@50": "Hit@50", "ndcg@10": "NDCG@10", "auc": "AUC"}
CHOOSING = "hit@50"
"""The metric of the validation items by which epochs and settings are chosen."""
NONE = "–"
Z = statistics.NormalDist().inv_cdf(0.975)


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Wall time but for `cpu`."""

    work: float
    """Training and all evaluations; of a baseline fitting once, with the settings chosen, and ranking."""
    process: float
    """The whole command, Python's start and the choosing of a baseline's settings in it."""
    cpu: float
    """What the command took of all cores together."""
    others: float
    """What other programs took of the same cores in the meantime: near 0 where the times can be trusted."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One command and what it reached."""

    seed: int | None
    """None where the model is fitted from no seed of ours."""
    heldout: dict[str, float]
    interval: tuple[float, float]
    """95 % interval over users of the held-out Hit@50."""
    validation: dict[str, float] | None
    epoch: int | None
    """The one whose figures these are; None where there are no epochs."""
    seconds: Seconds
    against: dict[str, tuple[float, float, float]] = {}
    """Held-out Hit@50 less that of each baseline on the same users, and the ends of its 95 % interval over them."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A model with fixed settings, and its runs."""

    name: str
    kind: str
    """preset, baseline, or change (of a preset)."""
    title: str
    settings: dict[str, Any]
    """Of a preset all but the seed, of a baseline those chosen on the validation items, of a change what differs."""
    flattered: bool
    """Whether held-out items were kept out of the negatives."""
    runs: list[Run]


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """All that a table is made of. In that of an ablation the first row is the preset that the others change."""

    table: str
    """quality or ablation."""
    made: str
    """Date, UTC."""
    dataset: str
    fingerprint: str
    num_users: int
    num_items: int
    num_train: int
    num_heldout: int
    protocol: dict[str, str]
    host: Host
    rows: list[Row]


class Mean(msgspec.Struct, frozen=True):
    """Mean and standard deviation (n − 1) over runs; no deviation for a single one."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Mean":
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    def text(self, digits: int, sign: str = "-") -> str:
        """Such as 0.412 ± 0.006; with `sign` + also +0.006 ± 0.002."""
        shown = f"{self.mean:{sign}.{digits}f}".replace("-", "−")
        return shown if self.deviation is None else f"{shown} ± {self.deviation:.{digits}f}"


def read_results(path: Path) -> Results:
    """Raises OSError, or msgspec.DecodeError for a file that has not this form."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def metric(row: Row, fold: str, key: str) -> Mean | None:
    """Over the row's runs; `fold` is heldout or validation, None where a run has no such items."""
    figures = [run.heldout if fold == "heldout" else run.validation for run in row.runs]
    known = [one[key] for one in figures if one is not None]
    return Mean.of(known) if len(known) == len(figures) else None


def change(row: Row, base: Row) -> Mean | None:
    """Validation Hit@50 less that of `base`, seed by seed; None where they share no seed or have no validation."""
    before = {run.seed: run.validation[CHOOSING] for run in base.runs if run.validation}
    pairs = [
        run.validation[CHOOSING] - before[run.seed]
        for run in row.runs
        if run.validation and run.seed in before
    ]
    return Mean.of(pairs) if pairs else None


def noise(rows: Sequence[Row]) -> float | None:
    """How far two means of validation Hit@50 lie apart by their seeds alone in at most 95 % of cases.

    The variance of one seed is that of all rows together (each about its own mean); None where no row has two seeds.
    """
    values = [[run.validation[CHOOSING] for run in row.runs if run.validation] for row in rows]
    several = [one for one in values if len(one) > 1]
    if not several:
        return None
    freedom = sum(len(one) - 1 for one in several)
    variance = sum(statistics.variance(one) * (len(one) - 1) for one in several) / freedom
    seeds = min(len(one) for one in several)
    return Z * math.sqrt(2 * variance / seeds)


def ordered(results: Results) -> list[Row]:
    """As they stand in the table: of quality the highest held-out Hit@50 first, of an ablation as they were listed."""
    if results.table == "ablation":
        return results.rows
    return sorted(
        results.rows, key=lambda row: -statistics.fmean(run.heldout[CHOOSING] for run in row.runs)
    )


Column = tuple[str, list[str]]
"""Its header and its cells."""


def markdown(results: Results) -> str:
    """Two tables, of held-out and of validation figures, and what stands behind them.

    In bold: of quality the highest of a column, † apart; of an ablation the changes that seeds alone do not explain.
    """
    rows, ablation = ordered(results), results.table == "ablation"
    heldout = _columns("held out", rows, "heldout", bold=not ablation)
    heldout.append(("epoch", [_epochs(row) for row in rows]))
    for name, key in (("train + evaluate, s", "work"), ("whole process, s", "process")):
        means = (statistics.fmean(getattr(run.seconds, key) for run in row.runs) for row in rows)
        heldout.append((name, [seconds_text(mean) for mean in means]))
    validation = _columns("validation", rows, "validation", bold=not ablation)
    if ablation:
        validation.insert(1 + list(METRICS).index(CHOOSING) + 1, ("change", _changes(rows)))
    tables = [validation, heldout] if ablation else [heldout, validation]
    return "\n\n".join([*map(_table, tables), "\n".join(_notes(results, rows))]) + "\n"


def _table(columns: list[Column]) -> str:
    header, cells = zip(*columns, strict=True)
    lines = [header, ["---"] + ["---:"] * (len(columns) - 1), *zip(*cells, strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(first: str, rows: list[Row], fold: str, *, bold: bool) -> list[Column]:
    """The rows' names and their metrics on one fold, those shown as the highest in bold where wanted."""
    columns = [(first, [_label(row) for row in rows])]
    for key, name in METRICS.items():
        means = [metric(row, fold, key) for row in rows]
        fair = [
            None if mean is None or row.flattered else round(mean.mean, 3)
            for mean, row in zip(means, rows, strict=True)
        ]
        highest = max((value for value in fair if value is not None), default=None)
        texts = [mean.text(3) if mean else NONE for mean in means]
        strong = [bold and value is not None and value == highest for value in fair]
        columns.append(
            (
                name,
                [f"**{text}**" if one else text for text, one in zip(texts, strong, strict=True)],
            )
        )
    return columns


def _label(row: Row) -> str:
    name = f"NeuMF `{row.name}`" if row.kind == "preset" else row.title
    if row.kind == "change":
        name += f": `{flags_text(row.settings)}`"
    return f"{name} †" if row.flattered else name


def flags(settings: dict[str, Any]) -> list[str]:
    """Settings as the flags of `neumf-tui train`."""
    found = []
    for name, value in settings.items():
        flag = flag_of(name)
        if isinstance(value, bool):
            found.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            found += [
                flag,
                ",".join(map(str, value)) if isinstance(value, list | tuple) else f"{value}",
            ]
    return found


def flags_text(settings: dict[str, Any]) -> str:
    return " ".join(flags(settings))


def _epochs(row: Row) -> str:
    epochs = [run.epoch for run in row.runs if run.epoch is not None]
    if not epochs:
        return NONE
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low}–{high}"


def seconds_text(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"


def _changes(rows: list[Row]) -> list[str]:
    """Of each row against the first; in bold where seeds alone do not explain it."""
    bound = noise(rows)
    cells = [NONE]
    for row in rows[1:]:
        mean = change(row, rows[0])
        text = mean.text(3, "+") if mean else NONE
        cells.append(
            f"**{text}**" if mean and bound is not None and abs(mean.mean) > bound else text
        )
    return cells


def _notes(results: Results, rows: list[Row]) -> list[str]:
    """What stands behind the tables, as a list."""
    host, ablation = results.host, results.table == "ablation"
    runs = [run for row in rows for run in row.runs]
    seeds = sorted({run.seed for run in runs if run.seed is not None})
    leak = "; held-out items only report, and are drawn as negatives like any other"
    if any(row.flattered for row in rows):
        leak += ", but for †: there they never are, which flatters, and without validation the last epoch stands"
    protocol = "; ".join(f"{key}: {value}" for key, value in results.protocol.items())
    half = max(run.interval[1] - run.interval[0] for run in runs) / 2
    lines = [
        f"`{results.dataset}`, {results.num_heldout:,} users with a held-out item, {results.num_items:,} items, fingerprint "
        f"`{results.fingerprint[:12]}`. {protocol[0].upper()}{protocol[1:]}.",
        f"Epochs and settings are chosen by validation Hit@50{leak}.",
        f"{_seeds_text(seeds)}With other users a run's Hit@50 would differ, too: 95 % interval of up to ±{half:.3f}.",
    ]
    lines += _against_the_strongest(rows)
    bound = noise(rows)
    if ablation and bound is not None:
        lines.append(
            f"Changes in bold are beyond ±{bound:.3f}, within which two means lie in 95 % of cases by their seeds alone: "
            "of twenty changes that do nothing, one is in bold."
        )
    if any(row.kind == "baseline" for row in rows):
        chosen = "; ".join(
            f"{row.title}: {_settings(row.settings)}"
            for row in rows
            if row.kind == "baseline" and row.settings
        )
        lines.append(
            "Of the baselines, ALS and BPR alone begin from a seed. Their first time is of one fit and its ranking, their second "
            f"includes Python's start and the choice of settings ({chosen or 'none to choose'})."
        )
    others = sum(run.seconds.others for run in runs) / sum(run.seconds.process for run in runs)
    busy = (
        "nothing else running" if others < 0.05 else f"other programs taking {others:.1f} of them"
    )
    versions = ", ".join(f"{name} {version}" for name, version in host.versions.items())
    lines.append(
        f"{results.made}, {host.system}, {host.processor}, {host.cores} cores, {busy}; {versions}. "
        f"`python -m benchmarks.quality{' --ablation' if ablation else ''}` measures; every run is in "
        f"`benchmarks/results/{results.table}.json`."
    )
    return [f"- {line}" for line in lines]


def _against_the_strongest(rows: list[Row]) -> list[str]:
    """A line on the best fair preset's Hit@50 less that of the best baseline, of rows as they stand in the table."""
    strongest = next((row for row in rows if row.kind == "baseline"), None)
    ours = next((row for row in rows if row.kind == "preset" and not row.flattered), None)
    if strongest is None or ours is None:
        return []
    found = [run.against[strongest.name] for run in ours.runs if strongest.name in run.against]
    if not found:
        return []
    mean, low, high = (statistics.fmean(values) for values in zip(*found, strict=True))
    return [
        f"Hit@50 of `{ours.name}` less that of the strongest baseline ({strongest.title}), on the same users: "
        f"{mean:+.3f}, 95 % interval {low:+.3f} to {high:+.3f} (means over the seeds).".replace(
            "-", "−"
        )
    ]


def _seeds_text(seeds: list[int]) -> str:
    if len(seeds) < 2:
        return f"Seed {seeds[0]} alone. " if seeds else ""
    return f"Mean ± standard deviation over seeds {_listed(seeds)}. "


def _listed(seeds: list[int]) -> str:
    if seeds == list(range(seeds[0], seeds[-1] + 1)) and len(seeds) > 2:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds[:-1])) + f" and {seeds[-1]}"


def _settings(settings: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items())


def put_between(text: str, name: str, table: str) -> str:
    """`text` with `table` between <!-- name:begin --> and <!-- name:end -->, which stay; raises ValueError without them."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(
            f"expected one {begin} and after it one {end}, each on a line of its own; put them where the table goes"
        )
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n\n{table.strip()}\n\n{end}{rest.partition(end)[2]}"
