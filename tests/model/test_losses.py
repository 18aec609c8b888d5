"""Losses against hand-worked cases and the exact softmax; samplers against exact frequencies."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.loss import LOSSES, bce_loss, bpr_loss, softmax_loss
from neumf_tui.model.neumf import NeuMF
from neumf_tui.training.negative_sampler import NegativeSampler, Seen
from neumf_tui.training.trainer import Trainer
from tests.support.datasets import tiny_dataset
from tests.support.trainers import batch_of, gradient_rows, make_trainer, scores_of, uniform

INF = math.inf
BY_NAME = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())

# Two positives with three negatives each, one of which does not count.
POSITIVE = [[1.0, 0.0]]
NEGATIVE = [[0.0, 1.0], [2.0, -INF], [-1.0, 3.0]]


def tensors(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return torch.tensor(POSITIVE, dtype=dtype, requires_grad=True), torch.tensor(
        NEGATIVE, dtype=dtype, requires_grad=True
    )


@pytest.mark.parametrize(
    ("loss", "want"),
    [
        # log(1+e^(0-1)) + log(1+e^(2-1)) + log(1+e^(-1-1)) and log(1+e^(1-0)) + 0 + log(1+e^(3-0))
        (bpr_loss, 0.3132616875 + 1.3132616875 + 0.1269280110 + 1.3132616875 + 3.0485873516),
        # log(1+e^-1) + log(1+e^0) for the positives; log(1+e^x) for 0, 2, -1 and for 1, 3
        (
            bce_loss,
            0.3132616875
            + 0.6931471806
            + 0.6931471806
            + 2.1269280110
            + 0.3132616875
            + 1.3132616875
            + 3.0485873516,
        ),
        # log(e^1+e^0+e^2+e^-1) - 1 = log(11.4752174) - 1 and log(e^0+e^1+e^3) - 0 = log(23.8038188)
        (softmax_loss, 1.4401896986 + 3.1698460196),
    ],
    ids=["bpr", "bce", "softmax"],
)
def test_losses_by_hand(loss: Callable[[Tensor, Tensor], Tensor], want: float) -> None:
    assert math.isclose(loss(*tensors()).item(), want, abs_tol=1e-9)
    assert math.isclose(loss(*tensors(torch.float32)).item(), want, rel_tol=1e-6)


@BY_NAME
def test_gradients_are_finite_differences(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    positive, negative = tensors()
    loss(positive, negative).backward()
    step = 1e-6
    for moved in (positive, negative):
        assert moved.grad is not None
        for place in np.ndindex(*moved.shape):
            sides = []
            for sign in (1, -1):
                with torch.no_grad():
                    before = moved[place].clone()
                    moved[place] += sign * step
                    sides.append(loss(positive, negative).item())
                    moved[place] = before
            assert math.isclose(
                float(moved.grad[place]), (sides[0] - sides[1]) / (2 * step), abs_tol=1e-8
            )
    assert negative.grad is not None and negative.grad.ne(0).tolist() == [
        [True, True],
        [True, False],
        [True, True],
    ]


@BY_NAME
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_margins_have_finite_gradients(
    loss: Callable[[Tensor, Tensor], Tensor], dtype: torch.dtype
) -> None:
    """A positive far below has a gradient of −1, one far above has 0; neither overflows."""
    for margin, pull in ((-1e5, -1.0), (1e5, 0.0)):
        positive = torch.full((1, 3), margin / 2, dtype=dtype, requires_grad=True)
        negative = torch.full((1, 3), -margin / 2, dtype=dtype, requires_grad=True)
        value = loss(positive, negative)
        value.backward()
        assert positive.grad is not None and negative.grad is not None
        assert positive.grad.tolist() == [[pull] * 3] and negative.grad.tolist() == [[-pull] * 3]
        assert float(value.detach()) == (3e5 if margin < 0 else 0.0)


@BY_NAME
def test_negatives_that_do_not_count_have_no_gradient(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    positive, scores = torch.zeros(1, 2, requires_grad=True), torch.zeros(3, 2, requires_grad=True)
    value = loss(positive, scores.masked_fill(torch.ones(3, 2, dtype=torch.bool), -INF))
    value.backward()
    assert positive.grad is not None and scores.grad is not None
    assert not scores.grad.any()
    alone = loss is bce_loss  # whose positives have a term of their own: 2 log 2
    assert math.isclose(float(value.detach()), 2 * math.log(2) * alone, rel_tol=1e-6)
    assert positive.grad.tolist() == [[-0.5 * alone] * 2]


# logQ correction

WORN = [[0, 1, 2, 11], [0, 1, 3, 10], [0, 2, 4, 9], [0, 5, 6, 8], [0, 1, 2, 7], [0, 6]]
"""Histories with twelve items: every user has item 0, no user has item 11 in training."""


@pytest.fixture(scope="module")
def worn() -> Dataset:
    return tiny_dataset(WORN, 12)


def exact_softmax(model: NeuMF, users: Tensor, positives: Tensor, excluded: Tensor) -> Tensor:
    """Return the softmax loss over all items that are not `excluded` (users, items).

    The model scores all items.
    """
    scores = scores_of(model, users, torch.arange(12).expand(len(users), -1).T).double()
    own = scores.gather(0, positives[None])
    return (
        torch.logsumexp(torch.cat([own, scores.masked_fill(excluded[users].T, -INF)]), 0) - own[0]
    ).sum()


def away(trainer: Trainer) -> None:
    """Make scores about ±1: wrong frequencies then clearly change an expectation."""
    with torch.no_grad():
        trainer.model.item_gmf.weight.mul_(4)
        trainer.model.user_gmf.weight.fill_(12)


@pytest.mark.parametrize("shared", [False, True])
def test_corrected_sampled_softmax_becomes_the_exact_one(worn: Dataset, shared: bool) -> None:
    """Loss and gradient approach the exact ones with more draws, but only with the correction."""

    def fresh() -> Trainer:
        trainer = make_trainer(
            worn, loss="softmax", sampler="popularity", sampler_power=1.0, shared_negatives=shared
        )
        away(trainer)
        return trainer

    trainer = fresh()
    rows = list(range(len(trainer.pairs.users)))
    users, positives = trainer.pairs.users, trainer.pairs.items
    excluded = torch.zeros(6, 12, dtype=torch.bool)
    excluded[users, positives] = True
    exact = copy.deepcopy(trainer.model)
    want = exact_softmax(exact, users, positives, excluded)
    want.backward()
    gradient = torch.cat([p.grad.flatten() for p in exact.parameters() if p.grad is not None])
    assert want.item() > 1

    def errors(draws: int, corrected: bool, repeats: int) -> tuple[float, float]:
        """Return the relative root mean square errors of loss and gradient."""
        found = []
        for repeat in range(repeats):
            generator = torch.Generator().manual_seed(repeat)
            if shared:
                negatives = trainer.pairs.sampler.draw_any(uniform(generator, draws))
            else:
                negatives = trainer.pairs.sampler.draw(
                    users.expand(draws, -1), uniform(generator, draws, len(users))
                )
            learner = fresh()
            if corrected:
                loss = learner.step(batch_of(learner, rows, negatives)).double()
            else:  # as if all were drawn alike
                scores = scores_of(
                    learner.model,
                    users,
                    negatives[:, None].expand(-1, len(rows)) if shared else negatives,
                )
                if shared:
                    scores = scores.masked_fill(excluded[users][:, negatives].T, -INF)
                among = 12 if shared else trainer.pairs.sampler.free[users]
                loss = softmax_loss(
                    scores_of(learner.model, users, positives[None]),
                    scores + torch.log(torch.as_tensor(among / draws)),
                )
                loss.backward()
            ours = torch.cat(
                [p.grad.flatten() for p in learner.model.parameters() if p.grad is not None]
            )
            found.append(
                (
                    float(loss.detach() / want.detach()) - 1,
                    float((ours - gradient).norm() / gradient.norm()),
                )
            )
        return tuple(np.sqrt(np.mean(np.square(found), 0)).tolist())

    few, many, wrong = errors(80, True, 8), errors(8_000, True, 8), errors(8_000, False, 2)
    for at_few, at_many, without in zip(few, many, wrong, strict=True):
        assert 4 < at_few / at_many < 25  # a hundred times the draws: about a tenth of the error
        assert at_many < 0.04 and without > 0.05 and without > 6 * at_many


@pytest.mark.usefixtures("no_kernels")
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_corrected_sum_has_the_free_items_sum_for_its_mean(
    worn: Dataset, shared: bool, power: float
) -> None:
    """The corrected sum Σ e^(score − log(m·probability)) over m negatives is unbiased.

    Its expectation is Σ e^score over the items that the pair's user does not have.
    """
    trainer = make_trainer(
        worn, loss="softmax", sampler="popularity", sampler_power=power, shared_negatives=shared
    )
    away(trainer)
    trainer.objective.loss_of_scores = lambda positive, negative: (
        negative.exp().sum() + 0 * positive.sum()
    )
    row, pairs, each = 3, 20_000, 3  # the first pair of user 1, who has 0, 1 and 3 in training
    free = torch.tensor([item for item in range(12) if item not in (0, 1, 3)])
    sums = scores_of(trainer.model, torch.tensor([1]), free[:, None]).detach().double()[:, 0].exp()
    # Users of each item in training, plus 1.
    weight = torch.tensor([7.0, 4, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1]).double() ** power
    chance = weight[free] / (weight.sum() if shared else weight[free].sum())
    generator = torch.Generator().manual_seed(5)
    if shared:
        total = trainer.step(
            batch_of(
                trainer, [row], trainer.pairs.sampler.draw_any(uniform(generator, pairs * each))
            )
        )
    else:
        drawn = trainer.pairs.sampler.draw(
            torch.ones(each, pairs, dtype=torch.int64), uniform(generator, each, pairs)
        )
        total = trainer.step(batch_of(trainer, [row] * pairs, drawn)) / pairs
    spread = float((sums**2 / chance).sum() - sums.sum() ** 2) ** 0.5 / (pairs * each) ** 0.5
    assert spread < 0.03 * float(sums.sum())
    assert abs(float(total) - float(sums.sum())) < 4 * spread + 1e-5 * float(sums.sum())


# Samplers

NUM_ITEMS = 40
EXCLUDED = {
    0: [0, 1, 2, 39],
    1: [],
    2: [i for i in range(NUM_ITEMS) if i != 17],
    3: list(range(0, 40, 2)),
    4: list(range(30)),
}
"""Excluded items of users with a small, no, an almost complete, half and a large history."""
WEIGHTS = {"uniform": None, "popularity": torch.linspace(1, 9, NUM_ITEMS) ** 1.5}


def make_sampler(weights: Tensor | None) -> NegativeSampler:
    pairs = [(user, item) for user, items in EXCLUDED.items() for item in items][::-1]
    users, items = (torch.tensor(column) for column in zip(*pairs, strict=True))
    return NegativeSampler(users, items, len(EXCLUDED), NUM_ITEMS, weights)


def chi_square(counts: Tensor, chances: Tensor) -> float:
    """Return chi-square in standard deviations from its mean; above 5 is a failure."""
    expected = chances / chances.sum() * counts.sum()
    degrees = len(chances) - 1
    return (float(((counts - expected) ** 2 / expected).sum()) - degrees) / math.sqrt(2 * degrees)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_draws_have_exactly_the_frequencies_of_their_weights(kind: str) -> None:
    weights = WEIGHTS[kind]
    sampler = make_sampler(weights)
    exact = torch.ones(NUM_ITEMS).double() if weights is None else weights.double()
    draws, generator = 60_000, torch.Generator().manual_seed(1)
    users = torch.arange(len(EXCLUDED)).repeat(draws)[
        torch.randperm(draws * len(EXCLUDED), generator=generator)
    ]
    drawn = sampler.draw(users, uniform(generator, len(users)))
    for user, out in EXCLUDED.items():
        counts = torch.bincount(drawn[users == user], minlength=NUM_ITEMS).double()
        rest = [item for item in range(NUM_ITEMS) if item not in out]
        assert counts[out].sum() == 0 and counts.sum() == draws
        share = (
            sampler.log_probability(torch.tensor(rest), torch.full((len(rest),), user))
            .exp()
            .double()
        )
        torch.testing.assert_close(share, exact[rest] / exact[rest].sum(), rtol=1e-6, atol=0)
        if len(rest) > 1:
            assert chi_square(counts[rest], exact[rest]) < 5
            other = torch.linspace(1, 1.3, len(rest)).double() * exact[rest]
            assert chi_square(counts[rest], other) > 5  # weights a little off would be found out
    anybody = torch.bincount(
        sampler.draw_any(uniform(generator, draws)), minlength=NUM_ITEMS
    ).double()
    assert chi_square(anybody, exact) < 5 and (anybody > 0).all()
    share = sampler.log_probability(torch.arange(NUM_ITEMS)).exp().double()
    torch.testing.assert_close(share, exact / exact.sum(), rtol=1e-6, atol=0)


def test_each_unit_of_free_weight_belongs_to_one_item() -> None:
    """Each free item has as many of a user's units as it weighs, in order."""
    weights = [2, 5, 1, 4, 3]
    users, items = torch.tensor([0, 1, 0]), torch.tensor([1, 0, 3])
    exact = torch.tensor(weights).double()
    sampler = NegativeSampler(users, items, 3, 5, exact, total_weight=sum(weights))
    for user, free in ((0, [0, 2, 4]), (1, [1, 2, 3, 4]), (2, [0, 1, 2, 3, 4])):
        units = [item for item in free for _ in range(weights[item])]
        middles = (torch.arange(len(units)).double() + 0.5) / len(units)
        assert sampler.draw(torch.full((len(units),), user), middles).tolist() == units
        assert int(sampler.free_weight[user]) == len(units)


@pytest.mark.parametrize("cells", [1 << 28, 0])
def test_seen_is_what_users_have(cells: int) -> None:
    generator = torch.Generator().manual_seed(0)
    has = torch.rand(7, 9, generator=generator) < 0.4
    has[3], has[5], has[6, 8] = (
        False,
        True,
        False,
    )  # nothing, everything, and not what would come last
    users, items = has.nonzero()[torch.randperm(int(has.sum()), generator=generator)].T
    seen = Seen(users, items, 7, 9, table_cells=cells)
    assert (seen.bits is None) == (cells == 0)
    asked = (
        torch.randint(7, (50,), generator=generator),
        torch.randint(9, (60,), generator=generator),
    )
    got = seen.of(*asked)
    assert got.shape == (60, 50)
    assert all(got[m, n] == has[asked[0][n], asked[1][m]] for m in range(60) for n in range(50))


# Hard negatives


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_hard_negative_is_the_best_scored_of_its_group(
    worn: Dataset, loss: str, shared: bool
) -> None:
    """Two negatives, each the best of three: only these two give the loss and the gradient."""
    trainer = make_trainer(worn, loss=loss, negatives=2, hard_negatives=3, shared_negatives=shared)
    away(trainer)
    assert next(iter(trainer.batches(1))).negatives.shape[0] == 6
    rows = [0, 3]  # the first pairs of users 0, who has 0, 1 and 2, and 1, who has 0, 1 and 3
    drawn = torch.tensor(
        [[2, 5, 6, 9, 10, 11]] * 2 if shared else [[5, 6, 7, 8, 9, 10], [6, 7, 8, 11, 10, 4]]
    ).T
    users = trainer.pairs.users[rows]
    scores = scores_of(trainer.model, users, drawn).detach()
    if shared:
        scores[0, 0] = -INF  # user 0 has item 2
    best = torch.stack([scores[:3].amax(0), scores[3:].amax(0)])
    hardest = {
        int(drawn[list(scores[:, n]).index(value), n]) for n in range(2) for value in best[:, n]
    }
    want = LOSSES[loss](
        scores_of(trainer.model, users, trainer.pairs.items[rows][None]).detach(), best
    )
    value = trainer.step(batch_of(trainer, rows, drawn[:, 0] if shared else drawn))
    torch.testing.assert_close(value, want)
    assert gradient_rows(trainer.model.item_gmf) == hardest | {0}


def test_the_hardest_negative_is_chosen_without_the_correction(worn: Dataset) -> None:
    """The correction favours the rare item 11, but item 1 scores higher and is chosen."""
    trainer = make_trainer(
        worn,
        loss="softmax",
        sampler="popularity",
        sampler_power=1.0,
        hard_negatives=2,
        shared_negatives=True,
        model="gmf",
    )
    with torch.no_grad():
        trainer.model.user_gmf.weight.fill_(0.5)
        trainer.model.item_gmf.weight.zero_()
        trainer.model.item_gmf.weight[1] = (
            0.05  # 0.1 above the rest, and drawn three times as often as item 11
        )
    row = int(
        ((trainer.pairs.users == 5) & (trainer.pairs.items == 0)).nonzero()
    )  # a user who has not had item 1
    value = trainer.step(batch_of(trainer, [row], [1, 11]))
    # Weights are users + 1, with a sum of 24: (6, 3, 3, 1, 1, 1, 1, 0, …) + 1.
    total = sum(trainer.pairs.sampler.weights.tolist())  # type: ignore[union-attr]
    chance = int(trainer.pairs.sampler.weights[1]) / total  # type: ignore[index]
    score = 4 * 0.5 * 0.05
    assert math.isclose(float(value), math.log(1 + math.exp(score) / chance), rel_tol=1e-5)
    assert gradient_rows(trainer.model.item_gmf) == {0, 1}
