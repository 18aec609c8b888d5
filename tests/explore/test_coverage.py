"""Gini index of how often items are recommended."""

import numpy as np
import pytest

from neumf_tui.explore.coverage import gini


def test_gini_by_hand() -> None:
    assert gini([4, 4, 4, 4]) == pytest.approx(0)
    assert gini([0, 0, 0, 8]) == pytest.approx(3 / 4)
    assert gini([1, 3]) == pytest.approx(1 / 4)
    assert gini([3, 1, 2]) == pytest.approx((-2 * 1 + 0 * 2 + 2 * 3) / (3 * 6))
    assert gini([]) == gini([0, 0]) == 0.0
    counts = np.zeros(87_000)
    counts[17] = 5
    assert gini(counts) == pytest.approx(1 - 1 / 87_000)


def test_gini_is_half_the_relative_mean_difference() -> None:
    counts = np.random.default_rng(2).geometric(0.1, 300)
    apart = np.abs(counts[:, None] - counts[None, :]).mean()
    assert gini(counts) == pytest.approx(apart / (2 * counts.mean()))
