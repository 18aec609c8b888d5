"""The model's arithmetic against plain formulas."""

import math

import numpy as np
import torch

from neumf_tui.model.config import NeuMFConfig
from neumf_tui.model.loss import bpr_loss
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.training.negative_sampler import NegativeSampler
from tests.support.trainers import scores_of, uniform

CONFIG = NeuMFConfig(num_users=50, num_items=3000, embedding_size=6, mlp_layers=(8, 5))


def make_model(seed: int = 0) -> NeuMF:
    model = NeuMF(CONFIG, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(40)  # away from the flat start
    return model


def plain_score(model: NeuMF, user: int, item: int) -> tuple[float, float]:
    """Return GMF and MLP part by the paper's formulas, in float64."""
    w = {name: p.detach().double().numpy() for name, p in model.named_parameters()}
    gmf = w["user_gmf.weight"][user] * w["item_gmf.weight"][item]
    hidden = np.concatenate([w["user_mlp.weight"][user], w["item_mlp.weight"][item]])
    for layer in range(len(CONFIG.mlp_layers)):
        hidden = np.maximum(w[f"mlp.{layer}.weight"] @ hidden + w[f"mlp.{layer}.bias"], 0)
    head = w["head.weight"][0]
    return float(head[: len(gmf)] @ gmf), float(head[len(gmf) :] @ hidden)


def test_scores_are_those_of_the_paper_and_parts_sum_to_them() -> None:
    model, users = make_model(), [0, 7, 49]
    scorer = NeuMFScorer(model.arrays())
    assert scorer.chunk_users < 50
    items = torch.randint(0, 3000, (4, 3), generator=torch.Generator().manual_seed(1))
    scores = scores_of(model, torch.tensor(users), items).detach()
    for column, user in enumerate(users):
        person = scorer.profile(user, np.empty(0, np.int64))
        gmf, mlp = scorer.item_scores(person).parts.values()
        for row in range(4):
            item = int(items[row, column])
            want = plain_score(model, user, item)
            np.testing.assert_allclose([gmf[item], mlp[item]], want, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(
                float(gmf[item] + mlp[item]), float(scores[row, column]), rtol=1e-4, atol=1e-5
            )


def test_initial_weights() -> None:
    model = NeuMF(CONFIG, torch.Generator().manual_seed(0))
    assert abs(float(model.item_mlp.weight.detach().std()) - 0.01) < 3e-4
    assert abs(float(model.mlp[0].weight.detach().std()) - 0.01) < 2e-3  # type: ignore[union-attr, arg-type]
    assert 0.01 < float(model.mlp[0].bias.abs().max()) <= 12**-0.5  # type: ignore[union-attr, operator, arg-type]


def test_bpr_by_hand_and_at_large_margins() -> None:
    loss = bpr_loss(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0]))
    assert math.isclose(float(loss), math.log(1 + math.exp(-1)) + math.log(2), rel_tol=1e-6)
    assert float(bpr_loss(torch.tensor([-500.0]), torch.tensor([500.0]))) == 1000.0
    pair = torch.tensor([0.3], requires_grad=True)
    bpr_loss(pair, torch.tensor([1.1])).backward()  # type: ignore[no-untyped-call]
    assert pair.grad is not None
    eps = 1e-3
    slope = (math.log1p(math.exp(0.8 - eps)) - math.log1p(math.exp(0.8 + eps))) / (2 * eps)
    assert math.isclose(float(pair.grad), slope, rel_tol=1e-4)


def test_negatives_are_never_excluded_ones_and_uniform_over_the_rest() -> None:
    num_items = 40
    excluded = {0: [0, 1, 2, 39], 1: [], 2: list(range(1, 40)), 3: list(range(0, 40, 2))}
    pairs = [(u, i) for u, items in excluded.items() for i in items][::-1]
    users, items = (torch.tensor(column) for column in zip(*pairs, strict=True))
    sampler = NegativeSampler(users, items, 4, num_items)
    draws = 40_000
    for user, out in excluded.items():
        drawn = sampler.draw(
            torch.full((draws,), user), uniform(torch.Generator().manual_seed(user), draws)
        )
        counts = torch.bincount(drawn, minlength=num_items).double()
        rest = [i for i in range(num_items) if i not in out]
        assert counts[out].sum() == 0
        expected = draws / len(rest)
        chi2 = float(((counts[rest] - expected) ** 2 / expected).sum())
        degrees = len(rest) - 1
        # Mean `degrees`, variance 2 · degrees; the limit is five standard deviations above.
        assert chi2 <= degrees + 5 * math.sqrt(2 * degrees)


def test_draws_have_any_shape() -> None:
    sampler = NegativeSampler(torch.tensor([0]), torch.tensor([1]), 3, 10)
    users, numbers = (
        torch.tensor([[0, 1, 2], [2, 1, 0]]),
        uniform(torch.Generator().manual_seed(3), 2, 3),
    )
    assert torch.equal(
        sampler.draw(users, numbers), sampler.draw(users.view(-1), numbers.view(-1)).view(2, 3)
    )
