"""Sampled evaluation: the closed form against draws and cases worked by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.evaluation.sampled import place_chances, sampled_metrics
from tests.support.commands import Cli


def ranks_of(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def draw(
    ranks: NDArray[np.float32], candidates: NDArray[np.int64], negatives: int, draws: int
) -> NDArray[np.float64]:
    """Return HR@10 and NDCG@10 of `draws` real draws, shape (draws, 2)."""
    random = np.random.default_rng(3)
    result = np.zeros((draws, 2))
    for number in range(draws):
        for rank, size in zip(ranks, candidates, strict=True):
            scores = -np.arange(1, size + 1)  # the candidate of rank r scores -r
            others = np.delete(scores, int(rank) - 1)
            picked = random.choice(others, min(negatives, len(others)), replace=False)
            place = 1 + int((picked > -rank).sum())
            if place <= 10:
                result[number] += (1, 1 / math.log2(1 + place))
    return result / len(ranks)


def test_expectation_and_scatter_are_those_of_many_draws() -> None:
    ranks, candidates = (
        ranks_of(1, 4, 15, 40, 90, 200, 7),
        np.array([300, 250, 300, 280, 300, 210, 30]),
    )
    found = sampled_metrics(ranks, candidates, 40)
    drawn = draw(ranks, candidates, 40, 4000)
    error = 4 / math.sqrt(4000)
    assert found["hr@10"] == pytest.approx(drawn[:, 0].mean(), abs=error * found["hr@10_draw_sd"])
    assert found["ndcg@10"] == pytest.approx(
        drawn[:, 1].mean(), abs=error * found["ndcg@10_draw_sd"]
    )
    assert found["hr@10_draw_sd"] == pytest.approx(drawn[:, 0].std(), rel=0.05)
    assert found["ndcg@10_draw_sd"] == pytest.approx(drawn[:, 1].std(), rel=0.05)


def test_places_are_hypergeometric() -> None:
    """One of two others is above and one is drawn; the general case by counting subsets."""
    assert place_chances(np.array([1]), np.array([2]), 1)[0, :2] == pytest.approx([0.5, 0.5])
    above, others, drawn = 5, 20, 8
    wanted = [
        math.comb(above, h)
        * math.comb(others - above, max(0, drawn - h))
        / math.comb(others, drawn)
        for h in range(10)
    ]
    assert place_chances(np.array([above]), np.array([others]), drawn)[0] == pytest.approx(wanted)


def test_all_others_drawn_is_the_full_ranking() -> None:
    ranks, candidates = ranks_of(1, 3, 10, 11, 60, np.nan), np.array([100, 50, 80, 100, 60, 9])
    found, full = sampled_metrics(ranks, candidates, 1000), metrics_from_ranks(ranks, candidates)
    assert (found["hr@10"], found["ndcg@10"]) == pytest.approx((full["hit@10"], full["ndcg@10"]))
    assert (found["hr@10_draw_sd"], found["ndcg@10_draw_sd"]) == pytest.approx((0, 0), abs=1e-6)


def test_best_worst_lone_and_tied() -> None:
    candidates = np.array([1000])
    assert sampled_metrics(ranks_of(1), candidates)["ndcg@10"] == pytest.approx(1)
    assert sampled_metrics(ranks_of(1000), candidates)["hr@10"] == 0
    assert sampled_metrics(ranks_of(1), np.array([1]))["hr@10"] == 1
    assert sampled_metrics(ranks_of(500.5), candidates)[
        "hr@10"
    ] == pytest.approx(  # a model of equal scores
        (
            sampled_metrics(ranks_of(500), candidates)["hr@10"]
            + sampled_metrics(ranks_of(501), candidates)["hr@10"]
        )
        / 2
    )
    with pytest.raises(DatasetError, match="nothing is held out"):
        sampled_metrics(ranks_of(np.nan), candidates)


def test_even_rank_is_where_a_hit_is_as_likely_as_not() -> None:
    """Among 99 of 1,618, place 10 is the first tenth: rank 158."""
    found = sampled_metrics(ranks_of(5), np.array([1618]))
    assert (found["even_rank"], found["even_candidates"]) == (158, 1618)
    at = [sampled_metrics(ranks_of(rank), np.array([1618]))["hr@10"] for rank in (158, 159)]
    assert at[0] >= 0.5 > at[1]


def test_it_does_mislead() -> None:
    """Half of the items at rank 1, half at 900: better at 10 than all at 60; sampled, worse."""
    candidates = np.full(100, 1600)
    sharp, blunt = np.tile(ranks_of(1, 900), 50), np.full(100, 60, dtype=np.float32)
    assert (
        metrics_from_ranks(sharp, candidates)["hit@10"]
        == 0.5
        > metrics_from_ranks(blunt, candidates)["hit@10"]
    )
    assert sampled_metrics(sharp, candidates)["hr@10"] < 0.51
    assert sampled_metrics(blunt, candidates)["hr@10"] > 0.99


def test_evaluate_offers_it_with_its_warning(trained: Path, inside: Cli) -> None:
    plain = json.loads(inside("evaluate", "--json").stdout)
    assert plain["sampled"] is None
    result = json.loads(inside("evaluate", "--sampled", "--json").stdout)
    sampled = result["sampled"]
    assert sampled["negatives"] == 99
    assert 1 > sampled["hr@10"] > result["metrics"]["hit@10"]
    assert "Krichene and Rendle 2020" in sampled["note"]
    few = json.loads(inside("evaluate", "--sampled-negatives", "20", "--json").stdout)["sampled"]
    assert few["hr@10"] > sampled["hr@10"]
    text = inside("evaluate", "--sampled").stdout
    assert f"HR@10 {sampled['hr@10']:.4f} ±" in text
    assert f"full ranking: {result['metrics']['hit@10']:.4f}" in text
    assert "misleading" in text
    assert inside("evaluate", "--sampled-negatives", "0").returncode == 2
