"""Datasets small enough to be worked out by hand."""

import numpy as np

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.split import Interactions


def tiny_dataset(histories: list[list[int]], num_items: int) -> Dataset:
    """Make users with these histories in order of time; the last of two or more is held out."""
    pairs = [
        (user, item, time)
        for user, items in enumerate(histories)
        for time, item in enumerate(items)
    ]
    users, items, times = (np.array(column) for column in zip(*pairs, strict=True))
    names = [f"i{item}" for item in range(num_items)]
    catalogue = Catalogue(names, names, [None] * num_items, [[] for _ in names])
    return prepare(
        "tiny",
        "a test",
        [f"u{user}" for user in range(len(histories))],
        catalogue,
        Interactions(users, items, times),
    )


def random_dataset(num_users: int = 12, num_items: int = 30, size: int = 9) -> Dataset:
    """Draw `size` interactions per user; later items are up to five times as popular."""
    rng = np.random.default_rng(0)
    chance = np.linspace(1, 5, num_items)
    return tiny_dataset(
        [
            rng.choice(num_items, size, replace=False, p=chance / chance.sum()).tolist()
            for _ in range(num_users)
        ],
        num_items,
    )


def dataset_of(triples: list[tuple[int, int, int]], num_users: int, num_items: int) -> Dataset:
    """Make a dataset of (user, item, time) triples."""
    users, items, times = (
        np.array(column, dtype=np.int64) for column in zip(*triples, strict=True)
    )
    names = [str(n) for n in range(num_items)]
    catalogue = Catalogue(names, names, [None] * num_items, [[] for _ in names])
    return prepare(
        "planted",
        "here",
        [str(n) for n in range(num_users)],
        catalogue,
        Interactions(users, items, times),
    )
