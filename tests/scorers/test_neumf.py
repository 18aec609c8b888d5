"""NeuMF scorers against the layers of PyTorch, in float64."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.open import all_histories
from neumf_tui.scorers.scorer import FloatArray
from neumf_tui.training.model_ranks import scorer_of
from tests.support.datasets import random_dataset
from tests.support.scorers import PLACES, neumf_tensors
from tests.support.trainers import make_trainer

SHAPES: list[dict[str, Any]] = [
    {},
    {"gmf": 3, "mlp": 9},
    {"gmf": 9, "mlp": 1, "layers": (5,)},
    {"gmf": 64, "mlp": 6, "layers": (130, 7, 3)},
    {"bias": True},
    {"gmf": 0},
    {"gmf": 0, "bias": True, "layers": (8, 8, 8)},
    {"history": True},
    {"history": True, "gmf": 0, "mlp": 5},
    {"history": True, "gmf": 3, "mlp": 8, "bias": True},
]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(23, 70, 20)


def scorer_with(shape: Mapping[str, Any], data: Dataset) -> tuple[NeuMFScorer, dict[str, Any]]:
    tensors = neumf_tensors(data.num_users, data.num_items, **shape)
    places = PLACES if shape.get("history") else None
    return NeuMFScorer(tensors, places, all_histories(data) if places else None), tensors


def user_vector(tensors: Mapping[str, FloatArray], path: str, user: int, data: Dataset) -> Any:
    """Return a user's vector by the formula: own + Σ w_k y_k / √Σ w_k over the latest items."""
    own = torch.from_numpy(tensors[f"user_{path}.weight"][user]).double()
    table = tensors.get(f"history_{path}.weight")
    if table is None:
        return own
    latest = data.history(user)[::-1][:6].copy()
    weights = torch.exp(-torch.arange(len(latest)).double() / 5.0) + 0.05
    rows = torch.from_numpy(table[latest]).double()
    return own + (weights[:, None] * rows).sum(0) / weights.sum().sqrt()


def by_torch(tensors: Mapping[str, FloatArray], user: int, data: Dataset) -> tuple[Any, Any]:
    """Return both parts of a user's scores."""
    given = {name: torch.from_numpy(array).double() for name, array in tensors.items()}
    head, gmf = given["head.weight"][0], torch.zeros(data.num_items, dtype=torch.float64)
    if "item_gmf.weight" in given:
        factors = given["item_gmf.weight"].shape[1]
        products = user_vector(tensors, "gmf", user, data) * given["item_gmf.weight"]
        head, gmf = head[factors:], products @ head[:factors]
    mine = user_vector(tensors, "mlp", user, data).expand(data.num_items, -1)
    hidden, layer = torch.cat([mine, given["item_mlp.weight"]], 1), 0
    while f"mlp.{layer}.weight" in given:
        weight, bias = (given[f"mlp.{layer}.{kind}"] for kind in ("weight", "bias"))
        hidden, layer = torch.nn.functional.linear(hidden, weight, bias).relu(), layer + 1
    return gmf.numpy(), (hidden @ head + given.get("head.bias", 0)).numpy()


@pytest.mark.parametrize("compiler", [None, "none"])
@shapes
def test_scores_and_parts(
    shape: dict[str, Any], compiler: str | None, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiler:
        monkeypatch.setenv("NEUMF_TUI_CC", compiler)
    scorer, tensors = scorer_with(shape, data)
    assert scorer.part_names == (("mlp",) if shape.get("gmf") == 0 else ("gmf", "mlp"))
    for user in (0, 11, 22):
        gmf, mlp = by_torch(tensors, user, data)
        scores = scorer.item_scores(scorer.profile(user, data.history(user)))
        np.testing.assert_allclose(scores.total, gmf + mlp, rtol=1e-4, atol=2e-5)
        wanted = {"gmf": gmf, "mlp": mlp}
        for name, part in scores.parts.items():
            np.testing.assert_allclose(part, wanted[name], rtol=1e-4, atol=2e-5)


@shapes
def test_slopes_are_those_of_the_scores(shape: dict[str, Any], data: Dataset) -> None:
    """Fold-in climbs by them."""
    if shape.get("history"):
        return
    scorer, tensors = scorer_with(shape, data)
    items = np.array([0, 5, 69])
    user = np.concatenate([scorer.profile(3, items).vectors[path] for path in ("gmf", "mlp")])
    scores, slopes = scorer._slopes(user, items)
    bias = tensors.get("head.bias", np.zeros(1))[0]  # the same for all items
    wanted = scorer.item_scores(scorer.profile(3, items)).total[items] - bias
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
    for factor in range(len(user)):
        step = np.zeros_like(user)
        step[factor] = 1e-3
        ahead, back = (scorer._slopes(user + sign * step, items)[0] for sign in (1, -1))
        np.testing.assert_allclose(slopes[:, factor], (ahead - back) / 2e-3, atol=2e-2)


def test_two_separate_paths_are_fused(data: Dataset) -> None:
    for shape in ({}, {"gmf": 9, "mlp": 2, "bias": True}):
        scorer, tensors = scorer_with(shape, data)
        fused = scorer.fused(0.25)
        person = scorer.profile(5, data.history(5))
        ours, theirs = (one.item_scores(person).parts for one in (fused, scorer))
        bias = float(tensors.get("head.bias", np.zeros(1))[0])
        np.testing.assert_allclose(ours["gmf"], 0.25 * theirs["gmf"], rtol=1e-5, atol=1e-6)
        mlp = 0.75 * (theirs["mlp"] - bias) + bias
        np.testing.assert_allclose(ours["mlp"], mlp, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("history", [0, 5])
def test_a_model_in_training_and_its_checkpoint_score_alike(history: int, data: Dataset) -> None:
    """The same bits, since it is one code; its arrays are those of the model."""
    model: NeuMF = make_trainer(data, history=history).model
    ours = scorer_of(model, all_histories(data))
    with torch.no_grad():
        model.head.weight.mul_(2)
    kept = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    theirs = NeuMFScorer(kept, ours._places, all_histories(data))
    again = scorer_of(model, all_histories(data))
    np.testing.assert_array_equal(again.scores(range(23)), theirs.scores(range(23)))
    assert np.shares_memory(again._tensors["item_mlp.weight"], model.item_mlp.weight.detach())


def test_average_is_the_mean_of_all_vectors(data: Dataset) -> None:
    for shape in ({"gmf": 3, "mlp": 5}, {"history": True}):
        scorer, tensors = scorer_with(shape, data)
        for path in ("gmf", "mlp"):
            every = [user_vector(tensors, path, user, data).numpy() for user in range(23)]
            found = scorer.average().vectors[path]
            np.testing.assert_allclose(found, np.mean(every, 0), rtol=1e-4, atol=1e-6)
        assert not len(scorer.average().history)


def test_newcomers_have_the_mean_user_s_vector_or_that_of_a_user(data: Dataset) -> None:
    scorer, tensors = scorer_with({"history": True}, data)
    history = data.history(4)
    known = scorer.newcomer(history, user=4)
    for path in ("gmf", "mlp"):
        np.testing.assert_array_equal(known.vectors[path], scorer.profile(4, history).vectors[path])
        table = tensors[f"user_{path}.weight"]
        shift = table.mean(0) - table[4]
        found = scorer.newcomer(history).vectors[path]
        np.testing.assert_allclose(found, known.vectors[path] + shift, rtol=1e-4, atol=1e-5)


def test_what_lies_before_the_window_changes_nothing(data: Dataset) -> None:
    scorer, _ = scorer_with({"history": True}, data)
    long, short = (scorer.newcomer(data.history(4)[-count:]) for count in (15, 6))
    np.testing.assert_array_equal(scorer.item_scores(long).total, scorer.item_scores(short).total)
    shares = scorer.shares(long, 3, np.arange(70))
    assert shares and not shares.items[:-6].any() and shares.items[-6:].all()


def test_other_histories_of_the_same_users(data: Dataset) -> None:
    scorer, _ = scorer_with({"history": True}, data)
    others = all_histories(random_dataset(23, 70, 12))
    again = scorer.with_histories(others)
    assert not np.array_equal(again.scores(range(23)), scorer.scores(range(23)))
    start = int(others.starts[9])
    theirs = again.newcomer(others.items[start : start + int(others.sizes[9])], user=9)
    np.testing.assert_array_equal(again.scores(range(9, 10))[0], again.item_scores(theirs).total)
    plain, _ = scorer_with({}, data)
    assert plain.with_histories(others) is plain
