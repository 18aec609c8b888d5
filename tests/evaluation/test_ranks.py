"""The rank rule, in each form that callers need, against counting candidate by candidate."""

from pathlib import Path

import numpy as np
import pytest

from neumf_tui.errors import RunError
from neumf_tui.evaluation.ranks import (
    check_scores,
    rank_among,
    ranks_from_lead,
    ranks_in_order,
    ranks_without,
)


def counted(scores: list[float], target: float) -> float:
    """1 + scored higher + ties / 2, where the target itself is not a tie."""
    return 1 + sum(s > target for s in scores) + (sum(s == target for s in scores) - 1) / 2


def test_equal_scores_share_a_rank() -> None:
    assert ranks_in_order(np.array([9, 7, 7, 5, 5, 5, 1], dtype=np.float32)).tolist() == [
        1,
        2.5,
        2.5,
        5,
        5,
        5,
        7,
    ]
    assert ranks_in_order(np.array([2], dtype=np.float32)).tolist() == [1]


def test_every_form_gives_the_same_ranks() -> None:
    scores = np.random.default_rng(0).integers(0, 6, 40).astype(np.float32)
    expected = [counted(scores.tolist(), float(score)) for score in scores]
    assert [float(rank_among(scores, score)) for score in scores] == expected
    rows = np.tile(scores, (40, 1))
    np.testing.assert_array_equal(rank_among(rows, scores), expected)
    lead = np.sign(rows - scores[:, None]).sum(1).astype(np.float64)
    np.testing.assert_array_equal(ranks_from_lead(lead, np.full(40, 40)), expected)
    order = np.argsort(-scores, kind="stable")
    np.testing.assert_array_equal(ranks_in_order(scores[order]), np.array(expected)[order])


def test_nan_is_not_a_candidate_and_has_no_rank() -> None:
    scores = np.array([[3, np.nan, 5, 3], [1, 2, 3, 4]], dtype=np.float32)
    assert rank_among(scores, scores[:, 0]).tolist() == [2.5, 4]
    assert np.isnan(rank_among(scores, scores[:, 1])).tolist() == [True, False]


def test_ranks_without_some_candidates() -> None:
    scores = np.array([9, 7, 7, 5, 5, 1], dtype=np.float32)
    gone = np.array([True, False, True, False, True, False])
    expected = ranks_in_order(scores[~gone])
    found = ranks_without(ranks_in_order(scores), gone)
    np.testing.assert_array_equal(found[~gone], expected)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_score_that_is_not_a_number_is_an_error(wrong: float) -> None:
    check_scores(np.ones(3, dtype=np.float32), Path("run"))
    with pytest.raises(RunError, match="run: a score is not a number: the model has diverged"):
        check_scores(np.array([1, wrong], dtype=np.float32), Path("run"))
