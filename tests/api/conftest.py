"""Fixtures: a dataset that a loop of somebody's own trains on, and what it finds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import neumf_tui

Vectors = tuple[NDArray[Any], NDArray[Any]]


@pytest.fixture
def data(with_demo: Path) -> neumf_tui.LoadedDataset:
    return neumf_tui.load_dataset("demo")


@pytest.fixture
def vectors(data: neumf_tui.LoadedDataset) -> Vectors:
    """User and item vectors that are better than chance, with some equal scores."""
    rng = np.random.default_rng(7)
    popular = np.log1p(data.dataset.seen_by)
    users = np.ones((data.num_users, 3))
    users[:, 1:] = rng.integers(-2, 3, size=(data.num_users, 2))
    items = np.stack([np.round(popular), *rng.integers(-1, 2, size=(2, data.num_items))], 1)
    return users.astype(np.float32), items.astype(np.float32)
