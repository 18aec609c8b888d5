"""The tables of the quality benchmarks, and the notes below them."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.quality.rows import (
    CHOOSING,
    METRICS,
    Results,
    Row,
    change,
    metric,
    noise,
    seconds_text,
)
from benchmarks.report import NONE, Table
from neumf_tui.settings import flag_of

Column = tuple[str, list[str]]
"""Its header and its cells."""


def heldout_table(rows: Sequence[Row], *, bold: bool) -> Table:
    """Return the metrics of the held-out items, epochs and times.

    With `bold` the highest value of a column is bold; rows marked † do not compete.
    """
    columns = _metrics("held out", rows, "heldout", bold)
    columns.append(("epoch", [epochs_text(row) for row in rows]))
    for name, key in (("train + evaluate, s", "work"), ("whole process, s", "process")):
        means = (statistics.fmean(getattr(run.seconds, key) for run in row.runs) for row in rows)
        columns.append((name, [seconds_text(mean) for mean in means]))
    return _table(columns)


def validation_table(rows: Sequence[Row], *, bold: bool) -> Table:
    """Return the metrics of the validation items; `bold` as in `heldout_table`."""
    return _table(_metrics("validation", rows, "validation", bold))


def change_table(rows: Sequence[Row]) -> Table:
    """Return the metrics of the validation items, and each row's change of Hit@50 from the first.

    Changes that are larger than the noise of the seeds are bold.
    """
    columns = _metrics("validation", rows, "validation", bold=False)
    bound, cells = noise(rows), [NONE]
    for row in rows[1:]:
        mean = change(row, rows[0])
        text = mean.text("+") if mean else NONE
        significant = mean and bound is not None and abs(mean.mean) > bound
        cells.append(f"**{text}**" if significant else text)
    columns.insert(2 + list(METRICS).index(CHOOSING), ("change", cells))
    return _table(columns)


def _table(columns: list[Column]) -> Table:
    header, cells = zip(*columns, strict=True)
    return Table(header, list(zip(*cells, strict=True)))


def _metrics(first: str, rows: Sequence[Row], fold: str, bold: bool) -> list[Column]:
    """Return a column of names and one of each metric on one fold."""
    columns: list[Column] = [(first, [_label(row) for row in rows])]
    for key, name in METRICS.items():
        means = [metric(row, fold, key) for row in rows]
        # Compared as shown: what looks equal to the highest is bold, too.
        competing = [
            None if mean is None or row.optimistic else round(mean.mean, 3)
            for mean, row in zip(means, rows, strict=True)
        ]
        highest = max((value for value in competing if value is not None), default=None)
        cells = [
            NONE if mean is None else f"**{mean.text()}**" if strong else mean.text()
            for mean, strong in zip(means, [bold and v == highest for v in competing], strict=True)
        ]
        columns.append((name, cells))
    return columns


def _label(row: Row) -> str:
    name = f"NeuMF `{row.name}`" if row.kind == "preset" else row.title
    if row.kind == "change":
        name += f": `{' '.join(flags(row.settings))}`"
    return f"{name} †" if row.optimistic else name


def flags(settings: dict[str, Any]) -> list[str]:
    """Return settings as flags of `neumf-tui train`."""
    found = []
    for name, value in settings.items():
        flag = flag_of(name)
        if isinstance(value, bool):
            found.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            listed = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            found += [flag, listed]
    return found


def epochs_text(row: Row) -> str:
    """Return the epochs that the row's runs report, from the lowest to the highest."""
    epochs = [run.epoch for run in row.runs if run.epoch is not None]
    if not epochs:
        return NONE
    low, high = min(epochs), max(epochs)
    return str(low) if low == high else f"{low}–{high}"


def notes(results: Results, rows: Sequence[Row]) -> list[str]:
    """Return what a reader must know of any of these tables; `rows` in the order of the table."""
    runs = [run for row in rows for run in row.runs]
    half = max(run.interval[1] - run.interval[0] for run in runs) / 2
    protocol = "; ".join(f"{key}: {value}" for key, value in results.protocol.items())
    chosen = (
        "Epochs and settings are chosen by validation Hit@50. Held-out items only report; they "
        "are drawn as negatives like any other item."
    )
    if any(row.optimistic for row in rows):
        chosen += (
            " Rows with † are optimistic: there held-out items are never drawn as negatives. "
            "They have no validation items, so their last epoch is reported."
        )
    return [
        f"`{results.dataset}`: {results.num_heldout:,} users with a held-out item, "
        f"{results.num_items:,} items, fingerprint `{results.fingerprint[:12]}`. "
        f"{protocol[0].upper()}{protocol[1:]}.",
        chosen,
        "The deviations are over seeds alone. Other users would change a run's Hit@50, too: "
        f"its 95 % interval is up to ±{half:.3f}.",
    ]


def strongest_note(rows: Sequence[Row]) -> list[str]:
    """Compare the best preset without † with the best baseline; `rows` with the best first."""
    baseline = next((row for row in rows if row.kind == "baseline"), None)
    preset = next((row for row in rows if row.kind == "preset" and not row.optimistic), None)
    if baseline is None or preset is None:
        return []
    found = [run.against[baseline.name] for run in preset.runs if baseline.name in run.against]
    if not found:
        return []
    mean, low, high = (statistics.fmean(values) for values in zip(*found, strict=True))
    differences = f"{mean:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}".replace("-", "−")
    return [
        f"Hit@50 of `{preset.name}` minus that of the strongest baseline ({baseline.title}) on the "
        f"same users: {differences} (means over the seeds)."
    ]


def baselines_note(rows: Sequence[Row]) -> list[str]:
    """Say which baselines depend on a seed, what their times are, and which settings they got."""
    baselines = [row for row in rows if row.kind == "baseline"]
    if not baselines:
        return []
    chosen = "; ".join(
        f"{row.title}: {' '.join(f'{key}={value}' for key, value in row.settings.items())}"
        for row in baselines
        if row.settings
    )
    return [
        "Of the baselines, only ALS and BPR depend on a seed. The first time of a baseline is one "
        "fit and its ranking; the second also has Python's start and the choice of settings "
        f"({chosen or 'none to choose'})."
    ]


def noise_note(rows: Sequence[Row]) -> list[str]:
    """Say when a change is bold."""
    bound = noise(rows)
    if bound is None:
        return []
    return [
        f"Changes beyond ±{bound:.3f} are bold. Seeds alone move the difference of two means "
        "beyond that in 5 % of cases: of twenty changes without effect, one is bold."
    ]


def seeds_text(rows: Sequence[Row]) -> str:
    """Return such as "Means ± standard deviations over seeds 0 to 4"."""
    seeds = sorted({run.seed for row in rows for run in row.runs if run.seed is not None})
    if not seeds:
        return "One run each"
    if len(seeds) == 1:
        return f"One run each, seed {seeds[0]}"
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        listed = f"{seeds[0]} to {seeds[-1]}"
    else:
        listed = ", ".join(map(str, seeds[:-1])) + f" and {seeds[-1]}"
    return f"Means ± standard deviations over seeds {listed}"
