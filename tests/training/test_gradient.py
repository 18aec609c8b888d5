"""The written-out gradient against autograd's, and weights that are views of one tensor against separate ones."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.loss import GRADIENTS, LOSSES
from neumf_tui.training.graph import StepGraph
from neumf_tui.training.trainer import Trainer
from tests.support.datasets import random_dataset
from tests.support.trainers import awake, make_trainer, weights_of

pytestmark = pytest.mark.usefixtures("no_kernels")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset()


def gradients_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in trainer.model.named_parameters()
        if parameter.grad is not None
    }


def by_autograd(trainer: Trainer) -> Trainer:
    """The same trainer without the written-out gradient."""
    trainer.plain = None
    return trainer


@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_each_loss(loss: str) -> None:
    generator = torch.Generator().manual_seed(1)
    positive, negative = (
        torch.randn(n, 7, generator=generator).mul_(4).requires_grad_() for n in (1, 3)
    )
    value = LOSSES[loss](positive, negative)
    value.backward()  # type: ignore[no-untyped-call]
    for ours, theirs in zip(
        GRADIENTS[loss](positive, negative), (value, positive.grad, negative.grad), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "bce", "negatives": 4},
        {"loss": "softmax", "negatives": 3, "sampler": "popularity"},
        {"mlp_layers": [5]},
        {"mlp_layers": [7, 3]},
        {"embedding_size": 1, "mlp_layers": [2]},
        {"pretrain": 1, "epochs": 2},
    ],
)
def test_a_step_is_autograd_s(
    data: Dataset, changes: dict[str, Any], turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss and every gradient of full batches and of the last, short one, users and items more than once in each."""
    monkeypatch.setattr("neumf_tui.training.trainer.turns", lambda _model: turned)
    changes = {"batch_size": 20} | changes
    plain, other = (
        awake(make_trainer(data, **changes)),
        by_autograd(awake(make_trainer(data, **changes))),
    )
    assert plain.plain is not None and plain.weights.turned == turned
    sizes = set()
    for batch in plain.batches(1):
        sizes.add(len(batch.users))
        torch.testing.assert_close(plain.step(batch), other.step(batch), rtol=1e-5, atol=1e-5)
        ours, theirs = gradients_of(plain), gradients_of(other)
        assert ours.keys() == theirs.keys() == dict(plain.model.named_parameters()).keys()
        for name in ours:
            torch.testing.assert_close(
                ours[name],
                theirs[name],
                rtol=1e-4,
                atol=1e-5,
                msg=lambda text, n=name: f"{n}: {text}",
            )
            assert ours[name].any(), name
    assert len(sizes) == 2


def test_a_batch_in_parts_is_the_same_batch(data: Dataset) -> None:
    """Three pairs at a time, the last part shorter, with a correction of each pair's own."""
    changes = {"loss": "softmax", "negatives": 3, "sampler": "popularity", "batch_size": 20}
    whole, parts = awake(make_trainer(data, **changes)), awake(make_trainer(data, **changes))
    assert whole.plain is not None and parts.plain is not None
    parts.plain.scores_at_once = 3 * 4
    for batch in whole.batches(1):
        torch.testing.assert_close(whole.step(batch), parts.step(batch), rtol=1e-5, atol=1e-5)
        for name, gradient in gradients_of(whole).items():
            torch.testing.assert_close(gradients_of(parts)[name], gradient, rtol=1e-4, atol=1e-5)


def test_which_settings_have_it_written_out(data: Dataset) -> None:
    for changes in ({"history": 3}, {"dropout": 0.1}, {"mlp_dropout": 0.1}, {"model": "gmf"}, {"model": "mlp"},
                    {"shared_negatives": True}, {"hard_negatives": 2}):  # fmt: skip
        assert make_trainer(data, **changes).plain is None
    assert make_trainer(data).plain is not None


def test_pretraining_becomes_one_model_in_both_ways(data: Dataset) -> None:
    plain, other = (
        make_trainer(data, pretrain=1, epochs=2),
        by_autograd(make_trainer(data, pretrain=1, epochs=2)),
    )
    assert plain.plain is not None
    for epoch in (1, 2):
        for batch in plain.batches(epoch):
            torch.testing.assert_close(plain.step(batch), other.step(batch), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("turned", [False, True])
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
def test_adam_on_one_tensor_is_torch_s_on_many(
    data: Dataset, changes: dict[str, Any], turned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights after two epochs; `torch.optim.Adam` takes the same gradients, with a group of the tables and one of the rest."""
    monkeypatch.setattr("neumf_tui.training.trainer.turns", lambda _model: turned)
    trainer = make_trainer(data, weight_decay=0.1, **changes)
    mirror = {
        name: parameter.detach().clone() for name, parameter in trainer.model.named_parameters()
    }
    tables = [
        tensor for name, tensor in mirror.items() if name.startswith(("user", "item", "history"))
    ]
    others = [
        tensor
        for name, tensor in mirror.items()
        if not name.startswith(("user", "item", "history"))
    ]
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
            "a path that is left out is not touched"
        )


def test_every_weight_lies_in_one_tensor_and_overlaps_no_other(data: Dataset) -> None:
    for turned, changes in itertools.product(
        (False, True), ({}, {"history": 3}, {"mlp_layers": [3]})
    ):
        weights = make_trainer(data, **changes).weights
        weights = type(weights)(weights.model, 0.0, 0.0, turned=turned)
        weights.values.copy_(torch.arange(len(weights.values)))
        found = torch.cat(
            [parameter.detach().flatten() for parameter in weights.model.parameters()]
        )
        assert torch.equal(found.sort().values, weights.values)
        if not turned:
            users = torch.cat(
                [
                    weights.model.user_gmf.weight.detach().flatten(),
                    weights.model.user_mlp.weight.detach().flatten(),
                ]
            )
            assert int(users.max()) == weights.user_cells - 1


def recorded(work: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
    """As a CUDA graph does: runs the same work again on the same memory, and leaves the loss where it was."""
    loss = work()  # a graph does not run while it is recorded, this does: the state has to be put back either way
    return lambda: loss.copy_(work()), loss  # type: ignore[func-returns-value, return-value]


def test_a_recorded_step_is_the_step(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the recording itself, for which there is no device here: full batches by the record, the last one without."""
    monkeypatch.setattr("neumf_tui.training.graph.capture_on_cuda", recorded)
    plain, graphed = (
        awake(make_trainer(data, batch_size=20, schedule="linear", epochs=3)) for _ in range(2)
    )
    graphed.records, graphed.notes = True, []
    for epoch in (1, 2):
        for batch in plain.batches(epoch):
            torch.testing.assert_close(graphed.step(batch), plain.step(batch))
        for name, value in plain.weights.tensors().items():
            torch.testing.assert_close(graphed.weights.tensors()[name], value)
    assert graphed.records and graphed._graph is not None and not graphed.notes
    assert plain._graph is None


@pytest.mark.parametrize("fault", ["another batch", "no update", "not recorded"])
def test_a_record_that_is_not_the_step_is_found_out_and_said(
    data: Dataset, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(work: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        replay, loss = recorded(work)
        if fault == "not recorded":
            raise RuntimeError("operation not permitted when stream is capturing")

        def again() -> None:
            rows = graphed_rows()
            if fault == "another batch":
                rows[1:] = rows[1:].flip(1)
            replay()
            if fault == "no update":
                graphed.weights.steps.sub_(1)

        return again, loss

    def graphed_rows() -> torch.Tensor:
        return rows_of[0]

    rows_of: list[torch.Tensor] = []
    clone = torch.Tensor.clone
    plain, graphed = (awake(make_trainer(data, batch_size=20)) for _ in range(2))
    make = StepGraph.__init__

    def spied(
        self: StepGraph, work: Any, weights: Any, rows: torch.Tensor, capture: Any = None
    ) -> None:
        def kept(given: torch.Tensor) -> torch.Tensor:
            rows_of[:] = [given]
            return work(given)  # type: ignore[no-any-return]

        make(self, kept, weights, clone(rows), broken)

    monkeypatch.setattr(StepGraph, "__init__", spied)
    graphed.records, graphed.notes = True, []
    for batch in plain.batches(1):
        torch.testing.assert_close(graphed.step(batch), plain.step(batch))
    for name, value in plain.weights.tensors().items():
        torch.testing.assert_close(graphed.weights.tensors()[name], value)
    assert not graphed.records and graphed._graph is None
    assert len(graphed.notes) == 1 and "no CUDA graph" in graphed.notes[0]
