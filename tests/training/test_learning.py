"""Each part of training does what its flag says; with all parts it can be interrupted."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.neumf import UserVectors
from neumf_tui.runs.checkpoint import TrainingProgress
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer, stream
from tests.support.datasets import random_dataset, tiny_dataset
from tests.support.trainers import (
    EVERYTHING,
    awake,
    batch_of,
    gradient_rows,
    make_trainer,
    parts_of,
    train,
    weights_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


def path_of(name: str) -> str:
    return "head" if name == "head.weight" else "gmf" if "gmf" in name else "mlp"


def assert_same(left: dict[str, Tensor], right: dict[str, Tensor]) -> None:
    assert left.keys() == right.keys()
    for name in left:
        assert torch.equal(left[name], right[name]), name


# Pre-training and fusion (He et al. 2017, section 3.4.1)


BCE = {"loss": "bce"}
"""Not BPR where kernels and autograd are compared: in a bias, positives and negatives cancel out,
and Adam takes a whole step from the rounding errors that remain."""


@pytest.mark.parametrize(
    "changes",
    [BCE, BCE | {"clip": 0.5}, EVERYTHING | {"clip": 0.0}, EVERYTHING],
    ids=["plain", "clipped", "everything", "all clipped"],
)
def test_pretraining_is_two_models_trained_apart(data: Dataset, changes: dict[str, Any]) -> None:
    both = awake(make_trainer(data, **changes | {"pretrain": 2, "alpha": 0.3}))
    apart = {
        path: awake(make_trainer(data, **changes | {"pretrain": 0, "model": path}))
        for path in ("gmf", "mlp")
    }
    start = weights_of(both)
    for epoch, factors in ((1, {"gmf": 1.0, "mlp": 1.0}), (2, {"gmf": 0.3, "mlp": 0.7})):
        train(both, epoch, epoch)
        alone = {path: weights_of(train(trainer, epoch, epoch)) for path, trainer in apart.items()}
        for name, ours in weights_of(both).items():
            if name == "head.weight":
                halves = zip(("gmf", "mlp"), ours.split([4, 3], 1), strict=True)
                for (path, half), at in zip(halves, (slice(0, 4), slice(4, 7)), strict=True):
                    torch.testing.assert_close(
                        half, factors[path] * alone[path][name][:, at], rtol=1e-5, atol=1e-6
                    )
                continue
            theirs = alone[path_of(name)][name]
            assert not torch.equal(theirs, start[name]), name
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("history", [0, 3])
def test_the_fused_model_is_alpha_gmf_and_the_rest_mlp(
    data: Dataset, alpha: float, history: int
) -> None:
    both = awake(make_trainer(data, pretrain=2, alpha=alpha, history=history, **BCE))
    gmf, mlp = (
        awake(make_trainer(data, model=path, history=history, **BCE)) for path in ("gmf", "mlp")
    )
    for epoch in (1, 2):
        for trainer in (both, gmf, mlp):
            train(trainer, epoch, epoch)
        scored = both.scored(epoch)
        assert (scored is both.model) == (
            epoch == 2
        )  # fused for good only when pre-training has ended
        want = alpha * parts_of(gmf.model, data)[0], (1 - alpha) * parts_of(mlp.model, data)[1]
        for ours, theirs in zip(parts_of(scored, data), want, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
        ranks = ModelRanks(data, torch.device("cpu")).by_model(scored)
        assert np.isfinite(ranks).all()
    assert min(parts_of(gmf.model, data)[0].std(), parts_of(mlp.model, data)[1].std()) > 0.01


def test_after_fusion_the_optimiser_starts_anew_and_paths_learn_together(data: Dataset) -> None:
    trainer = train(make_trainer(data, pretrain=2), 1, 1)
    *before, last = trainer.batches(2)
    for batch in before:
        trainer.step(batch)
    moments = {
        name: value for name, value in trainer.weights.tensors().items() if name.startswith("adam.")
    }
    assert all(value.abs().max() > 0 for value in moments.values())
    trainer.step(last)
    moments = {
        name: value for name, value in trainer.weights.tensors().items() if name.startswith("adam.")
    }
    assert not any(value.any() for value in moments.values())
    # From here on, a step equals that of a model which was never pre-trained.
    other = make_trainer(data)
    other.model.load_state_dict(trainer.model.state_dict())
    batch = next(iter(trainer.batches(3)))
    assert torch.equal(trainer.step(batch), other.step(batch))
    assert_same(weights_of(trainer), weights_of(other))


@pytest.mark.parametrize(
    "changes",
    [EVERYTHING, EVERYTHING | {"shared_negatives": False, "loss": "bce"}],
    ids=["shared", "own"],
)
def test_saved_and_loaded_anywhere_training_gives_the_same_bits(
    data: Dataset, changes: dict[str, Any], tmp_path: Path
) -> None:
    """Save at the start, within pre-training, right before and after fusion, and later."""
    (tmp_path / "checkpoints").mkdir()
    whole = train(make_trainer(data, **changes), 1, 4)
    steps = whole.steps
    assert steps > 2
    for epochs, step in ((0, 0), (0, 2), (1, steps - 1), (2, 0), (2, 1), (3, 2)):
        first = train(make_trainer(data, **changes), 1, epochs)
        for batch, _ in zip(first.batches(epochs + 1), range(step), strict=False):
            first.step(batch)
        path = first.save(tmp_path, TrainingProgress(epoch=epochs, step=step))
        second = make_trainer(data, **changes)
        assert second.load(path) == TrainingProgress(epoch=epochs, step=step)
        for batch in second.batches(epochs + 1, step):
            second.step(batch)
        train(second, epochs + 2, 4)
        assert_same(whole.weights.tensors(), second.weights.tensors())


# One path alone


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("path", "other"), [("gmf", "mlp"), ("mlp", "gmf")])
def test_a_single_path_is_the_whole_score_and_does_not_change_the_other(
    data: Dataset, path: str, other: str, shared: bool
) -> None:
    trainer = make_trainer(
        data,
        model=path,
        shared_negatives=shared,
        negatives=5,
        weight_decay=0.1,
        dropout=0.2,
        history=2,
    )
    before = weights_of(trainer)
    train(trainer, 1, 2)
    parts = dict(zip(("gmf", "mlp"), parts_of(trainer.model, data), strict=True))
    assert not parts[other].any() and parts[path].std() > 1e-3
    for name, weight in weights_of(trainer).items():
        if name != "head.weight":
            assert torch.equal(weight, before[name]) == (path_of(name) == other), name
    halves = dict(zip(("gmf", "mlp"), trainer.model.head.weight.split([4, 3], 1), strict=True))
    assert not halves[other].any() and halves[path].all()


# The history in a user's vectors

HISTORIES = [[7, 3, 9, 1, 4, 8, 2], [5, 6], [0, 1, 2], [9], [4, 5, 6, 7]]


def by_hand(table: np.ndarray, before: list[int], length: int) -> np.ndarray:  # type: ignore[type-arg]
    """Return Σ w_k y_k / √Σ w_k of the latest `length` of `before`, decay 2, floor 0.1."""
    latest = before[::-1][:length]
    weights = [math.exp(-place / 2) + 0.1 for place in range(len(latest))]
    total = sum(
        (w * table[item] for w, item in zip(weights, latest, strict=True)), np.zeros(table.shape[1])
    )
    return total / math.sqrt(sum(weights)) if latest else total


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("length", [1, 3, 50])
def test_a_user_is_their_own_vector_and_their_history_before_the_pair(
    length: int, validation: bool
) -> None:
    data = tiny_dataset(HISTORIES, 10)
    trainer = make_trainer(
        data, history=length, history_decay=2.0, history_floor=0.1, validation=validation
    )
    histories = trainer.objective.histories
    assert histories is not None
    w = {name: weight.double().numpy() for name, weight in weights_of(trainer).items()}
    # The last item is held out if there are two; the one before it is for validation if there
    # are three.
    expected = [
        (u, h[:p], h[p])
        for u, h in enumerate(HISTORIES)
        for p in range(max(1, len(h) - 1 - validation))
    ]
    if validation:
        expected = [
            (u, before, item)
            for u, before, item in expected
            if len(before) <= max(0, len(HISTORIES[u]) - 3)
        ]
    assert [
        (int(u), int(i)) for u, i in zip(trainer.pairs.users, trainer.pairs.items, strict=True)
    ] == [(u, i) for u, _, i in expected]
    window = histories.window(
        trainer.pairs.history_starts[trainer.pairs.users],
        trainer.pairs.places_in_history(torch.arange(len(trainer.pairs.users))),
    )
    vectors = trainer.model.user_vectors(trainer.pairs.users, window)
    for row, (user, before, _) in enumerate(expected):
        for path, ours in (("gmf", vectors.gmf), ("mlp", vectors.mlp)):
            want = w[f"user_{path}.weight"][user] + by_hand(
                w[f"history_{path}.weight"], before, length
            )
            np.testing.assert_allclose(ours[row].detach().numpy(), want, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("validation", [False, True])
def test_a_step_on_a_pair_sees_nothing_of_what_came_after(validation: bool) -> None:
    """The gradient does not reach later items, and other later items change nothing."""
    data = tiny_dataset(HISTORIES, 12)
    swapped = {0: [7, 3, 9, 10, 11, 0, 6], 4: [4, 5, 8, 9]}
    other = tiny_dataset([swapped.get(user, items) for user, items in enumerate(HISTORIES)], 12)
    for user, place in ((0, 0), (0, 1), (0, 2), (4, 0), (4, 1)):
        before, item = HISTORIES[user][:place], HISTORIES[user][place]
        trainers = [
            awake(make_trainer(one, history=2, validation=validation, mlp_layers=[32, 16]))
            for one in (data, other)
        ]
        losses = []
        for trainer in trainers:
            row = int(((trainer.pairs.users == user) & (trainer.pairs.items == item)).nonzero())
            assert int(trainer.pairs.places_in_history(torch.tensor([row]))) == place
            losses.append(trainer.step(batch_of(trainer, [row], [[5 if user == 0 else 1]])))
            assert (
                gradient_rows(trainer.model.history_gmf)
                == gradient_rows(trainer.model.history_mlp)
                == set(before[-2:])
            )
        assert torch.equal(*losses)
        assert_same(weights_of(trainers[0]), weights_of(trainers[1]))
    earlier = tiny_dataset([*HISTORIES[:4], [3, *HISTORIES[4][1:]]], 12)  # that it does notice
    losses = []
    for one in (data, earlier):
        trainer = make_trainer(one, history=2)
        row = int(((trainer.pairs.users == 4) & (trainer.pairs.items == 5)).nonzero())
        losses.append(trainer.step(batch_of(trainer, [row], [[1]])))
    assert not torch.equal(*losses)


def test_nothing_of_the_validation_item_is_learned(data: Dataset) -> None:
    """It is neither a positive nor in a window; without `validation` it is both."""
    for validation in (True, False):
        trainer = make_trainer(
            data,
            **EVERYTHING | {"validation": validation, "pretrain": 0, "history": 50, "clip": 0.0},
        )
        assert len(trainer.pairs.users) == data.num_train - data.num_users * validation
        learned = set()
        for epoch in range(1, 20):
            for batch in trainer.batches(epoch):
                learned |= set(
                    zip(
                        trainer.pairs.users[batch.rows].tolist(),
                        trainer.pairs.items[batch.rows].tolist(),
                        strict=True,
                    )
                )
        kept = set(enumerate(data.validation.tolist()))
        assert learned.isdisjoint(kept) if validation else kept <= learned
        heldout = set(enumerate(data.split.heldout.tolist()))
        assert learned.isdisjoint(heldout)
        for user in range(data.num_users):
            rows = (trainer.pairs.users == user).nonzero()[:, 0].tolist()
            trainer.step(batch_of(trainer, rows, list(range(12))))
            assert gradient_rows(trainer.model.history_gmf) == set(
                data.history(user)[: len(rows) - 1].tolist()
            )


def test_a_model_with_history_folded_in_gives_the_same_scores(data: Dataset) -> None:
    trainer = train(make_trainer(data, history=4, learning_rate=0.05), 1, 2)
    items, offsets = torch.as_tensor(np.array(data.split.items)), torch.as_tensor(data.offsets)
    users, every = torch.arange(data.num_users), torch.arange(data.num_items)
    window = trainer.model.histories(items).window(offsets[:-1], offsets.diff())
    raw = trainer.model.parts(trainer.model.user_vectors(users, window), every)
    for ours, theirs in zip(parts_of(trainer.model, data), raw, strict=True):
        torch.testing.assert_close(ours, theirs.detach().T, rtol=1e-4, atol=1e-6)
    w = weights_of(trainer)
    settled = trainer.model.with_history_folded_in(items, offsets[:-1], offsets.diff())
    assert settled.config.history == 0 and not any(
        "history" in name for name, _ in settled.named_parameters()
    )
    assert_same(w, weights_of(trainer))
    assert not torch.allclose(settled.user_gmf.weight, w["user_gmf.weight"], atol=1e-3)


def test_an_empty_history_is_finite() -> None:
    """User 2 has no items, and nothing comes before each user's first pair."""
    data = tiny_dataset([[0, 1, 2], [3, 4, 5, 1], []], 8)
    trainer = train(make_trainer(data, history=3, recency=2.0), 1, 3)
    assert all(torch.isfinite(weight).all() for weight in weights_of(trainer).values())
    gmf, mlp = parts_of(trainer.model, data)
    assert torch.isfinite(gmf + mlp).all()
    w = weights_of(trainer)
    own = w["user_gmf.weight"][2] * w["head.weight"][0, :4] @ w["item_gmf.weight"].T
    torch.testing.assert_close(gmf[2], own)


# Dropout


def spied(trainer: Trainer) -> list[tuple[UserVectors, list[Tensor]]]:
    """Record the vectors and masks of every later scoring by `trainer`."""
    seen, parts = [], trainer.model.parts

    def spy(vectors: UserVectors, items: Tensor, masks: Any = ()) -> tuple[Tensor, Tensor]:
        seen.append((UserVectors(*(vector.detach() for vector in vectors)), list(masks)))
        return parts(vectors, items, masks)

    trainer.model.parts = spy  # type: ignore[method-assign, assignment]
    return seen


def check_mask(mask: Tensor, share: float) -> None:
    """`share` of the entries are 0, and the mean is 1."""
    torch.testing.assert_close(
        mask[mask > 0].unique(), torch.tensor(1 / (1 - share)).expand_as(mask[mask > 0].unique())
    )
    spread = math.sqrt(share * (1 - share) / mask.numel())
    assert abs(float((mask == 0).float().mean()) - share) < 5 * spread
    assert abs(float(mask.mean()) - 1) < 5 * spread / (1 - share)


@pytest.mark.usefixtures("no_kernels")
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("users", "hidden"), [(0.4, 0.0), (0.0, 0.7), (0.2, 0.5)])
def test_dropout_applies_where_asked_and_keeps_the_mean(
    data: Dataset, users: float, hidden: float, shared: bool
) -> None:
    shape = {
        "embedding_size": 50,
        "mlp_layers": [40, 30],
        "batch_size": 96,
        "shared_negatives": shared,
    }
    trainer, plain = (
        make_trainer(data, dropout=a, mlp_dropout=b, **shape)
        for a, b in ((users, hidden), (0.0, 0.0))
    )
    for ours, theirs in zip(
        parts_of(trainer.model, data), parts_of(plain.model, data), strict=True
    ):
        assert torch.equal(ours, theirs)  # ranking knows nothing of it
    seen = spied(trainer)
    batch = next(iter(trainer.batches(1)))
    own = trainer.model.user_vectors(trainer.pairs.users[batch.rows])
    trainer.step(batch)
    assert len(seen) == 1 + shared
    for vectors, masks in seen:
        for vector, whole in zip(vectors, own, strict=True):
            kept = vector / whole.detach()
            check_mask(kept, users) if users else torch.testing.assert_close(
                kept, torch.ones_like(kept), rtol=0, atol=0
            )
        assert [tuple(mask.shape) for mask in masks] == ([(40, 96), (30, 96)] if hidden else [])
        for mask in masks:
            check_mask(mask, hidden)
        # A pair's positive and negatives have the same masks.
        assert all(
            torch.equal(a, b)
            for a, b in zip((*vectors, *masks), (*seen[0][0], *seen[0][1]), strict=True)
        )
    assert not torch.equal((seen[0][0].gmf == 0), (seen[0][0].mlp == 0)) or not users


def test_masks_are_multiplied_with_the_hidden_units_of_their_layer(data: Dataset) -> None:
    model = make_trainer(data).model
    w = {name: weight.detach().double().numpy() for name, weight in model.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    users, items = torch.tensor([3, 0, 11]), torch.tensor([5, 8])
    masks = [2.0 * (torch.rand(width, 3, generator=generator) < 0.6) for width in (6, 3)]
    vectors = model.user_vectors(users)
    for given in (items, items[:, None].expand(2, 3)):
        gmf, mlp = model.parts(vectors, given, masks)
        torch.testing.assert_close(gmf, model.parts(vectors, given)[0])
        for m, item in enumerate(items.tolist()):
            for n, user in enumerate(users.tolist()):
                hidden = np.concatenate([w["user_mlp.weight"][user], w["item_mlp.weight"][item]])
                for layer, mask in enumerate(masks):
                    hidden = (
                        np.maximum(w[f"mlp.{layer}.weight"] @ hidden + w[f"mlp.{layer}.bias"], 0)
                        * mask[:, n].numpy()
                    )
                assert math.isclose(
                    mlp[m, n].item(), w["head.weight"][0, 4:] @ hidden, rel_tol=1e-4, abs_tol=1e-7
                )


def test_a_step_has_masks_of_its_own_the_same_each_time(data: Dataset) -> None:
    losses: dict[tuple[int, int], float] = {}
    for epoch, step in ((1, 0), (1, 1), (2, 0), (1, 0)):
        trainer = make_trainer(data, dropout=0.4, mlp_dropout=0.2)
        loss = float(
            trainer.step(
                replace(batch_of(trainer, [0, 9, 20], [[1, 2, 3]]), epoch=epoch, step=step)
            )
        )
        assert losses.setdefault((epoch, step), loss) == loss
    assert len(set(losses.values())) == 3


@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_no_two_streams_of_a_run_are_the_same(
    data: Dataset, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For example, an epoch's order and its first step's masks have different streams."""
    from neumf_tui.training import objective
    from neumf_tui.training import pairs as pairs_module
    from neumf_tui.training import trainer as trainer_module

    begun: list[int] = []

    def noted(*parts: Any, **options: Any) -> torch.Generator:
        generator = stream(*parts, **options)
        begun.append(generator.initial_seed())
        return generator

    for module in (objective, pairs_module, trainer_module):
        monkeypatch.setattr(module, "stream", noted)
    trainer = train(make_trainer(data, dropout=0.2, seed=seed), 1, 3)
    assert len(begun) == len(set(begun)) == 1 + 3 * (1 + trainer.steps)
