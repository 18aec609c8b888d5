"""Weights that are views of one tensor against separate ones, and a step that is recorded."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.training.graph import RecordedStep, Work
from neumf_tui.training.trainer import Trainer
from tests.support.datasets import random_dataset
from tests.support.trainers import awake, make_trainer, weights_of

pytestmark = pytest.mark.usefixtures("no_kernels")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"embedding_weight_decay": 0.01},
        {"history": 3, "embedding_weight_decay": 0.0},
        {"model": "gmf"},
        {"model": "mlp"},
    ],
)
def test_adam_on_one_tensor_equals_torch_on_many(data: Dataset, changes: dict[str, Any]) -> None:
    """Compare weights after two epochs with those of `torch.optim.Adam` for the same gradients.

    The tables are one of its parameter groups, and the rest is another.
    """
    trainer = make_trainer(data, weight_decay=0.1, **changes)
    mirror = weights_of(trainer)
    sides = "user", "item", "history"
    tables = [tensor for name, tensor in mirror.items() if name.startswith(sides)]
    others = [tensor for name, tensor in mirror.items() if not name.startswith(sides)]
    decay = changes.get("embedding_weight_decay", 0.1)
    theirs = torch.optim.Adam(
        [{"params": tables, "weight_decay": decay}, {"params": others, "weight_decay": 0.1}],
        lr=trainer.settings.learning_rate,
    )
    idle = {"gmf": "mlp", "mlp": "gmf"}.get(changes.get("model", ""), "nothing")
    before = weights_of(trainer)
    for epoch in (1, 2):
        for batch in trainer.batches(epoch):
            trainer.step(batch)
            for name, parameter in trainer.model.named_parameters():
                assert (parameter.grad is None) == (idle in name)
                mirror[name].grad = None if parameter.grad is None else parameter.grad.clone()
            theirs.step()
    after = weights_of(trainer)
    for name in mirror:
        torch.testing.assert_close(after[name], mirror[name], rtol=1e-4, atol=1e-6)
        assert torch.equal(after[name], before[name]) == (idle in name), (
            "a path that the model leaves out does not change"
        )


@pytest.mark.parametrize("changes", [{}, {"history": 3}, {"mlp_layers": [3]}])
def test_every_weight_is_in_one_tensor_and_overlaps_no_other(
    data: Dataset, changes: dict[str, Any]
) -> None:
    weights = make_trainer(data, **changes).weights
    weights.values.copy_(torch.arange(len(weights.values)))
    found = torch.cat([parameter.detach().flatten() for parameter in weights.model.parameters()])
    assert torch.equal(found.sort().values, weights.values)
    users = [weights.model.user_gmf.weight, weights.model.user_mlp.weight]
    assert max(int(table.max()) for table in users) == weights.user_cells - 1


# Recording


def recorded(trainer: Trainer, capture: Callable[[Work], Work]) -> RecordedStep:
    """Make the trainer record its step by `capture`, which takes the place of a CUDA graph."""
    trainer.notes.clear()
    size = trainer.settings.batch_size
    step = RecordedStep(trainer.take_step, trainer.weights, size, trainer.notes.append, capture)
    trainer.take_step = step
    return step


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "softmax", "sampler": "popularity", "negatives": 3, "clip": 0.5},
        {"history": 3, "shared_negatives": True, "negatives": 6, "hard_negatives": 2},
    ],
)
def test_a_recorded_step_equals_the_step(data: Dataset, changes: dict[str, Any]) -> None:
    """Test all but the recording: full batches by the record, the last one without it."""
    changes = {"batch_size": 20, "schedule": "linear", "epochs": 3, **changes}
    plain, other = (awake(make_trainer(data, **changes)) for _ in range(2))
    calls: list[int] = []

    def capture(work: Work) -> Work:
        return lambda: (calls.append(1), work())[1]

    step = recorded(other, capture)
    for epoch in (1, 2):
        for batch in plain.batches(epoch):
            torch.testing.assert_close(other.step(batch), plain.step(batch))
        for name, value in plain.weights.tensors().items():
            torch.testing.assert_close(other.weights.tensors()[name], value)
    assert not step.failed and not other.notes
    assert len(calls) == 1 + 2 * (plain.pairs.total // 20), "once to compare, then every full batch"


@pytest.mark.parametrize("fault", ["another loss", "no update", "not recorded"])
def test_a_record_that_differs_from_the_step_is_not_used(data: Dataset, fault: str) -> None:
    plain, other = (awake(make_trainer(data, batch_size=20)) for _ in range(2))

    def broken(work: Work) -> Work:
        if fault == "not recorded":
            raise RuntimeError("operation not permitted when stream is capturing")

        def replay() -> torch.Tensor:
            loss = work()
            if fault == "another loss":
                loss.add_(1)
            else:
                other.weights.steps.sub_(1)
            return loss

        return replay

    step = recorded(other, broken)
    for batch in plain.batches(1):
        torch.testing.assert_close(other.step(batch), plain.step(batch))
    for name, value in plain.weights.tensors().items():
        torch.testing.assert_close(other.weights.tensors()[name], value)
    assert step.failed
    assert len(other.notes) == 1 and "no CUDA graph" in other.notes[0]
