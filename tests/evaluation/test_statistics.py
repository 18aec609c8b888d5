"""Statistics against scipy, and against cases worked by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats

from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import hit_difference_interval, mean_difference_interval
from neumf_tui.evaluation.significance import mcnemar
from neumf_tui.explore.cohorts import quartile_groups
from neumf_tui.explore.coverage import gini


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1.0
    assert mcnemar(1, 0) == 1.0
    assert mcnemar(5, 0) == pytest.approx(2 / 32)
    assert mcnemar(1, 4) == pytest.approx(2 * (1 + 5) / 32)
    assert mcnemar(0, 2000) == 0.0 and mcnemar(0, 1000) == pytest.approx(2 * 0.5**1000)
    with pytest.raises(ValueError, match="at least 0"):
        mcnemar(-1, 3)


@pytest.mark.parametrize(
    ("won", "lost"),
    [
        (3, 2),
        (2, 3),
        (10, 25),
        (121, 90),
        (1000, 1001),
        (5000, 5300),
        (100_000, 101_000),
        (330_000, 0),
        (165_000, 165_001),
        (1, 900),
    ],
)
def test_mcnemar_is_scipys_binomial_test(won: int, lost: int) -> None:
    expected = scipy.stats.binomtest(won, won + lost, 0.5).pvalue
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-6)


def kinds(won: int, lost: int, same: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.repeat([1.0, -1.0, 0.0], [won, lost, same])


def scipys(differences: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
    """The paired bootstrap of two models' outcomes, the difference of their means."""
    first, second = np.zeros_like(differences), differences
    found = scipy.stats.bootstrap(
        (second, first), lambda a, b, axis: (a - b).mean(axis), paired=True, method="percentile", n_resamples=10_000,
        rng=np.random.default_rng(5), batch=500,
    )  # fmt: skip
    return found.confidence_interval.low, found.confidence_interval.high


@pytest.mark.parametrize(("won", "lost", "same"), [(60, 31, 852), (5, 0, 20), (200, 210, 0)])
def test_the_interval_of_hits_is_scipys_paired_bootstrap(won: int, lost: int, same: int) -> None:
    low, high = hit_difference_interval(won, lost, same)
    expected = scipys(kinds(won, lost, same))
    # Two bootstraps differ by chance; their ends by far less than this part of the width, or by one user.
    assert (low, high) == pytest.approx(
        expected, abs=0.06 * (expected[1] - expected[0]) + 1 / (won + lost + same)
    )
    assert (low, high) == hit_difference_interval(won, lost, same)


def test_another_seed_is_another_draw() -> None:
    assert hit_difference_interval(3000, 2000, 9999) != hit_difference_interval(
        3000, 2000, 9999, seed=1
    )


def test_the_interval_of_hits_by_hand() -> None:
    assert hit_difference_interval(0, 0, 10) == (0.0, 0.0)
    assert hit_difference_interval(10, 0, 0) == (1.0, 1.0)
    low, high = hit_difference_interval(30_000, 28_000, 272_000)
    share, spread = 2000 / 330_000, math.sqrt(58_000 / 330_000) / math.sqrt(330_000)
    assert (low, high) == pytest.approx((share - 1.96 * spread, share + 1.96 * spread), rel=0.05)
    with pytest.raises(RunError, match="nothing to compare"):
        hit_difference_interval(0, 0, 0)


def test_the_interval_of_means_is_scipys_paired_bootstrap() -> None:
    differences = (
        np.random.default_rng(3).exponential(0.1, 400) - 0.08
    )  # skewed, so that the ends are not symmetric
    low, high = mean_difference_interval(differences)
    expected = scipys(differences)
    assert (low, high) == pytest.approx(expected, abs=0.06 * (expected[1] - expected[0]))
    assert (
        (low, high)
        == mean_difference_interval(differences)
        != mean_difference_interval(differences, seed=1)
    )


def test_the_interval_of_means_by_hand() -> None:
    assert mean_difference_interval([0.25] * 7) == (0.25, 0.25)
    assert mean_difference_interval([3.0]) == (3.0, 3.0)
    with pytest.raises(RunError, match="nothing to compare"):
        mean_difference_interval([])
    # The interval of -1 and +1 in equal parts is that of the hits.
    assert mean_difference_interval(kinds(40, 30, 130)) == pytest.approx(
        hit_difference_interval(40, 30, 130), abs=0.011
    )


def test_chunks_do_not_change_an_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)
    whole = mean_difference_interval(values, resamples=777)
    assert mean_difference_interval(values, resamples=777, chunk=10 * 50) == whole


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


def test_quartiles_of_different_values() -> None:
    bounds, groups = quartile_groups([8, 1, 2, 3, 4, 5, 6, 7])
    assert bounds == [(1, 2), (3, 4), (5, 6), (7, 8)]
    assert groups.tolist() == [3, 0, 0, 1, 1, 2, 2, 3]


def test_equal_values_share_a_group_and_no_group_is_empty() -> None:
    assert quartile_groups([5, 5, 5])[0] == [(5, 5)]
    bounds, groups = quartile_groups([1, 1, 1, 1, 1, 2, 3, 4])
    assert bounds == [(1, 1), (2, 2), (3, 4)] and groups.tolist() == [0, 0, 0, 0, 0, 1, 2, 2]
    bounds, groups = quartile_groups([0, 9, 9, 9, 9, 9, 9, 9])
    assert bounds == [(0, 9)] and groups.tolist() == [0] * 8
    random = np.random.default_rng(0)
    for _ in range(200):
        values = random.integers(0, random.integers(1, 12), random.integers(1, 60)).astype(float)
        values[random.random(len(values)) < 0.1] = np.nan
        bounds, groups = quartile_groups(values)
        for number, (low, high) in enumerate(bounds):
            members = values[groups == number]
            assert len(members) and (members.min(), members.max()) == (low, high)
        assert all(before[1] < after[0] for before, after in pairwise(bounds))
        assert ((groups == -1) == np.isnan(values)).all() and len(bounds) <= 4


def test_no_known_value_makes_no_group() -> None:
    bounds, groups = quartile_groups([np.nan, np.nan])
    assert bounds == [] and groups.tolist() == [-1, -1]
    assert quartile_groups([])[0] == []
