"""Fold-in: slopes against autograd, the fit against Adam, planted tastes, trained users."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.foldin import Comparison, compare
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepare import prepare
from neumf_tui.data.split import Interactions
from neumf_tui.errors import RunError, UsageError
from neumf_tui.explore.ranker import Ranker
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers import fold_in as fold_in_module
from neumf_tui.scorers.fold_in import INIT_STD, NEGATIVES, PRIOR, FoldIn
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.scorer import FloatArray, Histories, Profile
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import scorer_of
from neumf_tui.training.trainer import Trainer
from tests.support.commands import Cli
from tests.support.weights import torch_model

WEIGHT_DECAY = 1e-5
HALVES = 40
"""Users, and items, of the planted taste."""


@pytest.fixture
def ranker(trained: Path, own_home: Path) -> Ranker:
    return Ranker(trained, own_home)


@pytest.fixture
def model(ranker: Ranker) -> NeuMF:
    return torch_model(ranker)


@pytest.fixture
def fold_in(model: NeuMF) -> FoldIn:
    return scorer_for(model)._fold_in


def scorer_for(model: NeuMF) -> NeuMFScorer:
    """A scorer of a model without history vectors, for which users' histories do not matter."""
    return scorer_of(model, Histories.of([np.empty(0, np.int64)]), WEIGHT_DECAY)


def plain_scores(model: NeuMF, users: Tensor, items: Tensor) -> Tensor:
    """The paper's formulas for one user's [GMF, MLP] vectors, in double precision."""
    w = {name: parameter.detach().double() for name, parameter in model.named_parameters()}
    d = model.config.embedding_size
    hidden = torch.cat([users[d:].expand(len(items), -1), w["item_mlp.weight"][items]], 1)
    for layer in range(len(model.config.mlp_layers)):
        hidden = (hidden @ w[f"mlp.{layer}.weight"].T + w[f"mlp.{layer}.bias"]).relu()
    return torch.cat([users[:d] * w["item_gmf.weight"][items], hidden], 1) @ w["head.weight"][0]


def plain_loss(
    model: NeuMF, users: Tensor, items: Tensor, positives: int, *, prior: bool = True
) -> Tensor:
    """The loss as the docstring of FoldIn writes it."""
    scores = plain_scores(model, users, items)
    loss = F.softplus(scores[None, positives:] - scores[:positives, None]).mean(1).sum()
    if prior:
        trained = torch.cat([model.user_gmf.weight, model.user_mlp.weight], 1).detach().double()
        mean, spread = (
            trained.mean(0),
            torch.cov(trained.T, correction=0) + INIT_STD**2 * torch.eye(trained.shape[1]),
        )
        loss = (
            loss
            + WEIGHT_DECAY / 2 * users @ users
            + PRIOR / 2 * (users - mean) @ torch.linalg.solve(spread, users - mean)
        )
    return loss


def double(vector: FloatArray) -> Tensor:
    return torch.from_numpy(vector).double()


def joined(person: Profile) -> FloatArray:
    """The vectors of all paths, side by side."""
    return np.concatenate(list(person.vectors.values()))


def items_of(fold_in: FoldIn, history: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    order = np.random.default_rng(seed).permutation(fold_in.num_items)
    return np.concatenate([history, fold_in.negatives(history, order, None)])


def test_slopes_and_curvature_are_those_of_autograd(
    ranker: Ranker, model: NeuMF, fold_in: FoldIn
) -> None:
    history = ranker.dataset.history(3)
    rows = items_of(fold_in, history)
    items = torch.from_numpy(rows)
    for seed in range(5):
        user = torch.randn(20, generator=torch.Generator().manual_seed(seed))
        found, slopes, bends = fold_in.loss(user.numpy(), rows, len(history))
        exact = user.double().requires_grad_()
        loss = plain_loss(model, exact, items, len(history))
        (gradient,) = torch.autograd.grad(loss, exact)
        loss = loss.detach()
        torch.testing.assert_close(
            double(slopes), gradient, rtol=1e-3, atol=1e-3 * float(gradient.abs().max())
        )
        # Loss and pull of weight decay and prior are gathered in one quadratic form: the same up to
        # a constant.
        start, _, _ = fold_in.loss(fold_in.centre, rows, len(history))
        want = loss - plain_loss(model, double(fold_in.centre), items, len(history))
        assert found - start == pytest.approx(float(want), rel=1e-3)
        curvature = torch.autograd.functional.hessian(
            lambda at: plain_loss(model, at, items, len(history), prior=False), user.double()
        )
        torch.testing.assert_close(
            double(bends), curvature, rtol=1e-3, atol=1e-4 * float(curvature.abs().max())
        )


@pytest.mark.slow
def test_newton_goes_as_low_as_adam(ranker: Ranker, model: NeuMF, fold_in: FoldIn) -> None:
    """Summed over some users: for a single one either may reach the lower of two minima."""
    reached = fitted = 0.0
    for user in range(0, 700, 100):
        history = ranker.dataset.history(user)
        items = torch.from_numpy(items_of(fold_in, history))
        users = double(fold_in.centre).requires_grad_()
        adam = torch.optim.Adam([users], lr=0.03)
        for _ in range(400):
            adam.zero_grad()
            plain_loss(model, users, items, len(history)).backward()
            adam.step()
        reached += float(plain_loss(model, users.detach(), items, len(history)))
        fitted += float(plain_loss(model, double(fold_in.fit(history)), items, len(history)))
    assert fitted <= reached * 1.01


def test_same_bits_for_a_seed_whatever_was_fitted_before(
    ranker: Ranker, model: NeuMF, fold_in: FoldIn
) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    histories = [ranker.dataset.history(user) for user in range(12)] + [np.array([7])]
    fitted = [fold_in.fit(history, seed=4) for history in histories]
    assert {(vector.shape, vector.dtype) for vector in fitted} == {((20,), np.dtype(np.float32))}
    for scorer in (scorer_for(model), ranker.scorer):
        for history, vector in list(zip(histories, fitted, strict=True))[::-1]:
            newcomer = scorer.newcomer(history, seed=4)
            np.testing.assert_array_equal(joined(newcomer), vector)
            assert newcomer.user is None and newcomer.history is history
    assert not np.array_equal(fold_in.fit(histories[0], seed=5), fitted[0])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_negatives_are_outside_history_and_spared_items(fold_in: FoldIn) -> None:
    order = np.random.default_rng(0).permutation(fold_in.num_items)
    history = order[:30]
    for spared in (None, order[20:60]):
        never = history if spared is None else order[:60]
        drawn = fold_in.negatives(history, order, spared)
        assert len(np.unique(drawn)) == len(drawn) == min(NEGATIVES, fold_in.num_items - len(never))
        assert not np.isin(drawn, never).any()
    most = order[:-3]
    assert sorted(fold_in.negatives(most, order, None)) == sorted(order[-3:])


@pytest.mark.slow
def test_a_film_left_out_from_a_warm_start(
    ranker: Ranker, model: NeuMF, fold_in: FoldIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few steps from the whole history's fit reach most of what sixty do, over some users."""
    order = np.random.default_rng(0).permutation(fold_in.num_items)
    monkeypatch.setattr(fold_in_module, "COLD_STEPS", 200)
    taken = found = 0.0
    for user in range(4, 6):
        history = ranker.dataset.history(user)
        without = [np.delete(history, row) for row in range(len(history))]

        def mean_loss(
            vectors: list[FloatArray],
            history: NDArray[np.int64] = history,
            without: list[NDArray[np.int64]] = without,
        ) -> float:
            losses = []
            for less, vector in zip(without, vectors, strict=True):
                items = np.concatenate([less, fold_in.negatives(less, order, history)])
                loss = plain_loss(model, double(vector), torch.from_numpy(items), len(less))
                losses.append(float(loss))
            return float(np.mean(losses))

        whole, *few = fold_in.without_each(history)
        np.testing.assert_array_equal(whole, fold_in.fit(history))
        with monkeypatch.context() as patient:
            patient.setattr(fold_in_module, "WARM_STEPS", 60)
            _, *many = fold_in.without_each(history)
        with monkeypatch.context() as idle:
            idle.setattr(fold_in_module, "WARM_STEPS", 0)
            np.testing.assert_array_equal(fold_in.fit(history, start=whole), whole)
        before, after, best = mean_loss([whole] * len(without)), mean_loss(few), mean_loss(many)
        assert after < before
        taken, found = taken + before - after, found + before - best
    assert taken >= 0.7 * found > 0


def test_histories_that_cannot_be_folded_in(model: NeuMF, fold_in: FoldIn) -> None:
    with pytest.raises(UsageError, match="history is empty"):
        fold_in.fit(np.array([], dtype=np.int64))
    with pytest.raises(UsageError, match=f"all {fold_in.num_items:,} items"):
        fold_in.fit(np.arange(fold_in.num_items))
    for weight in (model.head.weight, model.user_mlp.weight):
        with torch.no_grad():
            kept, weight[0, 0] = weight[0, 0].clone(), torch.nan
        with pytest.raises(RunError, match="not a number"):
            scorer_for(model).newcomer(np.array([1, 2]))
        with torch.no_grad():
            weight[0, 0] = kept


def test_a_single_user_and_wide_embeddings_give_a_prior() -> None:
    model = NeuMF(NeuMFConfig(1, 30, 40, (8,)), torch.Generator().manual_seed(0))
    assert np.isfinite(joined(scorer_for(model).newcomer(np.array([2, 3])))).all()


def checkerboard(size: int) -> Dataset:
    """Even users see even items, odd users odd ones; each has another one held out."""
    triples = [
        (u, i, 100 if i == (u + 2) % size else i)
        for u in range(size)
        for i in range(size)
        if i % 2 == u % 2 and i != u
    ]
    users, items, times = np.array(triples).T
    names = [str(number) for number in range(size)]
    catalogue = Catalogue(names, names, [None] * size, [[] for _ in names])
    return prepare("planted", "here", names, catalogue, Interactions(users, items, times))


@pytest.fixture(scope="module")
def planted() -> list[NeuMF]:
    """Three trainings: of one alone, chance may say how sharply it tells the halves apart."""
    models = []
    for seed in range(3):
        settings = make_settings("d2l", {"epochs": 60, "batch_size": 64, "seed": seed})
        trainer = Trainer(checkerboard(HALVES), settings, torch.device("cpu"))
        for epoch in range(1, 61):
            for batch in trainer.batches(epoch):
                trainer.step(batch)
        models.append(trainer.model)
    return models


@pytest.mark.parametrize("picks", [1, 3, 8])
def test_a_newcomer_with_a_planted_taste_gets_their_own_half_on_top(
    planted: list[NeuMF], picks: int
) -> None:
    own = []
    for model in planted:
        scorer = scorer_for(model)
        for half in (0, 1):
            history = np.arange(half, HALVES, 2)[2 : 2 + picks]
            vector = double(joined(scorer.newcomer(history)))
            scores = plain_scores(model, vector, torch.arange(HALVES)).numpy()
            unseen = np.setdiff1d(np.arange(HALVES), history)
            best = unseen[np.argsort(-scores[unseen])][:10]
            own.append(np.mean(best % 2 == half))
    assert np.mean(own) >= 0.8, own  # by chance it would be half of them, ± 0.065


def assert_alike(found: Comparison) -> None:
    """Medians within the 25 % that the fold-in is trusted by, for every seed of the negatives."""
    assert found.users == 200
    assert found.median_folded and found.hits_folded
    assert all(abs(median / found.median_trained - 1) <= 0.25 for median in found.median_folded), (
        found
    )
    assert all(folded >= found.hits_trained - 0.05 for folded in found.hits_folded), found
    assert min(found.log_rank_correlation) >= 0.8, found


@pytest.mark.slow
def test_trained_users_of_the_demo_set_rank_as_when_trained(ranker: Ranker, model: NeuMF) -> None:
    assert_alike(compare(model, ranker.dataset, weight_decay=WEIGHT_DECAY, draws=1))


@pytest.mark.slow
@pytest.mark.parametrize("leak", ["--exclude-heldout", "--no-exclude-heldout"])
def test_trained_users_of_ml100k_rank_as_when_trained(
    cli: Cli, ml100k: Path, own_home: Path, leak: str
) -> None:
    """Without the leak: a fold-in may draw the held-out item as a negative."""
    result = cli(
        "train",
        "--preset",
        "d2l",
        "--dataset",
        "ml-100k",
        "--data-dir",
        str(ml100k),
        "--name",
        "run",
        "--plain",
        "--threads",
        "1",
        leak,
    )
    assert result.returncode == 0, result.stderr
    ranker = Ranker(own_home / "runs" / "run", own_home)
    found = compare(torch_model(ranker), ranker.dataset, weight_decay=WEIGHT_DECAY)
    assert_alike(found)
