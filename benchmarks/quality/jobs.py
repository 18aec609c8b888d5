"""Runs the program's own commands for the quality benchmarks, and keeps what they gave."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.host import busy_seconds, say, versions
from benchmarks.quality.rows import CHOOSING, Results, Row, Run, Seconds
from benchmarks.quality.tables import flags
from benchmarks.report import Options
from neumf_tui import files
from neumf_tui.baselines.kept import read_one
from neumf_tui.baselines.registry import BASELINES
from neumf_tui.cores import usable_cores
from neumf_tui.data.options import DataOptions
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.runs.protocol import RANKING, split_protocol, validation_text
from neumf_tui.settings import make_settings

PROGRAM = [sys.executable, "-m", "neumf_tui"]
PACKAGES = ("neumf-tui", "torch", "numpy", "scipy", "implicit")
CORES = 2
"""Most cores that a run may use, so that times of different machines can be compared."""


@dataclass(frozen=True)
class Model:
    """A preset, possibly changed, or a baseline."""

    row: Row
    """Without runs."""
    preset: str | None
    """None for a baseline."""


def preset_model(name: str) -> Model:
    settings = msgspec.to_builtins(make_settings(name, {}))
    settings.pop("seed")
    leaks = settings["exclude_heldout"]
    row = Row(name=name, kind="preset", title=name, settings=settings, optimistic=leaks, runs=[])
    return Model(row, name)


@dataclass(frozen=True)
class Job:
    """One command: a model with one seed; None for a baseline that does not depend on it."""

    model: Model
    seed: int | None
    epoch: int | None = None
    """The epoch to report; None: the one that the program reports."""

    @property
    def name(self) -> str:
        """The name of its run and its record."""
        if self.model.preset is None:
            return f"baseline-{self.model.row.name}-seed{self.seed or 0}"
        changed = ("".join(filter(str.isalnum, flag)) for flag in flags(self.changes))
        epoch = [] if self.epoch is None else [f"epoch{self.epoch}"]
        return "-".join([self.model.preset, *changed, f"seed{self.seed}", *epoch])

    @property
    def changes(self) -> dict[str, Any]:
        return self.model.row.settings if self.model.row.kind == "change" else {}


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it is kept, and everything that must be the same to use it again."""

    asked: dict[str, Any]
    run: Run
    settings: dict[str, Any]
    """Of a baseline those that were chosen; otherwise empty."""


class Runner:
    """Runs jobs on one dataset in one folder, which keeps their results."""

    def __init__(
        self,
        folder: Path,
        dataset: str,
        data_dir: Path | None,
        options: DataOptions = DataOptions(),
    ) -> None:
        self.home, self.records = folder / "home", folder / "records"
        self.records.mkdir(parents=True, exist_ok=True)
        # Prepared now, so that no run has to.
        self.data = open_dataset(dataset, data_dir, self.home, say, silent, options=options)
        self._data_flags = ["--dataset", dataset]
        if data_dir:
            self._data_flags += ["--data-dir", str(data_dir)]
        self._data_flags += options.flags

    def kept(self, job: Job) -> Record | None:
        """Return what an earlier call recorded of the same job."""
        try:
            content = (self.records / f"{job.name}.json").read_bytes()
            record = msgspec.json.decode(content, type=Record)
        except (FileNotFoundError, msgspec.DecodeError):
            return None  # missing, or written by another version of this benchmark
        return record if record.asked == self._asked(job) else None

    def do(self, job: Job) -> Record:
        """Run the job and keep its result."""
        run, settings = self._train(job) if job.model.preset else self._fit(job)
        record = Record(asked=self._asked(job), run=run, settings=settings)
        content = msgspec.json.format(msgspec.json.encode(record), indent=1)
        files.replace(self.records, f"{job.name}.json", content)
        return record

    def _asked(self, job: Job) -> dict[str, Any]:
        if job.model.preset:
            changes = job.changes | {"seed": job.seed}
            what = msgspec.to_builtins(make_settings(job.model.preset, changes))
        else:
            (baseline,) = (one for one in BASELINES if one.name == job.model.row.name)
            what = baseline.recipe(job.seed or 0)
        asked = {
            "what": what,
            "data": self.data.fingerprint,
            "cores": usable_cores(),
            "versions": versions(PACKAGES),
        }
        # As it will be read: JSON has no tuples.
        return msgspec.json.decode(msgspec.json.encode(asked), type=dict[str, Any])

    def _train(self, job: Job) -> tuple[Run, dict[str, Any]]:
        folder = self.home / "runs" / job.name
        shutil.rmtree(folder, ignore_errors=True)  # left by a call that was cut short
        options = ["--preset", str(job.model.preset), "--seed", str(job.seed), *flags(job.changes)]
        told, spent = self._command("train", *options, "--name", job.name, *self._data_flags)
        if told["state"] != "finished":
            raise SystemExit(f"{job.name}: {told['state']}: {told['reason']}")
        at = [] if job.epoch is None else ["--epoch", str(job.epoch)]
        evaluated, _ = self._command("evaluate", job.name, *at)
        shutil.rmtree(folder)  # its checkpoints would fill the disk
        against = {
            one["baseline"]: (one["difference"], one["difference_low"], one["difference_high"])
            for one in evaluated["baselines"]
            if one["difference"] is not None
        }
        run = Run(
            seed=job.seed,
            heldout=evaluated["metrics"],
            interval=tuple(evaluated["hit@50_ci"]),
            validation=evaluated["validation"],
            epoch=evaluated["epoch"],
            seconds=Seconds(work=told["seconds"]["train"] + told["seconds"]["evaluate"], **spent),
            against=against,
        )
        return run, {}

    def _fit(self, job: Job) -> tuple[Run, dict[str, Any]]:
        name = job.model.row.name
        options = ["--only", name, "--again", "--seed", str(job.seed or 0)]
        _, spent = self._command("baselines", *options, *self._data_flags)
        result = read_one(self.home, self.data.fingerprint, name)
        assert result is not None  # the command has just written it
        run = Run(
            seed=job.seed,
            heldout=result.heldout.metrics,
            interval=result.heldout.interval,
            validation=result.validation.metrics,
            epoch=None,
            seconds=Seconds(work=result.seconds, **spent),
        )
        return run, result.settings

    def _command(self, *args: str) -> tuple[Any, dict[str, float]]:
        """Return what the program prints as JSON, and the fields of `Seconds` except `work`."""
        busy, own, started = busy_seconds(), _children_seconds(), time.perf_counter()
        command = [*PROGRAM, *args, "--json", "--home", str(self.home)]
        done = subprocess.run(command, capture_output=True, text=True)
        process, cpu = time.perf_counter() - started, _children_seconds() - own
        if done.returncode:
            raise SystemExit(
                f"{' '.join(args)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
            )
        spent = {"process": process, "cpu": cpu, "others": max(0.0, busy_seconds() - busy - cpu)}
        return json.loads(done.stdout), {name: round(seconds, 2) for name, seconds in spent.items()}


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(models: Sequence[Model], options: Options, only: Sequence[str], seeds: int) -> Results:
    """Run each model with `options.rounds` or else `seeds` seeds.

    only: names of the models to run; empty means all. Raises SystemExit for an unknown name.
    """
    names = [model.row.name for model in models]
    if unknown := [name for name in only if name not in names]:
        raise SystemExit(f"--only {', '.join(unknown)}: expected some of: {', '.join(names)}")
    wanted = [model for model in models if not only or model.row.name in only]
    count = options.rounds or (1 if options.quick else seeds)
    dataset, data_dir = ("demo", None) if options.quick else ("ml-100k", options.data_dir)
    with tempfile.TemporaryDirectory() as scratch, limited_cores(CORES):
        runner = Runner(options.keep or Path(scratch), dataset, data_dir)
        rows, cores = run_all(runner, wanted, range(count)), usable_cores()
    data = runner.data
    split = split_protocol(data.facts, data.options.splitting)
    return Results(
        dataset=data.label,
        fingerprint=data.fingerprint,
        num_users=data.num_users,
        num_items=data.num_items,
        num_train=data.num_train,
        num_heldout=int((data.split.heldout >= 0).sum()),
        protocol=split | RANKING | {"validation": validation_text(split["split_name"])},
        cores=cores,
        rows=rows,
    )


def run_all(runner: Runner, models: Sequence[Model], seeds: Sequence[int]) -> list[Row]:
    """Return the models' rows with their runs.

    The models take turns for each seed, so that a machine that gets slower slows all of them.
    """
    seeded = {baseline.name for baseline in BASELINES if baseline.by_package}
    needs_seed = [model.preset is not None or model.row.name in seeded for model in models]
    chosen = list(zip(models, needs_seed, strict=True))
    jobs = [Job(model, None) for model, seeded in chosen if not seeded]
    jobs += [Job(model, seed) for seed in seeds for model, seeded in chosen if seeded]
    records: dict[str, list[Record]] = {model.row.name: [] for model in models}
    for number, job in enumerate(jobs, 1):
        record = runner.kept(job)
        known, record = record is not None, record or runner.do(job)
        records[job.model.row.name].append(record)
        say(f"{number:>3} of {len(jobs)}  {progress(job, record.run)}{' (kept)' if known else ''}")
    rows = []
    for model in models:
        found = records[model.row.name]
        settings = model.row.settings if model.preset else found[0].settings
        runs = [record.run for record in found]
        rows.append(msgspec.structs.replace(model.row, runs=runs, settings=settings))
    return rows


def progress(job: Job, run: Run) -> str:
    """Return a line about one finished run."""
    name = job.model.row.title + ("" if job.seed is None else f" seed {job.seed}")
    validation = f"{run.validation[CHOOSING]:.4f}" if run.validation else "none  "
    line = (
        f"{name:<48} validation Hit@50 {validation}  held out {run.heldout[CHOOSING]:.4f}  "
        f"AUC {run.heldout['auc']:.4f}  {run.seconds.process:.1f} s"
    )
    if run.seconds.others > 0.1 * run.seconds.process:
        line += f", other programs took {run.seconds.others:.1f} s of the cores"
    return line


@contextmanager
def limited_cores(count: int) -> Iterator[None]:
    """Let this process and all that it starts use at most `count` cores, where the system can."""
    if usable_cores() <= count or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
