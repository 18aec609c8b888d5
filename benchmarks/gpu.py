"""Training and evaluation on one GPU, against what it can do at most: `python -m benchmarks gpu`.

Measures the ceilings (copying, gathering rows of 64 floats at random, float32 and TF32 products of matrices), calculates bytes
and operations of a training step and of an evaluation, and times both with the trainer and the evaluator of every run: at
ML-20M's size with 64 factors, and preset `d2l` on ML-100K. With `--device cpu` all is done once on tiny data: does it work?
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.datasets import cached
from benchmarks.host import say
from benchmarks.report import Options, Report, Table, middle, times
from benchmarks.work import Work, evaluation_work, step_work
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import load
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.settings import Settings, make_settings
from neumf_tui.training.trainer import Trainer

FACTORS = 64
BATCHES = (65_536, 262_144, 1_048_576)
FLOAT = 4
"""Bytes."""


def run(options: Options) -> Report:
    """Ends with code 2 where the device is not there."""
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        say(
            f"gpu: torch {torch.__version__} finds no CUDA device here; --device cpu tries the script on tiny data"
        )
        raise SystemExit(2)
    tiny = options.quick or device.type == "cpu"
    rounds = 1 if tiny else options.rounds or 5
    limits = ceilings(device, tiny, rounds)
    for what, found in limits.items():
        say(f"  {what}: {statistics.median(found):,.3g}")
    small = open_dataset(
        "demo" if tiny else "ml-100k",
        None if tiny else options.data_dir,
        options.cache / "home",
        say,
        lambda _: None,
    )
    folder = None if tiny else cached.prepared(options.cache)
    large = load(folder.parent, folder.name) if folder else small
    trained = [
        training(large, device, batch, rounds, tiny) for batch in ((4096,) if tiny else BATCHES)
    ]
    ranked = evaluation(large, device, rounds)
    short = epoch_of(small, device, 10 * rounds)
    return report(device, large, small, limits, trained, ranked, short, rounds)


def timed(device: torch.device, work: Callable[[], Any], rounds: int) -> list[float]:
    """Seconds of each of `rounds` calls, after one that does not count; the device is waited for before and after."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = []
    for _ in range(rounds + 1):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - begun)
    return seconds[1:]


def ceilings(device: torch.device, tiny: bool, rounds: int) -> dict[str, list[float]]:
    """What the device does at most: GB/s, read and written both counted; TFLOP/s, a product and its sum being two operations."""
    cells, rows, side = (1 << 20, 1 << 14, 256) if tiny else (1 << 28, 1 << 23, 8192)
    repeats = 1 if tiny else 10
    source, target = torch.ones(cells, device=device), torch.empty(cells, device=device)
    table = torch.ones(rows, FACTORS, device=device)
    chosen = torch.randint(rows, (rows,), device=device)
    gathered = torch.empty_like(table)
    matrix = torch.rand(side, side, device=device)

    def rate(amount: float, work: Callable[[], Any]) -> list[float]:
        def several() -> None:
            for _ in range(repeats):
                work()

        return [repeats * amount / seconds for seconds in timed(device, several, rounds)]

    found = {
        "copy, GB/s": rate(2 * cells * FLOAT / 1e9, lambda: target.copy_(source)),
        "gather of 64 floats, GB/s": rate(
            2 * gathered.numel() * FLOAT / 1e9,
            lambda: torch.index_select(table, 0, chosen, out=gathered),
        ),
        "float32 product, TFLOP/s": rate(2 * side**3 / 1e12, lambda: matrix @ matrix),
    }
    if device.type == "cuda":
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        found["TF32 product, TFLOP/s"] = rate(2 * side**3 / 1e12, lambda: matrix @ matrix)
        torch.set_float32_matmul_precision(before)
    return found


def settings_of(batch: int) -> Settings:
    return make_settings(
        "d2l",
        {"batch_size": batch, "embedding_size": FACTORS, "mlp_layers": [FACTORS] * 3, "seed": 0},
    )


def training(
    data: Dataset, device: torch.device, batch: int, rounds: int, tiny: bool
) -> dict[str, Any]:
    """Seconds of whole epochs in batches of this size, as a run trains them."""
    settings = settings_of(batch)
    trainer = Trainer(data, settings, device)
    epochs = iter(range(1, 1000))

    def epoch() -> None:
        for one in trainer.batches(next(epochs)):
            trainer.step(one)

    seconds = timed(device, epoch, rounds)
    weights = sum(parameter.numel() for parameter in trainer.model.parameters())
    work = step_work(
        min(batch, data.num_train), settings.negatives, FACTORS, settings.mlp_layers, weights
    )
    scored = data.num_train * (1 + settings.negatives)
    say(
        f"  batches of {batch:,}: {scored / statistics.median(seconds) / 1e6:,.1f} million scored pairs/s"
    )
    return {
        "batch": batch,
        "steps": trainer.steps,
        "epoch_seconds": seconds,
        "scored_pairs": scored,
        "work": work,
    }


def evaluation(data: Dataset, device: torch.device, rounds: int) -> dict[str, Any]:
    """Seconds in which all users' items are ranked."""
    settings = settings_of(BATCHES[-1])
    model, evaluator = Trainer(data, settings, device).model, Evaluator(data, device)
    seconds = timed(device, lambda: evaluator.ranks(model), rounds)
    pairs = data.num_users * data.num_items
    say(f"  evaluation of {pairs:,} pairs: {statistics.median(seconds):.3f} s")
    return {
        "seconds": seconds,
        "pairs": pairs,
        "work": evaluation_work(data.num_users, data.num_items, FACTORS, settings.mlp_layers),
    }


def epoch_of(data: Dataset, device: torch.device, rounds: int) -> list[float]:
    """Seconds of an epoch of preset `d2l`."""
    trainer = Trainer(data, make_settings("d2l", {}), device)
    epochs = iter(range(1, 10_000))

    def epoch() -> None:
        for one in trainer.batches(next(epochs)):
            trainer.step(one)

    return timed(device, epoch, rounds)


def report(
    device: torch.device, large: Dataset, small: Dataset, limits: dict[str, list[float]], trained: list[dict[str, Any]],
    ranked: dict[str, Any], short: list[float], rounds: int,
) -> Report:  # fmt: skip
    bandwidth = 1e9 * statistics.median(limits["copy, GB/s"])
    peak = 1e12 * statistics.median(limits["float32 product, TFLOP/s"])

    def row(what: str, work: Work, seconds: float, pairs: float) -> list[str]:
        least = max(work.bytes / bandwidth, work.operations / peak)
        return [
            what, f"{1000 * seconds:,.3f}", f"{work.bytes / 1e9:,.3f}", f"{work.operations / 1e12:,.4f}",
            f"{work.bytes / seconds / 1e9:,.0f}", f"{work.operations / seconds / 1e12:,.2f}",
            "bytes" if work.bytes / bandwidth > work.operations / peak else "operations", f"{seconds / least:,.1f}",
            f"{pairs / seconds / 1e6:,.1f}",
        ]  # fmt: skip

    rows = []
    for one in trained:
        step = statistics.median(one["epoch_seconds"]) / one["steps"]
        rows.append(
            row(
                f"step of {one['batch']:,} pairs",
                one["work"],
                step,
                one["scored_pairs"] / one["steps"],
            )
        )
    rows.append(
        row("evaluation", ranked["work"], statistics.median(ranked["seconds"]), ranked["pairs"])
    )
    columns = [
        "",
        "ms",
        "GB by calculation",
        "TFLOP by calculation",
        "GB/s",
        "TFLOP/s",
        "bound by",
        "times the bound",
        "million pairs/s",
    ]
    best = max(one["scored_pairs"] / statistics.median(one["epoch_seconds"]) for one in trained)
    facts = [
        ["training, million scored pairs/s, best batch", f"{best / 1e6:,.1f}"],
        [f"evaluation of {ranked['pairs']:,} pairs, s", middle(ranked["seconds"], "{:.3f}")],
        [f"epoch of `d2l` on {small.label}, ms", middle([1000 * one for one in short], "{:.2f}")],
    ]
    return Report(
        title=f"Training and evaluation on {device_name(device)}",
        figures={
            "device": device_name(device), "cuda": torch.version.cuda, "ceilings": limits, "training": trained,
            "evaluation": ranked, "epoch_seconds_of_d2l": short, "users": large.num_users, "items": large.num_items,
            "pairs": large.num_train,
        },
        repeats=f"Medians of {times(rounds, 'repeat')} after one that does not count (of the `d2l` epoch {len(short)})",
        tables=[
            Table(["", "at ML-20M's size" if large.num_users > 100_000 else "on tiny data"], facts),
            Table(columns, rows),
            Table(["ceiling", "measured"], [[what, middle(found, "{:,.3g}")] for what, found in limits.items()]),
        ],
        notes=[
            f"{large.num_users:,} users, {large.num_items:,} items, {large.num_train:,} training pairs, {FACTORS} factors, MLP "
            f"{FACTORS}-{FACTORS}-{FACTORS}, one negative; scored pairs are positives and negatives, each counted. Epochs are "
            "whole: the drawing of order and negatives is in them.",
            "Bytes and operations are calculated (`benchmarks/work.py`): what a step and an evaluation that fuse nothing have "
            "to move and do; the bound is the longer of bytes at the speed of a copy and operations at that of a product.",
        ],
        versions={"CUDA": torch.version.cuda} if torch.version.cuda else {},
    )  # fmt: skip


def device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return "the CPU (tiny: only whether it works)"
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
