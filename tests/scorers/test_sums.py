"""Sums and weights of places: the bits of PyTorch, with which older runs were ranked."""

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.history import WeightedHistories
from neumf_tui.native.library import why_not
from neumf_tui.scorers.open import all_histories
from neumf_tui.scorers.place_weights import PlaceWeights
from neumf_tui.scorers.scorer import Histories
from neumf_tui.scorers.sums import sum_in_order
from neumf_tui.training.model_ranks import scorer_of
from tests.support.datasets import random_dataset
from tests.support.scorers import normal
from tests.support.trainers import awake, make_trainer

same_order = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="PyTorch sums in another order on this processor",
)
fused_multiply = pytest.mark.skipif(bool(why_not()), reason=f"no kernels here: {why_not()}")


@same_order
@pytest.mark.parametrize("terms", [*range(41), 63, 64, 65, 100, 128, 200, 500])
def test_a_sum_has_the_bits_of_torch(terms: int) -> None:
    for rows, columns in ((1, 1), (9, 5), (3, 64)):
        numbers = normal(rows, columns, terms)
        found = sum_in_order(np.ascontiguousarray(numbers.transpose(2, 0, 1)))
        np.testing.assert_array_equal(found, torch.from_numpy(numbers).sum(2).numpy())


def test_a_sum_does_not_depend_on_what_is_summed_beside_it() -> None:
    numbers = normal(37, 20, 30)
    whole = sum_in_order(numbers)
    for row in (0, 7, 19):
        np.testing.assert_array_equal(sum_in_order(numbers[:, row : row + 1])[0], whole[row])
    np.testing.assert_allclose(whole, numbers.sum(0, dtype=np.float64), atol=1e-5)


def by_torch(length: int, decay: float, floor: float, histories: Histories) -> WeightedHistories:
    return WeightedHistories(torch.from_numpy(histories.items), length, decay, floor)


def histories() -> Histories:
    sizes = np.array([0, 1, 2, 7, 40, 300, 0, 3])
    return Histories.of([np.arange(size) * 7 % 50 for size in sizes])


@pytest.mark.parametrize("length", [1, 3, 8, 50, 200])
@pytest.mark.parametrize("decay", [0.5, 1.0, 5.0])
def test_places_weigh_as_in_training(length: int, decay: float) -> None:
    ours, theirs = PlaceWeights(length, decay, 0.05), by_torch(length, decay, 0.05, histories())
    np.testing.assert_array_equal(ours.weights, theirs.weights.numpy())


@pytest.mark.parametrize("decay", [3.0, 7.3, 20.0, 100.0])
def test_places_weigh_nearly_as_in_training(decay: float) -> None:
    """PyTorch's exp is off by one in the last place here and there, ours is not."""
    ours, theirs = PlaceWeights(300, decay, 0.0), by_torch(300, decay, 0.0, histories())
    np.testing.assert_array_max_ulp(ours.weights, theirs.weights.numpy(), 1)
    exact = np.exp(-np.arange(300) / np.float64(np.float32(decay)))
    np.testing.assert_allclose(ours.weights, exact, rtol=5e-6, atol=1e-38)


@same_order
@fused_multiply
@pytest.mark.parametrize("length", [1, 6, 50, 400])
@pytest.mark.parametrize("width", [1, 4, 7, 32])
def test_sums_have_the_bits_of_training(length: int, width: int) -> None:
    vectors, given = normal(50, width), histories()
    window = by_torch(length, 5.0, 0.05, given).window(
        torch.from_numpy(given.starts), torch.from_numpy(given.sizes)
    )
    found = PlaceWeights(length, 5.0, 0.05).sums(vectors, given)
    np.testing.assert_array_equal(found, window.sums(torch.from_numpy(vectors)).numpy())
    assert not found[[0, 6]].any(), "without a history"


@same_order
@fused_multiply
def test_users_have_the_vectors_of_training() -> None:
    data: Dataset = random_dataset(23, 70, 20)
    model = awake(make_trainer(data, history=5)).model
    given = all_histories(data)
    arrays = (torch.from_numpy(np.array(a)) for a in (given.items, given.starts, given.sizes))
    folded = model.with_history_folded_in(*arrays)
    gmf, mlp = scorer_of(model, given)._vectors(range(23))
    np.testing.assert_array_equal(gmf, folded.user_gmf.weight.detach().numpy())
    np.testing.assert_array_equal(mlp, folded.user_mlp.weight.detach().numpy())


@pytest.mark.parametrize("compiler", [None, "none"])
def test_a_sum_over_a_history_by_hand(
    compiler: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiler:
        monkeypatch.setenv("NEUMF_TUI_CC", compiler)
    vectors, places = normal(50, 3), PlaceWeights(6, 5.0, 0.05)
    for history in (np.array([4]), np.arange(10, 14), np.arange(20, 40)):
        latest = history[::-1][:6]
        weights = np.exp(-np.arange(len(latest)) / 5.0) + 0.05
        each = weights[:, None] * vectors[latest].astype(np.float64) / np.sqrt(weights.sum())
        found = places.sums(vectors, Histories.of([history]))[0]
        np.testing.assert_allclose(found, each.sum(0), rtol=1e-5, atol=1e-6)
        direction = np.array([1.0, -2.0, 0.5])
        shares = places.shares(vectors, history, direction)
        np.testing.assert_allclose(shares[::-1][: len(latest)], each @ direction, rtol=1e-5)
        assert not shares[: len(history) - 6].any() or len(history) <= 6
