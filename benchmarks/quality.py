"""The ranking quality of every preset and baseline, and of one preset with one part changed at a time.

    python -m benchmarks.quality [--data-dir FOLDER] [--seeds 0,1,2,3,4] [--keep FOLDER]      measure
    python -m benchmarks.quality --ablation [--seeds 0,1,2] [--keep FOLDER]                   measure changes of `tuned`
    python -m benchmarks.quality [--ablation] --draw                                          table and chart
    python -m benchmarks.quality [--ablation] --readme                                        table into the README

Every run is the command that a user would type, in a home of its own, on two cores, one after another: leave the machine alone
meanwhile, for its times are in the table. Measuring writes benchmarks/results/{quality,ablation}.json; the rest is made of that.
With --keep a call that was cut short goes on where it was: what is in FOLDER with the same settings, data and versions is not
run again. It does not know when code has changed: take a new FOLDER then. Drawing needs matplotlib (pip install '.[bench]'), ALS
and BPR need implicit (pip install '.[baselines]').
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.ablation import CHANGES
from benchmarks.host import busy_seconds, host_facts, say, versions
from benchmarks.quality_table import (
    CHOOSING,
    Results,
    Row,
    Run,
    Seconds,
    flags,
    markdown,
    put_between,
    read_results,
)
from neumf_tui.baselines.kept import read_one
from neumf_tui.baselines.registry import BASELINES
from neumf_tui.cores import usable_cores
from neumf_tui.data.registry import open_dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.runs.files import replace_bytes
from neumf_tui.runs.protocol import PROTOCOL, VALIDATION
from neumf_tui.settings import DEFAULT_PRESET, make_settings, preset_names

PROGRAM = [sys.executable, "-m", "neumf_tui"]
ROOT = Path(__file__).parents[1]
PACKAGES = ("neumf-tui", "torch", "numpy", "scipy", "implicit")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is kept, and all that must be the same for it to be of use."""

    asked: dict[str, Any]
    run: Run
    settings: dict[str, Any]
    """Of a baseline, those chosen; else empty."""


@dataclass(frozen=True)
class Job:
    """One command: a preset, maybe changed, with one seed; or a baseline."""

    row: Row
    """Without runs."""
    preset: str
    seed: int | None

    @property
    def name(self) -> str:
        """Of its run and its record."""
        words = [
            self.preset,
            *("".join(filter(str.isalnum, flag)) for flag in flags(self.changes)),
            f"seed{self.seed}",
        ]
        return "-".join(words) if self.preset else f"baseline-{self.row.name}-seed{self.seed or 0}"

    @property
    def changes(self) -> dict[str, Any]:
        return self.row.settings if self.row.kind == "change" else {}


def preset_rows(names: list[str]) -> list[tuple[Row, str]]:
    rows = []
    for name in names:
        settings = msgspec.to_builtins(make_settings(name, {}))
        leaks = settings["exclude_heldout"]
        settings.pop("seed")
        rows.append(
            (
                Row(
                    name=name,
                    kind="preset",
                    title=name,
                    settings=settings,
                    flattered=leaks,
                    runs=[],
                ),
                name,
            )
        )
    return rows


def baseline_rows() -> list[tuple[Row, str]]:
    return [
        (
            Row(name=b.name, kind="baseline", title=b.title, settings={}, flattered=False, runs=[]),
            "",
        )
        for b in BASELINES
    ]


def change_rows(preset: str) -> list[tuple[Row, str]]:
    """The preset, and each change of it that comes to something new."""
    found = preset_rows([preset])
    known = {make_settings(preset, {}): preset}
    for title, settings in CHANGES:
        changed = make_settings(preset, settings)
        if changed in known:
            say(f"left out: {title}: the same as {known[changed]}")
        else:
            known[changed] = title
            row = Row(
                name=title,
                kind="change",
                title=title,
                settings=settings,
                flattered=changed.exclude_heldout,
                runs=[],
            )
            found.append((row, preset))
    return found


class Bench:
    """Runs jobs on one dataset, in one folder that keeps what they gave."""

    def __init__(self, folder: Path, dataset: str, data_dir: Path | None) -> None:
        self.home, self.records = folder / "home", folder / "records"
        self.records.mkdir(parents=True, exist_ok=True)
        # Prepared now, so that no run has to.
        self.data = open_dataset(dataset, data_dir, self.home, say, lambda _: None)
        self._data_flags = [
            "--dataset",
            dataset,
            *(["--data-dir", str(data_dir)] if data_dir else []),
        ]

    def kept(self, job: Job) -> Record | None:
        """What an earlier call recorded of the same job."""
        try:
            record = msgspec.json.decode(
                (self.records / f"{job.name}.json").read_bytes(), type=Record
            )
        except (FileNotFoundError, msgspec.DecodeError):
            return None  # none, or one of another form: to be made anew
        return record if record.asked == self._asked(job) else None

    def do(self, job: Job) -> Record:
        run, settings = self._train(job) if job.preset else self._fit(job)
        record = Record(asked=self._asked(job), run=run, settings=settings)
        replace_bytes(
            self.records / f"{job.name}.json",
            msgspec.json.format(msgspec.json.encode(record), indent=1),
        )
        return record

    def _asked(self, job: Job) -> dict[str, Any]:
        if job.preset:
            what = msgspec.to_builtins(make_settings(job.preset, job.changes | {"seed": job.seed}))
        else:
            what = next(
                baseline.recipe(job.seed or 0)
                for baseline in BASELINES
                if baseline.name == job.row.name
            )
        asked = {
            "what": what,
            "data": self.data.fingerprint,
            "cores": usable_cores(),
            "versions": versions(PACKAGES),
        }
        return msgspec.json.decode(
            msgspec.json.encode(asked), type=dict[str, Any]
        )  # as it will be read

    def _train(self, job: Job) -> tuple[Run, dict[str, Any]]:
        folder = self.home / "runs" / job.name
        shutil.rmtree(folder, ignore_errors=True)  # of a call that was cut short
        told, spent = self._command(
            "train",
            "--preset",
            job.preset,
            "--seed",
            str(job.seed),
            *flags(job.changes),
            "--name",
            job.name,
            *self._data_flags,
        )
        if told["state"] != "finished":
            raise SystemExit(f"{job.name}: {told['state']}: {told['reason']}")
        against, _ = self._command("evaluate", job.name)
        shutil.rmtree(folder)  # its checkpoints would fill the disk
        run = Run(
            seed=job.seed, heldout=told["metrics"], interval=tuple(told["hit@50_ci"]), validation=told["validation"],
            epoch=told["metrics_epoch"],
            seconds=Seconds(work=told["seconds"]["train"] + told["seconds"]["evaluate"], **spent),
            against={one["baseline"]: (one["difference"], one["difference_low"], one["difference_high"])
                     for one in against["baselines"] if one["difference"] is not None},
        )  # fmt: skip
        return run, {}

    def _fit(self, job: Job) -> tuple[Run, dict[str, Any]]:
        _, spent = self._command(
            "baselines",
            "--only",
            job.row.name,
            "--again",
            "--seed",
            str(job.seed or 0),
            *self._data_flags,
        )
        result = read_one(self.home, self.data.fingerprint, job.row.name)
        assert result is not None  # the command has just written it
        run = Run(
            seed=job.seed, heldout=result.heldout.metrics, interval=result.heldout.interval, validation=result.validation.metrics,
            epoch=None, seconds=Seconds(work=result.seconds, **spent),
        )  # fmt: skip
        return run, result.settings

    def _command(self, *args: str) -> tuple[Any, dict[str, float]]:
        """What the program prints as JSON, and the seconds it took: of `Seconds` all but `work`."""
        busy, own, begun = (
            busy_seconds(),
            resource.getrusage(resource.RUSAGE_CHILDREN),
            time.perf_counter(),
        )
        done = subprocess.run(
            [*PROGRAM, *args, "--json", "--home", str(self.home)], capture_output=True, text=True
        )
        process, ended = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(
                f"{' '.join(args)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
            )
        cpu = ended.ru_utime + ended.ru_stime - own.ru_utime - own.ru_stime
        spent = {"process": process, "cpu": cpu, "others": max(0.0, busy_seconds() - busy - cpu)}
        return json.loads(done.stdout), {name: round(seconds, 2) for name, seconds in spent.items()}


def measure(bench: Bench, wanted: list[tuple[Row, str]], seeds: list[int]) -> list[Row]:
    """The rows with their runs. Seeds take turns, so that a machine that slows down slows down all rows."""
    seeded = {baseline.name for baseline in BASELINES if baseline.by_package}
    jobs = [Job(row, "", None) for row, preset in wanted if not preset and row.name not in seeded]
    jobs += [
        Job(row, preset, seed)
        for seed in seeds
        for row, preset in wanted
        if preset or row.name in seeded
    ]
    runs: dict[str, list[Record]] = {row.name: [] for row, _ in wanted}
    for number, job in enumerate(jobs, 1):
        record = bench.kept(job)
        known, record = record is not None, record or bench.do(job)
        runs[job.row.name].append(record)
        say(f"{number:>3} of {len(jobs)}  {progress(job, record.run)}{' (kept)' if known else ''}")
    rows = []
    for row, preset in wanted:
        chosen = row.settings if preset else runs[row.name][0].settings
        rows.append(
            msgspec.structs.replace(
                row, runs=[record.run for record in runs[row.name]], settings=chosen
            )
        )
    return rows


def progress(job: Job, run: Run) -> str:
    name = job.row.title + ("" if job.seed is None else f" seed {job.seed}")
    validation = f"{run.validation[CHOOSING]:.4f}" if run.validation else "none  "
    busy = (
        f", others took {run.seconds.others:.1f} s of the cores"
        if run.seconds.others > 0.1 * run.seconds.process
        else ""
    )
    figures = f"validation Hit@50 {validation}  held out {run.heldout[CHOOSING]:.4f}  AUC {run.heldout['auc']:.4f}"
    return f"{name:<48} {figures}  {run.seconds.process:.1f} s{busy}"


def limit_cores(count: int) -> None:
    """Let this process and all that it starts use `count` cores; raises SystemExit where that cannot be."""
    have = usable_cores()
    if have < count:
        raise SystemExit(
            f"--cores {count}: this machine gives {have}; say --cores {have}, and so will the table"
        )
    if have > count:
        if not hasattr(os, "sched_setaffinity"):
            raise SystemExit(
                f"--cores {count}: {platform.system()} cannot hold a process to them; say --cores {have}"
            )
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def picked(rows: list[tuple[Row, str]], only: list[str] | None) -> Iterator[tuple[Row, str]]:
    """Those named; raises SystemExit for a name that none has."""
    names = [row.name for row, _ in rows]
    if unknown := [name for name in only or () if name not in names]:
        raise SystemExit(f"--only {', '.join(unknown)}: expected some of: {', '.join(names)}")
    return ((row, preset) for row, preset in rows if only is None or row.name in only)


def run(options: argparse.Namespace, path: Path) -> None:
    """Measure, and write `path`."""
    if options.ablation:
        base = options.presets or [DEFAULT_PRESET]
        if len(base) > 1:
            raise SystemExit(f"--presets {','.join(base)}: an ablation changes one; name one")
        rows = change_rows(base[0])
        only = (
            [base[0], *options.only] if options.only else None
        )  # the row that changes are measured from
    else:
        rows, only = baseline_rows() + preset_rows(options.presets or preset_names()), options.only
    wanted = list(picked(rows, only))
    limit_cores(options.cores)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(options.keep or Path(scratch), options.dataset, options.data_dir)
        begun = time.monotonic()
        rows_done = measure(
            bench, wanted, options.seeds or ([0, 1, 2] if options.ablation else [0, 1, 2, 3, 4])
        )
        data = bench.data
        results = Results(
            table=path.stem, made=datetime.now(UTC).date().isoformat(), dataset=data.label, fingerprint=data.fingerprint,
            num_users=data.num_users, num_items=data.num_items, num_train=data.num_train,
            num_heldout=int((data.split.heldout >= 0).sum()),
            protocol=PROTOCOL | {"validation": VALIDATION}, host=host_facts(PACKAGES), rows=rows_done,
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_bytes(path, msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    whole = statistics.fmean(run.seconds.process for row in rows_done for run in row.runs)
    say(f"{path}  {time.monotonic() - begun:.0f} s, {whole:.1f} s a run")


def report(options: argparse.Namespace, path: Path) -> None:
    """Table, chart and README from the results in `path`."""
    try:
        results = read_results(path)
    except (OSError, msgspec.DecodeError) as error:
        raise SystemExit(
            f"{path}: cannot be read ({error}); measure first, without --draw and --readme"
        ) from error
    table = markdown(results)
    if options.draw:
        replace_bytes(path.with_suffix(".md"), table.encode())
        if results.table == "quality":
            try:
                from benchmarks.quality_chart import draw
            except ImportError as error:
                raise SystemExit(
                    f"the chart needs matplotlib ({error}): pip install '.[bench]'"
                ) from error
            draw(results, path.with_suffix(".svg"))
    if options.readme:
        try:
            text = put_between(options.readme.read_text("utf-8"), results.table, table)
        except ValueError as error:
            raise SystemExit(f"{options.readme}: {error}") from error
        replace_bytes(options.readme, text.encode())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="ml-100k", help="as for train (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, help="as for train")
    parser.add_argument(
        "--presets",
        type=parts,
        metavar="NAME,NAME",
        help="default: all; of an ablation: the one to change",
    )
    parser.add_argument(
        "--only",
        type=parts,
        metavar="NAME,NAME",
        help="some rows: presets, baselines, or names of changes",
    )
    parser.add_argument(
        "--seeds",
        type=lambda text: [int(part) for part in parts(text)],
        metavar="N,N",
        help="default: 5, or 3",
    )
    parser.add_argument(
        "--ablation", action="store_true", help="the preset with one part changed at a time"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="where runs are kept, to go on from"
    )
    parser.add_argument(
        "--cores", type=int, default=2, help="that each run may use (default: %(default)s)"
    )
    parser.add_argument(
        "--results", type=Path, default=Path(__file__).parent / "results", metavar="FOLDER"
    )
    parser.add_argument(
        "--draw",
        action="store_true",
        help="do not measure: make the table and the chart from the results",
    )
    parser.add_argument(
        "--readme",
        type=Path,
        nargs="?",
        const=ROOT / "README.md",
        help="do not measure: put the table between its marks there",
    )
    options = parser.parse_args(arguments)
    path: Path = options.results / ("ablation.json" if options.ablation else "quality.json")
    try:
        if options.draw or options.readme:
            report(options, path)
        else:
            run(options, path)
    except NeumfTuiError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
