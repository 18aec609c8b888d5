"""A step of training: its pairs, negatives, gradient and optimiser step."""

import math
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.pairs import Batch, Pairs
from neumf_tui.training.trainer import Trainer
from tests.support.datasets import random_dataset, tiny_dataset
from tests.support.trainers import awake, batch_of, gradient_rows, make_trainer, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


# Which pairs and negatives


def test_validation_items_leave_the_pairs(data: Dataset) -> None:
    single = tiny_dataset([[0, 1, 2], [3], [4, 5]], 8)  # a user's only training item stays one
    for one, without in ((data, data.num_users), (single, 1)):
        off, on = (make_trainer(one, validation=validation) for validation in (False, True))
        assert (
            len(off.pairs.users) == one.num_train and len(on.pairs.users) == one.num_train - without
        )


def test_each_pair_once_or_by_recency(data: Dataset) -> None:
    every = torch.arange(data.num_train)
    assert all(
        torch.equal(rows_of(make_trainer(data), epoch).sort().values, every) for epoch in (1, 2)
    )
    for validation in (False, True):
        trainer = make_trainer(data, recency=2.5, validation=validation)
        pairs, epochs = len(trainer.pairs.users), 300
        drawn = torch.cat([rows_of(trainer, epoch) for epoch in range(1, epochs + 1)])
        assert len(drawn) == epochs * pairs
        # Each user has 8 items in training, 7 without the validation item; place 0 is the last.
        each = 8 - validation
        weight = np.tile(np.exp(-np.arange(each)[::-1] / 2.5) + 0.1, data.num_users)
        expected = len(drawn) * weight / weight.sum()
        chi2 = float(
            ((np.bincount(drawn.numpy(), minlength=pairs) - expected) ** 2 / expected).sum()
        )
        assert abs(chi2 - (pairs - 1)) < 5 * math.sqrt(2 * (pairs - 1))


@pytest.mark.parametrize("size", [7, 16, 1000])
def test_batches_of_a_large_epoch_go_by_users(
    data: Dataset, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pair comes once, in batches of the usual size that differ between epochs.

    The kernel and torch give the same batches.
    """
    settings = make_trainer(data, batch_size=size).settings
    pairs = Pairs(data, settings, torch.device("cpu"), Group(), fewest_sorted=1)
    found = [[batch.rows for batch in pairs.batches(epoch)] for epoch in (1, 2)]
    for batches in found:
        assert [len(rows) for rows in batches] == [
            min(size, data.num_train - begin) for begin in range(0, data.num_train, size)
        ]
        assert torch.equal(torch.cat(batches).sort().values, torch.arange(data.num_train))
        assert all(torch.equal(rows.sort().values, rows) for rows in batches)
    assert torch.equal(found[0][0], found[1][0]) == (size == 1000)
    monkeypatch.setenv("NEUMF_TUI_CC", "none")
    assert all(
        torch.equal(one, other.rows) for one, other in zip(found[0], pairs.batches(1), strict=True)
    )


@pytest.mark.parametrize(
    "changes",
    [{}, {"negatives": 3, "hard_negatives": 2}, {"shared_negatives": True, "negatives": 5}],
)
def test_what_a_thread_draws_ahead_is_what_one_draws(
    data: Dataset, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [
        make_trainer(data, batch_size=7, threads=threads, **changes).settings for threads in (1, 2)
    ]
    one, two = (
        Pairs(data, some, torch.device("cpu"), Group(), stretch_negatives=30) for some in settings
    )
    by: list[str] = []
    stretch = Pairs._stretch

    def noted(pairs: Pairs, *given: Any) -> Iterator[Batch]:
        by.append(threading.current_thread().name)
        return stretch(pairs, *given)

    monkeypatch.setattr(Pairs, "_stretch", noted)
    for first in (0, 5):
        alone, ahead = list(one.batches(1, first)), list(two.batches(1, first))
        assert len(ahead) == one.steps - first
        for a, b in zip(alone, ahead, strict=True):
            assert a.step == b.step and all(
                torch.equal(getattr(a, name), getattr(b, name)) for name in DRAWN
            )
    own = threading.current_thread().name
    assert own in by and len(set(by)) > 1, "with two threads, another one draws"
    unfinished = two.batches(1)
    next(unfinished)
    unfinished.close()  # type: ignore[attr-defined]
    assert not [t.name for t in threading.enumerate() if t.name.startswith("pairs")]

    def fails(*_: Any) -> Iterator[Batch]:
        raise MemoryError("no room")

    monkeypatch.setattr(Pairs, "_stretch", fails)
    with pytest.raises(MemoryError, match="no room"):
        list(two.batches(1))


DRAWN = "rows", "negatives", "users", "items"


def rows_of(trainer: Trainer, epoch: int) -> torch.Tensor:
    return torch.cat([batch.rows for batch in trainer.batches(epoch)])


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("sampler", ["uniform", "popularity"])
def test_negatives_have_the_wanted_number_and_are_no_own_items(
    data: Dataset, sampler: str, shared: bool
) -> None:
    """Only `exclude_heldout` excludes the held-out item; nothing excludes the validation item."""
    for validation, exclude in ((False, False), (True, False), (True, True)):
        trainer = make_trainer(
            data,
            sampler=sampler,
            shared_negatives=shared,
            negatives=5,
            validation=validation,
            exclude_heldout=exclude,
        )
        counted = torch.zeros(data.num_users, data.num_items, dtype=torch.bool)
        for epoch in range(1, 40):
            for batch in trainer.batches(epoch):
                users = trainer.pairs.users[batch.rows]
                assert batch.negatives.shape == ((5,) if shared else (5, len(batch)))
                drawn = (
                    batch.negatives[:, None].expand(-1, len(batch)) if shared else batch.negatives
                )
                counts = (
                    ~trainer.pairs.seen.of(users, batch.negatives)
                    if trainer.pairs.seen
                    else torch.ones_like(drawn, dtype=torch.bool)
                )
                counted[users.expand_as(drawn)[counts], drawn[counts]] = True
        for user in range(data.num_users):
            history = data.history(user).tolist()
            never = set(history[:-1] if validation else history)
            if exclude:
                never.add(int(data.split.heldout[user]))
            assert set((~counted[user]).nonzero()[:, 0].tolist()) == never


def test_popularity_is_that_of_the_pairs_learned(data: Dataset) -> None:
    """It is raised to the given power; validation and held-out items do not count."""
    for power, validation in ((0.0, False), (0.75, True), (1.0, False)):
        trainer = make_trainer(
            data, sampler="popularity", sampler_power=power, validation=validation
        )
        kept = data.learned if validation else slice(None)
        weight = (np.bincount(data.split.items[kept], minlength=data.num_items) + 1.0) ** power
        chance = trainer.pairs.sampler.log_probability(torch.arange(data.num_items)).exp()
        np.testing.assert_allclose(chance, weight / weight.sum(), rtol=1e-6)


@pytest.mark.parametrize("loss", ["bpr", "bce", "softmax"])
def test_shared_negatives_that_a_user_has_do_not_count(data: Dataset, loss: str) -> None:
    """With all items as negatives, the step equals one with the items a pair's user lacks."""
    shared = make_trainer(data, loss=loss, shared_negatives=True)
    for user in range(3):
        own = data.history(user)
        free = [item for item in range(data.num_items) if item not in own]
        row = int(data.offsets[user]) + 1
        alone = make_trainer(data, loss=loss)
        shared.model.load_state_dict(alone.model.state_dict())
        losses = (
            shared.step(batch_of(shared, [row], list(range(data.num_items)))),
            alone.step(batch_of(alone, [row], [[i] for i in free])),
        )
        torch.testing.assert_close(*losses)
        for trainer in (shared, alone):
            assert gradient_rows(trainer.model.item_gmf) == {*free, int(own[1])}
    # And where the user has all negatives.
    owner = make_trainer(data, loss=loss, shared_negatives=True)
    before = weights_of(owner)
    row = int(data.offsets[4])
    value = owner.step(batch_of(owner, [row, row + 1], data.history(4).tolist()))
    assert torch.isfinite(value) and all(
        torch.isfinite(weight).all() for weight in weights_of(owner).values()
    )
    same = all(torch.equal(before[name], weight) for name, weight in weights_of(owner).items())
    assert same == (loss != "bce")  # whose positives have a term of their own


# Optimiser


def test_the_shape_is_the_one_asked_for(data: Dataset) -> None:
    trainer = make_trainer(data, embedding_size=5, mlp_layers=[7, 3, 2], batch_size=10)
    shapes = {name: tuple(weight.shape) for name, weight in weights_of(trainer).items()}
    assert shapes["user_mlp.weight"] == (12, 5) and shapes["head.weight"] == (1, 5 + 2)
    assert [shapes[f"mlp.{layer}.weight"] for layer in range(3)] == [(7, 10), (3, 7), (2, 3)]
    assert [len(batch) for batch in trainer.batches(1)] == [10] * 9 + [6]


def test_scaled_init_starts_at_the_scale_of_inputs(data: Dataset) -> None:
    for scaled in (True, False):
        weights = weights_of(
            make_trainer(data, scaled_init=scaled, embedding_size=32, mlp_layers=[64])
        )
        layer, head = weights["mlp.0.weight"], weights["head.weight"][0]
        assert torch.equal(head[:32], torch.ones(32)) == scaled
        assert (0.9 * 64**-0.5 < layer.abs().max() <= 64**-0.5) == scaled
        assert (0.5 * 64**-0.5 < head[32:].abs().max() <= 64**-0.5) == scaled
        assert abs(float(weights["item_gmf.weight"].std()) - 0.01) < 0.001


def test_learning_rate_is_the_size_of_a_first_step(data: Dataset) -> None:
    """Adam's first step has the size of the rate (Kingma and Ba 2015, section 2.1)."""
    trainer = awake(make_trainer(data, learning_rate=0.02))
    before = weights_of(trainer)
    trainer.step(next(iter(trainer.batches(1))))
    for name, parameter in trainer.model.named_parameters():
        assert parameter.grad is not None
        moved = (parameter.detach() - before[name])[parameter.grad.abs() > 1e-5]
        torch.testing.assert_close(moved.abs(), torch.full_like(moved, 0.02), rtol=2e-3, atol=0)


def test_clip_bounds_the_whole_gradient_and_keeps_its_direction(data: Dataset) -> None:
    def gradient(clip: float) -> torch.Tensor:
        trainer = awake(make_trainer(data, clip=clip))
        trainer.step(next(iter(trainer.batches(1))))
        return torch.cat(
            [p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]
        )

    free = gradient(0.0)
    assert free.norm() > 1
    torch.testing.assert_close(gradient(0.25), free * (0.25 / free.norm()), rtol=1e-4, atol=1e-7)
    assert torch.equal(gradient(100.0), free)


def test_pre_training_clips_each_path_by_itself(data: Dataset) -> None:
    trainer = awake(make_trainer(data, clip=0.1, pretrain=1))
    trainer.step(next(iter(trainer.batches(1))))
    gradients = {name: parameter.grad for name, parameter in trainer.model.named_parameters()}
    head = gradients.pop("head.weight")
    assert head is not None
    for path, half in (("gmf", head[:, :4]), ("mlp", head[:, 4:])):
        own = [
            half,
            *(
                g
                for name, g in gradients.items()
                if g is not None and ("gmf" in name) == (path == "gmf")
            ),
        ]
        norm = torch.cat([g.flatten() for g in own]).norm()
        assert norm == pytest.approx(0.1, rel=1e-4)


def test_weight_decay_is_that_of_the_tables_or_of_the_rest(data: Dataset) -> None:
    """Take a first step on one pair; rows outside it have only the penalty's gradient."""

    def after(rest: float, tables: float | None) -> dict[str, torch.Tensor]:
        trainer = awake(
            make_trainer(data, weight_decay=rest, embedding_weight_decay=tables, history=2)
        )
        trainer.step(
            batch_of(
                trainer,
                [4],
                [[int(trainer.pairs.sampler.draw(trainer.pairs.users[4:5], torch.zeros(1))[0])]],
            )
        )
        return weights_of(trainer)

    plain = after(0.0, None)
    trainer = awake(make_trainer(data, history=2))
    start, tables = (
        weights_of(trainer),
        {f"{path}.weight" for path, _ in trainer.model.named_children() if "_" in path},
    )
    assert len(tables) == 6
    negative = int(trainer.pairs.sampler.draw(trainer.pairs.users[4:5], torch.zeros(1))[0])
    unseen = next(item for item in range(30) if item not in data.history(0) and item != negative)
    for rest, own, decayed in (
        (0.5, 0.0, False),
        (0.0, 0.5, True),
        (0.5, None, True),
        (0.5, 0.5, True),
    ):
        now = after(rest, own)
        for name in start:
            if name in tables:
                row = 10 if "user" in name else unseen
                away = start[name][row]
                # Adam's first step has the size of the rate, however large the gradient is.
                want = away - 0.01 * away.sign() * decayed
                torch.testing.assert_close(now[name][row], want, rtol=1e-4, atol=1e-6)
                assert torch.equal(now[name], plain[name]) != decayed
            else:
                assert torch.equal(now[name], plain[name]) == (rest == 0), name
