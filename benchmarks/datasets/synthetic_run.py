"""A home with a finished run on an invented catalogue of any size: the big data that speed is measured on.

    python -m benchmarks.datasets.synthetic FOLDER [--films 87000] [--users 330000] [--mean 10] [--seed 0]

Nothing is trained: the weights are drawn at a scale like that of trained ones, and written by the program's own writers, for two
epochs, with the optimiser's state, as a trainer leaves them. Titles are made up, a hostile one among every five hundred.
"""

import argparse
import time
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset, prepare
from neumf_tui.data.prepared import prepared_dir, save
from neumf_tui.data.split import Interactions
from neumf_tui.evaluation.evaluator import num_candidates
from neumf_tui.evaluation.metrics import hit_interval, metrics_from_ranks
from neumf_tui.home import runs_dir
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs import events
from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint, set_pointer
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.settings import make_settings

NAME = "synthetic"
EPOCHS = 2
T0 = 1_700_000_000.0
HOSTILE = (
    "", " ", "[bold]Bold[/]", "\x1b[31mRed\x1b[0m", "tab\there", "שלום \u202eabc", "😀 film", "七人の侍", "e\u0301" * 40,
    "A title that goes on " * 30, "!!!", "1984", "12", "$ (Dollars)", "line\nend", "👩‍👩‍👧 family", "\u200b",
)  # fmt: skip
_FIRST = (
    "Silent", "Crimson", "Last", "Burning", "Hidden", "Golden", "Broken", "Distant", "Electric", "Frozen", "Midnight", "Paper",
    "Señor", "Été", "Über", "Lonely", "Wild", "Secret", "Iron", "Velvet", "Seven", "Lost", "Bright", "Hollow", "Savage", "Quiet",
)  # fmt: skip
_SECOND = (
    "River", "Garden", "Letter", "Runner", "Harbour", "Mirror", "Station", "Winter", "Orchard", "Stranger", "Signal", "Kingdom",
    "Crossing", "Empire", "Shadow", "Carnival", "Café", "Promise", "Machine", "Island", "Witness", "Detective", "Heart", "Road",
)  # fmt: skip
_SYLLABLES = (
    "ba", "ka", "ri", "mo", "ta", "lun", "ver", "sho", "dra", "pel", "qui", "zan", "fo", "gre", "hel", "nis", "ost", "wyn",
)  # fmt: skip
_GENRES = (
    "Action",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Horror",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "Western",
)


def make_catalogue(films: int, random: np.random.Generator) -> Catalogue:
    """Titles as MovieLens writes them: articles at the end, sequels, other names in brackets, the same title twice."""

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
    for number in range(films):
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
    years: list[int | None] = [
        None if n % 97 == 0 else int(y) for n, y in enumerate(random.integers(1920, 2024, films))
    ]
    genres = [
        [_GENRES[g] for g in sorted(set(drawn))]
        for drawn in random.integers(len(_GENRES), size=(films, 2)).tolist()
    ]
    return Catalogue([str(number) for number in range(1, films + 1)], titles, years, genres)


def make_dataset(films: int, users: int, mean: float, random: np.random.Generator) -> Dataset:
    """`users` histories of `mean` films on average (at least two), drawn by a long-tailed popularity (Zipf)."""
    sizes = np.minimum(2 + random.geometric(1 / max(mean - 1, 1), users) - 1, films // 2)
    weights = 1 / (10 + np.arange(films)) ** 0.9
    random.shuffle(weights)
    rows = np.repeat(np.arange(users), sizes)
    items = np.searchsorted(np.cumsum(weights) / weights.sum(), random.random(len(rows))).clip(
        max=films - 1
    )
    times = random.integers(1_000_000_000, 1_700_000_000, len(rows))
    return prepare(
        "synthetic", "invented", [str(number) for number in range(1, users + 1)], make_catalogue(films, random),
        Interactions(rows, items, times), simulated=True,
    )  # fmt: skip


def make_model(config: NeuMFConfig, seed: int) -> NeuMF:
    """Weights of the size that training leaves: embeddings N(0, 0.3²), layers N(0, 1/inputs); scores spread over some units."""
    model = NeuMF(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for table in (model.user_gmf, model.item_gmf, model.user_mlp, model.item_mlp):
            table.weight.normal_(0, 0.3, generator=generator)
        for layer in (*model.hidden_layers(), model.head):
            layer.weight.normal_(0, layer.in_features**-0.5, generator=generator)
    return model


def make_ranks(dataset: Dataset, random: np.random.Generator) -> NDArray[np.float32]:
    """Ranks as if by popularity with noise; shape (num_users,), NaN where nothing is held out."""
    place = np.empty(dataset.num_items)
    place[np.argsort(-dataset.seen_by, kind="stable")] = np.arange(dataset.num_items)
    heldout = np.asarray(dataset.split.heldout)
    noisy = 1 + place[heldout] * random.lognormal(-0.5, 0.7, len(heldout))
    return np.where(
        heldout >= 0, np.minimum(noisy.round(), num_candidates(dataset)), np.nan
    ).astype(np.float32)


def write_run(home: Path, dataset: Dataset, seed: int, random: np.random.Generator) -> Path:
    """The run's folder, as the trainer would leave it after its last epoch."""
    settings = make_settings("d2l", {"epochs": EPOCHS, "seed": seed})
    folder = runs_dir(home) / NAME
    info = events.RunInfo(
        name=NAME,
        created=T0,
        preset="d2l",
        settings=msgspec.to_builtins(settings),
        dataset=events.DatasetRef(
            name=dataset.name, simulated=dataset.simulated, fingerprint=dataset.fingerprint, source=dataset.source,
            num_users=dataset.num_users, num_items=dataset.num_items, num_train=dataset.num_train,
        ),
        home=str(home),
        protocol={"exclude_heldout": settings.exclude_heldout},
        host="nowhere",
        versions={},
    )  # fmt: skip
    create_run(folder, info)
    config = NeuMFConfig(
        dataset.num_users, dataset.num_items, settings.embedding_size, settings.mlp_layers
    )
    model = make_model(config, seed)
    steps = -(-dataset.num_train // settings.batch_size)
    chance = {"hit@10": 0.0, "hit@50": 0.001, "ndcg@10": 0.0, "mrr": 0.0, "auc": 0.5}
    with RunWriter(folder) as writer:
        writer.event(
            events.Started(t=T0, device="cpu", epoch=0, step=0, steps=steps, popularity=chance)
        )
        for epoch in range(1, EPOCHS + 1):
            tensors = {name: weight.numpy().copy() for name, weight in model.state_dict().items()}
            # As large as the trainer's files are, for they are read whole.
            tensors |= {
                f"adam.{key}.{name}": np.zeros_like(tensors[name])
                for key in ("exp_avg", "exp_avg_sq")
                for name in tensors
            }
            ranks = make_ranks(dataset, random)
            writer.ranks(epoch, ranks)
            shape = {
                "num_users": config.num_users,
                "num_items": config.num_items,
                "embedding_size": config.embedding_size,
            }
            about = Checkpoint(
                fingerprint=dataset.fingerprint,
                progress=TrainingProgress(epoch=epoch),
                shape={**shape, "mlp_layers": [*config.mlp_layers]},
            )
            path = save_checkpoint(folder, tensors, about)
            loss = 0.6 / epoch
            writer.event(events.Steps(t=T0 + epoch, steps=[epoch * steps], losses=[loss]))
            writer.event(
                events.Epoch(
                    t=T0 + epoch, epoch=epoch, loss=loss, examples_per_second=1e6, seconds=1.0
                )
            )
            metrics, interval = (
                metrics_from_ranks(ranks, num_candidates(dataset)),
                hit_interval(ranks),
            )
            writer.event(
                events.Evaluated(
                    t=T0 + epoch, epoch=epoch, metrics=metrics, interval=interval, seconds=1.0
                )
            )
            writer.event(events.Checkpointed(t=T0 + epoch, epoch=epoch, step=0, file=path.name))
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(
                        torch.from_numpy(random.normal(0, 0.05, parameter.shape).astype(np.float32))
                    )
        set_pointer(folder, "best", path.name)
        writer.event(events.Finished(t=T0 + EPOCHS + 1, state="finished", reason=""))
        writer.status(
            events.Status(
                state="finished", pid=1, epoch=EPOCHS, steps=steps, epochs=EPOCHS, device="cpu"
            )
        )
    return folder


def make_home(
    home: Path, films: int = 87_000, users: int = 330_000, mean: float = 10.0, seed: int = 0
) -> Path:
    """Lay out dataset and run `synthetic` under `home`; the run's folder."""
    random = np.random.default_rng(seed)
    dataset = make_dataset(films, users, mean, random)
    save(dataset, prepared_dir(home))
    return write_run(home, dataset, seed, random)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=87_000)
    parser.add_argument("--users", type=int, default=330_000)
    parser.add_argument("--mean", type=float, default=10.0, help="films a user has seen on average")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    print(make_home(options.folder, options.films, options.users, options.mean, options.seed))
    print(f"{time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
