"""Confidence intervals against scipy, published values and cases worked by hand."""

import math

import numpy as np
import pytest
import scipy.stats

from neumf_tui.errors import RunError
from neumf_tui.evaluation.intervals import (
    hit_difference_interval,
    hit_interval,
    mean_difference_interval,
    mean_interval,
    wilson_interval,
)


def test_wilson_against_published_case() -> None:
    # 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3).
    low, high = wilson_interval(81 / 263, 263)
    assert round(low, 4) == 0.2553 and round(high, 4) == 0.3662
    assert hit_interval(np.array([1.0, np.nan], dtype=np.float32))[1] == 1.0


def test_an_interval_contains_its_share() -> None:
    for count in range(1, 400):
        for hits in {0, 1, count // 2, count - 1, count}:
            low, high = wilson_interval(hits / count, count)
            assert 0 <= low <= hits / count <= high <= 1
        assert wilson_interval(0, count)[0] == 0 and wilson_interval(1, count)[1] == 1


def kinds(won: int, lost: int, same: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.repeat([1.0, -1.0, 0.0], [won, lost, same])


def scipys(differences: np.ndarray) -> tuple[float, float]:  # type: ignore[type-arg]
    """The paired bootstrap of two models' outcomes, the difference of their means."""
    first, second = np.zeros_like(differences), differences
    found = scipy.stats.bootstrap(
        (second, first), lambda a, b, axis: (a - b).mean(axis), paired=True, method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(5), batch=500,
    )  # fmt: skip
    return found.confidence_interval.low, found.confidence_interval.high


@pytest.mark.parametrize(("won", "lost", "same"), [(60, 31, 852), (5, 0, 20), (200, 210, 0)])
def test_the_interval_of_hits_is_scipys_paired_bootstrap(won: int, lost: int, same: int) -> None:
    low, high = hit_difference_interval(won, lost, same)
    expected = scipys(kinds(won, lost, same))
    # Two bootstraps differ by chance; their ends by far less than this part of the width, or by one
    # user.
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


def test_models_in_the_other_order_have_the_mirrored_interval() -> None:
    def mirrored(interval: tuple[float, float]) -> tuple[float, float]:
        return -interval[1], -interval[0]

    for won, lost, same in ((7, 13, 80), (0, 5, 20), (9, 9, 82), (0, 0, 10), (1, 2, 940)):
        found = hit_difference_interval(won, lost, same)
        assert found == mirrored(hit_difference_interval(lost, won, same))
        assert "-0.0" not in map(repr, found)
    for size in (3, 50, 501):
        values = np.random.default_rng(size).exponential(0.1, size) - 0.08
        found = mean_difference_interval(values, resamples=1_000)
        assert found == mirrored(mean_difference_interval(-values, resamples=1_000))


def test_chunks_do_not_change_an_interval() -> None:
    values = np.random.default_rng(1).normal(size=50)
    whole = mean_difference_interval(values, resamples=777)
    assert mean_difference_interval(values, resamples=777, chunk=10 * 50) == whole


def test_many_users_have_the_interval_that_the_bootstrap_would_give() -> None:
    values = np.random.default_rng(2).beta(5, 1, 10_001)
    drawn = np.array(mean_difference_interval(values, resamples=4_000))
    normal = np.array(mean_interval(values))
    np.testing.assert_allclose(normal, drawn, atol=0.05 * (drawn[1] - drawn[0]))
    assert mean_interval(values[:100]) == mean_difference_interval(values[:100], resamples=2_000)
