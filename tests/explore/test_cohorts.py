"""Cohorts of users: quartiles of values."""

from itertools import pairwise

import numpy as np

from neumf_tui.explore.cohorts import quartile_groups


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
