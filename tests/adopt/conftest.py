"""Fixtures: data with planted tastes."""

from pathlib import Path

import pytest

from neumf_tui.data.dataset import Dataset
from tests.support.foreign_models import planted_data, write_ratings


@pytest.fixture(scope="session")
def planted() -> Dataset:
    return planted_data()


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """The same data as a file."""
    return write_ratings(tmp_path / "planted.csv")
