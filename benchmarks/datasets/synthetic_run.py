"""A home with a finished run on a synthetic catalogue of any size, to measure speed on big data.

    python -m benchmarks.datasets.synthetic_run FOLDER
        [--items 87000] [--users 330000] [--mean 10] [--seed 0]

Nothing is trained: weights are drawn at the scale of trained ones, and the program's own writers
write two epochs, with the optimiser's state, as a trainer does. One of every five hundred titles is
hostile: empty, very long, with markup or control characters.
"""

import argparse
import time
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.data.split import Interactions
from neumf_tui.evaluation.intervals import hit_interval
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.evaluation.ranks import num_candidates
from neumf_tui.home import runs_dir
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint, set_pointer
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.settings import Settings, make_settings

NAME = "synthetic"
EPOCHS = 2
T0 = 1_700_000_000.0
HOSTILE = (
    "", " ", "[bold]Bold[/]", "\x1b[31mRed\x1b[0m", "tab\there", "שלום \u202eabc", "😀 film",
    "七人の侍", "e\u0301" * 40, "A title that goes on " * 30, "!!!", "1984", "12", "$ (Dollars)",
    "line\nend", "👩‍👩‍👧 family", "\u200b",
)  # fmt: skip
_FIRST = (
    "Silent", "Crimson", "Last", "Burning", "Hidden", "Golden", "Broken", "Distant", "Electric",
    "Frozen", "Midnight", "Paper", "Señor", "Été", "Über", "Lonely", "Wild", "Secret", "Iron",
    "Velvet", "Seven", "Lost", "Bright", "Hollow", "Savage", "Quiet",
)  # fmt: skip
_SECOND = (
    "River", "Garden", "Letter", "Runner", "Harbour", "Mirror", "Station", "Winter", "Orchard",
    "Stranger", "Signal", "Kingdom", "Crossing", "Empire", "Shadow", "Carnival", "Café", "Promise",
    "Machine", "Island", "Witness", "Detective", "Heart", "Road",
)  # fmt: skip
_SYLLABLES = (
    "ba", "ka", "ri", "mo", "ta", "lun", "ver", "sho", "dra", "pel", "qui", "zan", "fo", "gre",
    "hel", "nis", "ost", "wyn",
)  # fmt: skip
_GENRES = (
    "Action", "Comedy", "Crime", "Documentary", "Drama", "Horror", "Romance", "Sci-Fi", "Thriller",
    "Western",
)  # fmt: skip


def make_catalogue(num_items: int, random: np.random.Generator) -> Catalogue:
    """Make up titles like MovieLens: articles at the end, sequels, second names, duplicates."""

    def any_of(words: tuple[str, ...]) -> str:
        return words[int(random.integers(len(words)))]

    def name() -> str:
        made = "".join(any_of(_SYLLABLES) for _ in range(int(random.integers(2, 5)))).capitalize()
        return (
            f"{any_of(_FIRST)} {any_of(_SECOND)}",
            f"{made} {any_of(_SECOND)}",
            f"{any_of(_FIRST)} {made}",
            made,
        )[int(random.integers(4))]

    titles, hostile = [], 0
    for number in range(num_items):
        kind = random.random()
        if number % 500 == 250:
            titles.append(HOSTILE[hostile % len(HOSTILE)])
            hostile += 1
        elif kind < 0.2:
            titles.append(f"{name()}, The")
        elif kind < 0.3:
            titles.append(f"{name()} {int(random.integers(2, 5))}")
        elif kind < 0.35:
            titles.append(f"{name()} ({name()}, La)")
        elif kind < 0.4:
            titles.append(f"{name()}: The {name()} of {name()}")
        else:
            titles.append(name())
    drawn = random.integers(1920, 2024, num_items).tolist()
    years = [None if number % 97 == 0 else year for number, year in enumerate(drawn)]
    pairs = random.integers(len(_GENRES), size=(num_items, 2)).tolist()
    genres = [[_GENRES[genre] for genre in sorted(set(pair))] for pair in pairs]
    return Catalogue([str(n) for n in range(1, num_items + 1)], titles, years, genres)


def make_dataset(
    num_items: int, num_users: int, mean: float, random: np.random.Generator
) -> Dataset:
    """Draw histories of `mean` items on average, at least two, by a Zipf popularity."""
    sizes = 2 + random.geometric(1 / max(mean - 1, 1), num_users) - 1
    sizes = np.minimum(sizes, num_items // 2)
    weights = 1 / (10 + np.arange(num_items)) ** 0.9
    random.shuffle(weights)
    users = np.repeat(np.arange(num_users), sizes)
    drawn = random.random(len(users))
    items = np.searchsorted(np.cumsum(weights) / weights.sum(), drawn).clip(max=num_items - 1)
    times = random.integers(1_000_000_000, 1_700_000_000, len(users))
    return prepare(
        "synthetic",
        "synthetic",
        [str(number) for number in range(1, num_users + 1)],
        make_catalogue(num_items, random),
        Interactions(users, items, times),
        simulated=True,
    )


def make_model(config: NeuMFConfig, seed: int) -> NeuMF:
    """Draw weights of the size of trained ones, with scores that differ by several units.

    Embeddings are N(0, 0.3²), layers N(0, 1/inputs).
    """
    model = NeuMF(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for table in (model.user_gmf, model.item_gmf, model.user_mlp, model.item_mlp):
            table.weight.normal_(0, 0.3, generator=generator)
        for layer in (*model.hidden_layers(), model.head):
            layer.weight.normal_(0, layer.in_features**-0.5, generator=generator)
    return model


def make_ranks(dataset: Dataset, random: np.random.Generator) -> NDArray[np.float32]:
    """Return ranks by popularity with noise, (num_users,); NaN without a held-out item."""
    place = np.empty(dataset.num_items)
    place[np.argsort(-dataset.seen_by, kind="stable")] = np.arange(dataset.num_items)
    heldout = np.asarray(dataset.split.heldout)
    noisy = 1 + place[heldout] * random.lognormal(-0.5, 0.7, len(heldout))
    ranks = np.minimum(noisy.round(), num_candidates(dataset))
    return np.where(heldout >= 0, ranks, np.nan).astype(np.float32)


def write_run(home: Path, dataset: Dataset, seed: int, random: np.random.Generator) -> Path:
    """Write a run as a trainer leaves it after its last epoch; return its folder."""
    settings = make_settings("d2l", {"epochs": EPOCHS, "seed": seed})
    folder = runs_dir(home) / NAME
    create_run(folder, _run_info(home, dataset, settings))
    model = make_model(_config(dataset, settings), seed)
    steps = -(-dataset.num_train // settings.batch_size)
    chance = {"hit@10": 0.0, "hit@50": 0.001, "ndcg@10": 0.0, "mrr": 0.0, "auc": 0.5}
    with RunWriter(folder) as writer:
        started = events.Started(
            t=T0, device="cpu", epoch=0, step=0, steps=steps, popularity=chance
        )
        writer.event(started)
        for epoch in range(1, EPOCHS + 1):
            ranks = make_ranks(dataset, random)
            writer.ranks(epoch, ranks)
            file = _save_model(folder, dataset, settings, model, epoch)
            _write_epoch(writer, dataset, ranks, epoch, steps, file)
            with torch.no_grad():
                for parameter in model.parameters():
                    noise = random.normal(0, 0.05, parameter.shape).astype(np.float32)
                    parameter.add_(torch.from_numpy(noise))
        set_pointer(folder, "best", file)
        writer.event(events.Finished(t=T0 + EPOCHS + 1, state="finished", reason=""))
        status = events.Status(
            state="finished", pid=1, epoch=EPOCHS, steps=steps, epochs=EPOCHS, device="cpu"
        )
        writer.status(status)
    return folder


def _run_info(home: Path, dataset: Dataset, settings: Settings) -> events.RunInfo:
    reference = events.DatasetRef(
        name=dataset.name,
        simulated=dataset.simulated,
        fingerprint=dataset.fingerprint,
        source=dataset.source,
        num_users=dataset.num_users,
        num_items=dataset.num_items,
        num_train=dataset.num_train,
    )
    return events.RunInfo(
        name=NAME,
        created=T0,
        preset="d2l",
        settings=msgspec.to_builtins(settings),
        dataset=reference,
        home=str(home),
        protocol={"exclude_heldout": settings.exclude_heldout},
        host="nowhere",
        versions={},
    )


def _config(dataset: Dataset, settings: Settings) -> NeuMFConfig:
    sizes = (dataset.num_users, dataset.num_items)
    return NeuMFConfig(*sizes, settings.embedding_size, settings.mlp_layers)


def _save_model(
    folder: Path, dataset: Dataset, settings: Settings, model: NeuMF, epoch: int
) -> str:
    """Save a checkpoint with an optimiser's state, which makes it as large as a trainer's."""
    tensors = {name: weight.numpy().copy() for name, weight in model.state_dict().items()}
    moments = {
        f"adam.{key}.{name}": np.zeros_like(tensor)
        for key in ("exp_avg", "exp_avg_sq")
        for name, tensor in tensors.items()
    }
    shape: dict[str, bool | int | float | str | list[int]] = {
        "num_users": dataset.num_users,
        "num_items": dataset.num_items,
        "embedding_size": settings.embedding_size,
        "mlp_layers": [*settings.mlp_layers],
    }
    about = Checkpoint(
        fingerprint=dataset.fingerprint, progress=TrainingProgress(epoch=epoch), shape=shape
    )
    return save_checkpoint(folder, tensors | moments, about).name


def _write_epoch(
    writer: RunWriter,
    dataset: Dataset,
    ranks: NDArray[np.float32],
    epoch: int,
    steps: int,
    file: str,
) -> None:
    t, loss = T0 + epoch, 0.6 / epoch
    writer.event(events.Steps(t=t, steps=[epoch * steps], losses=[loss]))
    writer.event(events.Epoch(t=t, epoch=epoch, loss=loss, examples_per_second=1e6, seconds=1.0))
    metrics, interval = metrics_from_ranks(ranks, num_candidates(dataset)), hit_interval(ranks)
    writer.event(
        events.Evaluated(t=t, epoch=epoch, metrics=metrics, interval=interval, seconds=1.0)
    )
    writer.event(events.Checkpointed(t=t, epoch=epoch, step=0, file=file))


def make_home(
    home: Path,
    num_items: int = 87_000,
    num_users: int = 330_000,
    mean: float = 10.0,
    seed: int = 0,
) -> Path:
    """Write dataset and run `synthetic` under `home`; return the run's folder."""
    random = np.random.default_rng(seed)
    dataset = make_dataset(num_items, num_users, mean, random)
    save(dataset, prepared_dir(home))
    return write_run(home, dataset, seed, random)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=87_000)
    parser.add_argument("--users", type=int, default=330_000)
    parser.add_argument("--mean", type=float, default=10.0, help="mean length of a history")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.monotonic()
    print(make_home(options.folder, options.items, options.users, options.mean, options.seed))
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
