"""What the split changes: the latest of each user, or a cut in time; and the order of the rows."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from benchmarks.host import say, versions
from benchmarks.quality.jobs import (
    CORES,
    Job,
    Model,
    Record,
    Runner,
    limited_cores,
    preset_model,
    progress,
    run_all,
)
from benchmarks.quality.presets import baseline_model
from benchmarks.quality.rows import CHOOSING, METRICS, Row, metric
from benchmarks.quality.tables import epochs_text, seeds_text
from benchmarks.report import NONE, Options, Report, Table
from neumf_tui.baselines.registry import BASELINES
from neumf_tui.cores import usable_cores
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import SplitFacts
from neumf_tui.data.options import make_options
from neumf_tui.data.reordered import interactions
from neumf_tui.settings import DEFAULT_PRESET

SEEDS = 3
BASELINE_NAMES = ("popularity", "ease", "ease-recent")
REFITTED = "refitted"
"""The preset without validation items, for the epochs that validation chose with the same seed."""


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """The models under one split."""

    split: str
    fingerprint: str
    num_users: int
    num_items: int
    num_train: int
    facts: SplitFacts
    rows: list[Row]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """`tuned` on the same rows in one order."""

    name: str
    fingerprint: str
    row: Row


class Results(msgspec.Struct, frozen=True, kw_only=True):
    dataset: str
    cores: int
    folds: list[Fold]
    orders: list[Order]


def run(options: Options) -> Report:
    """Measure both splits, and then `tuned` for every order of the rows."""
    preset = "fast" if options.quick else DEFAULT_PRESET
    seeds = range(options.rounds or (1 if options.quick else SEEDS))
    dataset, data_dir = ("demo", None) if options.quick else ("ml-100k", options.data_dir)
    with tempfile.TemporaryDirectory() as scratch, limited_cores(CORES):
        folder = options.keep or Path(scratch)
        folds, runners = [], []
        for split in ("latest", "time"):
            runner = Runner(folder / split, dataset, data_dir, make_options(split=split))
            runners.append(runner)
            models = [
                baseline_model(one.name, one.title)
                for one in BASELINES
                if one.name in BASELINE_NAMES
            ]
            rows = run_all(runner, [*models, preset_model(preset)], seeds)
            if split == "time":
                rows.append(_refitted(runner, preset, rows[-1]))
            folds.append(_fold(split, runner, rows))
        usual = Order(name="as they are", fingerprint=folds[0].fingerprint, row=folds[0].rows[-1])
        orders = [usual, *_orders(folder, runners[0], preset, seeds)]
        cores = usable_cores()
    return report(Results(dataset=dataset, cores=cores, folds=folds, orders=orders))


def _fold(split: str, runner: Runner, rows: list[Row]) -> Fold:
    data = runner.data
    return Fold(
        split=split,
        fingerprint=data.fingerprint,
        num_users=data.num_users,
        num_items=data.num_items,
        num_train=data.num_train,
        facts=data.facts,
        rows=rows,
    )


def _refitted(runner: Runner, preset: str, chosen: Row) -> Row:
    """Train on the validation items, too, with each seed for the epochs that it chose without."""
    changes = {"validation": False, "early_stop": 0}
    row = msgspec.structs.replace(chosen, name=REFITTED, kind="change", settings=changes, runs=[])
    records: list[Record] = []
    for one in chosen.runs:
        job = Job(Model(row, preset), one.seed, one.epoch)
        record = runner.kept(job) or runner.do(job)
        records.append(record)
        say(progress(job, record.run))
    return msgspec.structs.replace(row, runs=[record.run for record in records])


def _orders(folder: Path, usual: Runner, preset: str, seeds: Sequence[int]) -> Iterator[Order]:
    """Train on a CSV file of the rows in each order; one split to the bit is trained once."""
    known: dict[str, Row] = {}
    for name, order in _row_orders(usual.data).items():
        path = _write_rows(folder / f"{name.replace(' ', '-')}.csv", usual.data, order)
        runner = Runner(folder / path.stem, "auto", path)
        fingerprint = runner.data.fingerprint
        if fingerprint not in known:
            (known[fingerprint],) = run_all(runner, [preset_model(preset)], seeds)
        yield Order(name=f"CSV, {name}", fingerprint=fingerprint, row=known[fingerprint])


def _row_orders(data: Dataset) -> dict[str, NDArray[np.int64]]:
    users, items, _ = interactions(data)
    one, two = (np.random.default_rng(seed).permutation(len(users)) for seed in (1, 2))
    return {
        "at random": one,
        "at random again": two,
        "by user and item": np.lexsort((items, users)),
        "by item and user": np.lexsort((users, items)),
    }


def _write_rows(path: Path, data: Dataset, order: NDArray[np.int64]) -> Path:
    users, items, times = (column[order] for column in interactions(data))
    user_ids, item_ids = np.array(list(data.user_ids)), np.array(data.catalogue.item_ids)
    columns = {"user_id": user_ids[users], "item_id": item_ids[items], "timestamp": times}
    pacsv.write_csv(pa.table(columns), path)
    return path


def report(results: Results) -> Report:
    rows = [row for fold in results.folds for row in fold.rows]
    latest, time = (fold.facts for fold in results.folds)
    hits = [_mean(one.row) for one in results.orders]
    splits = len({one.fingerprint for one in results.orders[1:]})
    return Report(
        title="The latest of each user, or a cut in time",
        figures=results,
        repeats=f"{seeds_text(rows)}; {results.cores} cores for each run",
        tables=[_splits_table(results.folds), _orders_table(results.orders)],
        notes=[
            f"`{results.dataset}`. `latest` holds out each user's latest interaction: "
            f"{latest.heldout:,} users are evaluated, and models learn from what others did "
            "afterwards. `time` holds out the first interaction of each user from one cut on, and "
            f"learns from nothing after it: {time.heldout:,} users are evaluated, "
            f"{time.cold_users:,} are left out because they have no history before the cut, "
            f"{time.cold_items:,} held-out items were had by nobody before, and {time.unused:,} "
            "interactions after the held-out ones are not used.",
            f"`{REFITTED}`: the preset trained without validation items, for as many epochs as "
            "validation chose with the same seed. Under `time` the validation items and all that "
            "comes after them, up to the cut, are otherwise not learned from; baselines are always "
            "fitted to everything before the cut.",
            "Other users are evaluated under the two splits, so their figures tell which models "
            "change places, not which split is easier. The deviations are over seeds alone: the "
            f"95 % interval of a Hit@50 over users is up to ±{_half(results.folds[0]):.3f} under "
            f"`latest` and ±{_half(results.folds[1]):.3f} under `time`.",
            "The order of the rows: in `u.data`, which is shuffled, the rows decide what is the "
            "latest of equal times; in every other form a hash of user and item does, so that "
            f"{len(results.orders) - 1} orders of a CSV file have {splits} fingerprint"
            f"{'s' * (splits > 1)}. Hit@50 of all orders is within {max(hits) - min(hits):.3f}.",
        ],
        versions=versions(("scipy",)),
    )


def _mean(row: Row) -> float:
    return statistics.fmean(run.heldout[CHOOSING] for run in row.runs)


def _half(fold: Fold) -> float:
    """Return half the width of the widest interval of Hit@50 over users."""
    return max(run.interval[1] - run.interval[0] for row in fold.rows for run in row.runs) / 2


def _splits_table(folds: Sequence[Fold]) -> Table:
    table = []
    for fold in folds:
        for row in fold.rows:
            name = row.title if row.kind == "baseline" else f"NeuMF `{row.title}`"
            name += f", {REFITTED}" if row.name == REFITTED else ""
            found = [metric(row, "heldout", key) for key in METRICS]
            cells = [NONE if one is None else one.text() for one in found]
            table.append((name, f"`{fold.split}`", *cells, epochs_text(row)))
    return Table(("held out", "split", *METRICS.values(), "epoch"), table)


def _orders_table(orders: Sequence[Order]) -> Table:
    table = []
    for one in orders:
        found = [metric(one.row, "heldout", key) for key in METRICS]
        cells = [NONE if each is None else each.text() for each in found]
        table.append((one.name, f"`{one.fingerprint[:12]}`", *cells))
    return Table((f"NeuMF `{orders[0].row.title}`, rows", "split", *METRICS.values()), table)
