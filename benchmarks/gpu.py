"""Training and evaluation on one GPU, compared with the most that the GPU can do.

Measures the limits of the GPU (copying, gathering random rows of 64 floats, matrix products in
float32 and TF32), calculates bytes and operations of a training step and of an evaluation, and
times both with the trainer and evaluator of the program: at ML-20M's size with 64 factors, and
preset `d2l` on ML-100K. With `--device cpu` everything is done once on small data, as a test.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import torch

from benchmarks.datasets import cached
from benchmarks.host import say
from benchmarks.program import open_data, train_epochs
from benchmarks.report import Options, Report, Table, middle, times
from benchmarks.work import Work, evaluation_work, step_work
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import load
from neumf_tui.settings import Settings, make_settings
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer

FACTORS = 64
BATCHES = (65_536, 262_144, 1_048_576)
FLOAT = 4
"""Bytes."""


def run(options: Options) -> Report:
    """Measure; ends with exit code 2 if the device does not exist."""
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        say(
            f"gpu: torch {torch.__version__} finds no CUDA device here; "
            "--device cpu tests the benchmark on small data"
        )
        raise SystemExit(2)
    small = options.quick or device.type == "cpu"
    rounds = 1 if small else options.rounds or 5
    limits = measure_limits(device, small, rounds)
    for what, rates in limits.items():
        say(f"  {what}: {statistics.median(rates):,.3g}")
    deck = open_data(replace(options, quick=small), options.cache / "home")
    folder = None if small else cached.prepared(options.cache)
    large = load(folder.parent, folder.name) if folder else deck
    batches = (4096,) if small else BATCHES
    d2l = Trainer(deck, make_settings("d2l", {}), device)
    found = {
        "device": device_name(device),
        "cuda": torch.version.cuda,
        "ceilings": limits,
        "training": [training(large, device, batch, rounds) for batch in batches],
        "evaluation": evaluation(large, device, rounds),
        "epoch_seconds_of_d2l": epoch_seconds(d2l, device, 10 * rounds),
        "users": large.num_users,
        "items": large.num_items,
        "pairs": large.num_train,
    }
    return report(found, deck.label, rounds)


def timed(device: torch.device, work: Callable[[], Any], rounds: int) -> list[float]:
    """Return the seconds of `rounds` calls after a first one that does not count."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    seconds = []
    for _ in range(rounds + 1):
        wait()
        started = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def measure_limits(device: torch.device, small: bool, rounds: int) -> dict[str, list[float]]:
    """Return the most that the device can do.

    GB/s count bytes read and bytes written. TFLOP/s count a product and its sum as two operations.
    """
    cells, rows, side = (1 << 20, 1 << 14, 256) if small else (1 << 28, 1 << 23, 8192)
    repeats = 1 if small else 10
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

    def gather() -> torch.Tensor:
        return torch.index_select(table, 0, chosen, out=gathered)

    found = {
        "copy, GB/s": rate(2 * cells * FLOAT / 1e9, lambda: target.copy_(source)),
        "gather of 64 floats, GB/s": rate(2 * gathered.numel() * FLOAT / 1e9, gather),
        "float32 product, TFLOP/s": rate(2 * side**3 / 1e12, lambda: matrix @ matrix),
    }
    if device.type == "cuda":
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        found["TF32 product, TFLOP/s"] = rate(2 * side**3 / 1e12, lambda: matrix @ matrix)
        torch.set_float32_matmul_precision(before)
    return found


def settings_of(batch: int) -> Settings:
    sizes = {"embedding_size": FACTORS, "mlp_layers": [FACTORS] * 3}
    return make_settings("d2l", {"batch_size": batch, "seed": 0, **sizes})


def epoch_seconds(trainer: Trainer, device: torch.device, rounds: int) -> list[float]:
    """Return the seconds of whole epochs, as a run trains them."""
    epochs = count(1)
    return timed(device, lambda: train_epochs(trainer, [next(epochs)]), rounds)


def training(data: Dataset, device: torch.device, batch: int, rounds: int) -> dict[str, Any]:
    """Time epochs with this batch size, and calculate the work of a step."""
    settings = settings_of(batch)
    trainer = Trainer(data, settings, device)
    weights = sum(parameter.numel() for parameter in trainer.model.parameters())
    seconds = epoch_seconds(trainer, device, rounds)
    pairs = min(batch, data.num_train)
    work = step_work(pairs, settings.negatives, FACTORS, settings.mlp_layers, weights)
    scored = data.num_train * (1 + settings.negatives)
    rate = scored / statistics.median(seconds) / 1e6
    say(f"  batches of {batch:,}: {rate:,.1f} million scored pairs/s")
    return {
        "batch": batch,
        "steps": trainer.steps,
        "epoch_seconds": seconds,
        "scored_pairs": scored,
        "work": work,
    }


def evaluation(data: Dataset, device: torch.device, rounds: int) -> dict[str, Any]:
    """Time the ranking of all items for all users, and calculate its work."""
    settings = settings_of(BATCHES[-1])
    model, evaluator = Trainer(data, settings, device).model, ModelRanks(data, device)
    seconds = timed(device, lambda: evaluator.by_model(model), rounds)
    pairs = data.num_users * data.num_items
    say(f"  evaluation of {pairs:,} pairs: {statistics.median(seconds):.3f} s")
    return {
        "seconds": seconds,
        "pairs": pairs,
        "work": evaluation_work(data.num_users, data.num_items, FACTORS, settings.mlp_layers),
    }


COLUMNS = (
    "", "ms", "GB, calculated", "TFLOP, calculated", "GB/s", "TFLOP/s", "limited by",
    "times the limit", "million pairs/s",
)  # fmt: skip


def report(found: dict[str, Any], deck: str, rounds: int) -> Report:
    """Make the report; `deck` is the name of the data of the `d2l` epochs."""
    limits, ranked, short = found["ceilings"], found["evaluation"], found["epoch_seconds_of_d2l"]
    trained = found["training"]
    best = max(one["scored_pairs"] / statistics.median(one["epoch_seconds"]) for one in trained)
    facts = [
        ["training, million scored pairs/s, best batch", f"{best / 1e6:,.1f}"],
        [f"evaluation of {ranked['pairs']:,} pairs, s", middle(ranked["seconds"], "{:.3f}")],
        [f"epoch of `d2l` on {deck}, ms", middle([1000 * one for one in short], "{:.2f}")],
    ]
    size = "at ML-20M's size" if found["users"] > 100_000 else "on small data"
    measured = [[what, middle(rates, "{:,.3g}")] for what, rates in limits.items()]
    return Report(
        title=f"Training and evaluation on {found['device']}",
        figures=found,
        repeats=f"Medians of {times(rounds, 'repeat')} after one that does not count "
        f"({len(short)} of the `d2l` epoch)",
        tables=[
            Table(["", size], facts),
            Table(COLUMNS, work_rows(limits, trained, ranked)),
            Table(["limit", "measured"], measured),
        ],
        notes=[
            f"{found['users']:,} users, {found['items']:,} items, {found['pairs']:,} training "
            f"pairs, {FACTORS} factors, MLP {FACTORS}-{FACTORS}-{FACTORS}, one negative; scored "
            "pairs are positives and negatives, each counted. Epochs are whole, with the drawing "
            "of order and negatives.",
            "Bytes and operations are calculated (`benchmarks/work.py`): what a step and an "
            "evaluation without fused operations move and compute. The limit is the longer of the "
            "time for the bytes at the speed of a copy and the time for the operations at the "
            "speed of a float32 product.",
        ],
        versions={"CUDA": found["cuda"]} if found["cuda"] else {},
    )


def work_rows(
    limits: dict[str, list[float]], trained: list[dict[str, Any]], ranked: dict[str, Any]
) -> list[list[str]]:
    """Compare steps and evaluation with the limits."""
    bandwidth = 1e9 * statistics.median(limits["copy, GB/s"])
    peak = 1e12 * statistics.median(limits["float32 product, TFLOP/s"])

    def row(what: str, work: Work, seconds: float, pairs: float) -> list[str]:
        moving, computing = work.bytes / bandwidth, work.operations / peak
        return [
            what,
            f"{1000 * seconds:,.3f}",
            f"{work.bytes / 1e9:,.3f}",
            f"{work.operations / 1e12:,.4f}",
            f"{work.bytes / seconds / 1e9:,.0f}",
            f"{work.operations / seconds / 1e12:,.2f}",
            "bytes" if moving > computing else "operations",
            f"{seconds / max(moving, computing):,.1f}",
            f"{pairs / seconds / 1e6:,.1f}",
        ]

    rows = []
    for one in trained:
        step = statistics.median(one["epoch_seconds"]) / one["steps"]
        pairs = one["scored_pairs"] / one["steps"]
        rows.append(row(f"step of {one['batch']:,} pairs", one["work"], step, pairs))
    seconds = statistics.median(ranked["seconds"])
    return [*rows, row("evaluation", ranked["work"], seconds, ranked["pairs"])]


def device_name(device: torch.device) -> str:
    if device.type != "cuda":
        return "the CPU (small data, only a test)"
    properties = torch.cuda.get_device_properties(device)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
