"""Whether a viewer, a trainer and their files stay bounded over thousands of short epochs.

A viewer in a terminal of 120x40 shows a run whose epochs take some hundredths of a second. Each
minute its memory, processor time, open files and the sizes of the run's files are read, and those
of the trainer. A second viewer shows five hundred ended runs, in which nothing happens.
"""

import itertools
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil

from benchmarks.growing_run import GrowingRun
from benchmarks.host import say
from benchmarks.program import PROGRAM, data_flags
from benchmarks.recorder import Recorder
from benchmarks.report import Options, Report, Table
from benchmarks.waiting import wait_for
from neumf_tui.runs.reader import read_info, read_snapshot, read_status
from neumf_tui.runs.writer import write_info

MINUTES = 20.0
KEEP = 50
"""Checkpoints that the run keeps."""
WARM_UP = 2
"""Minutes that slopes leave out."""
BATCH = 65_536
RUNS = 500
REST_SECONDS = 60.0
"""Time over which the runs screen at rest is measured."""
SETTLING = 20.0
MB = 1e6


def run(options: Options) -> Report:
    minutes = 3 * 0.05 if options.quick else options.minutes or MINUTES
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        samples = soak(Path(folder), options, minutes)
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        rest = runs_at_rest(Path(folder), 10 if options.quick else RUNS, options.quick)
    slopes = slopes_of(samples)
    return Report(
        title=f"Soak: {samples[-1]['epoch']:,} epochs in {minutes:g} minutes, watched",
        figures={"samples": samples, "slopes": slopes, "runs_at_rest": rest},
        repeats="One run; a row is a minute",
        tables=(minute_table(samples), slope_table(slopes), rest_table(rest)),
        notes=(
            "Memory is resident memory, which includes pages of shared libraries. CPU is processor "
            "time in the minute, so it does not depend on what else runs.",
            f"Slopes are least squares over the minutes after the first {WARM_UP}.",
            f"The run keeps {KEEP} checkpoints besides the newest and the best (`--keep {KEEP}`).",
        ),
    )


def soak(home: Path, options: Options, minutes: float) -> list[dict[str, Any]]:
    """Return the samples of a run that is watched for `minutes`: one before, one a minute."""
    command = [*PROGRAM, "train", "--preset", "d2l", "--detach", "--epochs", "1000000"]
    command += ["--home", str(home), "--name", "soak", "--keep", str(KEEP)]
    command += ["--batch-size", str(BATCH), *data_flags(options)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    folder = home / "runs" / "soak"
    wait_for(lambda: bool(read_snapshot(folder).evaluations), "the first epoch")
    trainer = psutil.Process(read_status(folder).pid)
    try:
        with Recorder([*PROGRAM, "attach", "soak", "--home", str(home)]) as viewer:
            wait_for(lambda: b"soak" in viewer.received, "the viewer")
            watcher = psutil.Process(viewer.pid)
            samples, began = [sample(folder, watcher, trainer)], time.monotonic()
            step = minutes / max(1, round(minutes)) if minutes >= 1 else minutes / 3
            for number in range(1, round(minutes / step) + 1):
                time.sleep(max(0.0, began + 60 * step * number - time.monotonic()))
                samples.append(sample(folder, watcher, trainer))
                say(f"soak: minute {number * step:g}: {samples[-1]}")
            return samples
    finally:
        trainer.kill()
        trainer.wait()


def sample(folder: Path, viewer: psutil.Process, trainer: psutil.Process) -> dict[str, Any]:
    """Return the figures of this moment; times are since the processes started."""
    found: dict[str, Any] = {"at": time.monotonic(), "epoch": read_status(folder).epoch}
    for name, process in (("viewer", viewer), ("trainer", trainer)):
        times = process.cpu_times()
        found[f"{name}_mb"] = process.memory_info().rss / MB
        found[f"{name}_cpu"] = times.user + times.system
        found[f"{name}_files"] = process.num_fds()
    for name in ("checkpoints", "ranks"):
        sizes = sizes_in(folder / name)
        found[f"{name}_mb"], found[f"{name}_files"] = sum(sizes) / MB, len(sizes)
    found["events_mb"] = (folder / "events.jsonl").stat().st_size / MB
    return found


def sizes_in(folder: Path) -> list[int]:
    """Return the sizes of the files in a folder to which another process writes."""
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found.append(entry.stat().st_size)
            except FileNotFoundError:
                continue
    return found


def slopes_of(samples: list[dict[str, Any]]) -> dict[str, float]:
    """Return what grows a minute after the first minutes, and the viewer's CPU in a minute."""
    late = samples[WARM_UP:] if len(samples) > WARM_UP + 2 else samples
    minutes = [(one["at"] - late[0]["at"]) / 60 for one in late]
    keys = "viewer_mb", "trainer_mb", "checkpoints_mb", "ranks_mb", "events_mb"
    slopes = {
        key: statistics.linear_regression(minutes, [s[key] for s in late]).slope for key in keys
    }
    cpu = per_minute(late, "viewer_cpu")
    return slopes | {
        "viewer_cpu_mean": statistics.mean(cpu),
        "viewer_cpu_least": min(cpu),
        "viewer_cpu_most": max(cpu),
        "viewer_cpu_trend": statistics.linear_regression(range(len(cpu)), cpu).slope,
    }


def per_minute(samples: list[dict[str, Any]], key: str) -> list[float]:
    """Return what was added to a figure between samples, as a rate per minute."""
    return [60 * (b[key] - a[key]) / (b["at"] - a["at"]) for a, b in itertools.pairwise(samples)]


def runs_at_rest(home: Path, count: int, quick: bool) -> dict[str, float]:
    """Return the processor time that the runs screen takes while no run changes."""
    with GrowingRun(home, "run-000") as growing:
        growing.finish()
    folder = home / "runs" / "run-000"
    for number in range(1, count):
        copy = home / "runs" / f"run-{number:03}"
        shutil.copytree(folder, copy)
        write_info(copy, msgspec.structs.replace(read_info(folder), name=copy.name))
    with Recorder([*PROGRAM, "runs", "--home", str(home)]) as viewer:
        wait_for(lambda: b"in training" in viewer.received, "the screen")
        time.sleep(3 if quick else SETTLING)
        began, before = time.monotonic(), viewer.cpu_seconds()
        time.sleep(3 if quick else REST_SECONDS)
        share = (viewer.cpu_seconds() - before) / (time.monotonic() - began)
        memory = psutil.Process(viewer.pid).memory_info().rss / MB
    return {"runs": count, "share_of_a_core": share, "viewer_mb": memory}


def minute_table(samples: list[dict[str, Any]]) -> Table:
    columns = (
        "minute", "epochs", "viewer MB", "viewer CPU s", "viewer files", "trainer MB",
        "trainer CPU s", "trainer files", "checkpoints MB (files)", "ranks MB (files)", "events MB",
    )  # fmt: skip
    rows = []
    for before, now in itertools.pairwise(samples):
        cpu = [now[f"{name}_cpu"] - before[f"{name}_cpu"] for name in ("viewer", "trainer")]
        rows.append(
            (
                f"{(now['at'] - samples[0]['at']) / 60:.3g}",
                f"{now['epoch']:,}",
                f"{now['viewer_mb']:.1f}",
                f"{cpu[0]:.2f}",
                f"{now['viewer_files']}",
                f"{now['trainer_mb']:.0f}",
                f"{cpu[1]:.1f}",
                f"{now['trainer_files']}",
                f"{now['checkpoints_mb']:.1f} ({now['checkpoints_files']})",
                f"{now['ranks_mb']:.1f} ({now['ranks_files']:,})",
                f"{now['events_mb']:.1f}",
            )
        )
    return Table(columns, rows)


def slope_table(slopes: dict[str, float]) -> Table:
    cpu = f"{slopes['viewer_cpu_mean']:.2f} s"
    cpu += f" ({slopes['viewer_cpu_least']:.2f}–{slopes['viewer_cpu_most']:.2f}), "
    cpu += f"each minute {slopes['viewer_cpu_trend']:+.3f} s"
    names = {
        "viewer_mb": "memory of the viewer",
        "trainer_mb": "memory of the trainer",
        "checkpoints_mb": "checkpoints",
        "ranks_mb": "ranks",
        "events_mb": "events",
    }
    rows = [(name, f"{slopes[key]:+.3f} MB") for key, name in names.items()]
    return Table(("after the warm-up", "a minute"), [*rows, ("CPU of the viewer", cpu)])


def rest_table(rest: dict[str, float]) -> Table:
    share, memory = f"{100 * rest['share_of_a_core']:.2f} %", f"{rest['viewer_mb']:.0f}"
    columns = "runs screen at rest", "share of a core", "viewer MB"
    return Table(columns, [(f"{rest['runs']:.0f} ended runs", share, memory)])
