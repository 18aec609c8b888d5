"""The cost model counts what the trainer holds and sends; the docs show its tables."""

import dataclasses
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.cost_model import (
    CASES,
    ML_20M,
    ORDER_BYTES,
    PAIR_BYTES,
    VALUE_BYTES,
    Work,
    cost,
    layer_values,
    table,
)
from neumf_tui.data.dataset import Dataset
from neumf_tui.settings import make_settings
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.trainer import Trainer

DOCS = Path(__file__).parents[2] / "docs" / "scaling.md"


class Counted(Group):
    """One of four processes, without the others; records the bytes that it would send."""

    def __init__(self, rank: int) -> None:
        self.rank, self.size = rank, 4
        self.sent: list[int] = []

    def all_reduce(self, tensor: Tensor) -> None:
        self.sent.append(tensor.nbytes)


def test_bytes_are_those_of_the_trainer(demo: Dataset) -> None:
    settings = make_settings(
        "d2l", {"embedding_size": 8, "mlp_layers": (16, 4), "negatives": 4, "batch_size": 1000}
    )
    work = Work("demo", demo.num_users, demo.num_items, demo.num_train, 8, (16, 4), 1000)
    groups = [Counted(rank) for rank in range(4)]
    trainers = [Trainer(demo, settings, torch.device("cpu"), group) for group in groups]
    shared = demo.num_items * 16 + layer_values(work)
    assert (
        sum(p.numel() for name, p in trainers[0].model.named_parameters() if "user" not in name)
        == shared
    )
    for trainer, group in zip(trainers, groups, strict=True):
        weights = trainer.weights
        held = sum(
            tensor.nbytes
            for tensor in (weights.values, weights.gradient, weights.mean, weights.square)
        )
        assert held == VALUE_BYTES * (len(trainer.pairs.own) * 16 + shared)
        trainer.step(next(trainer.batches(1)))
        assert group.sent[0] == 4 * shared
        pairs = trainer.pairs
        own = (pairs.users.nbytes + pairs.items.nbytes) // len(pairs.users)
        assert own + 8 == PAIR_BYTES, "and 8 of the sampler"
    assert pairs.sampler.keys.element_size() == 8
    order = pairs._order(torch.Generator().manual_seed(0))
    assert order.nbytes == ORDER_BYTES * demo.num_train
    modelled = cost(work, 4)
    assert modelled.shared == VALUE_BYTES * shared
    assert 4 * modelled.own == VALUE_BYTES * 16 * demo.num_users
    assert modelled.sent == 2 * 3 / 4 * 4 * shared
    assert modelled.steps == trainers[0].steps


def test_more_gpus_hold_less_each_and_one_sends_nothing() -> None:
    few, many = cost(ML_20M, 1), cost(ML_20M, 8)
    assert few.sent == 0 < many.sent
    assert (few.own, few.pairs) == (8 * many.own, 8 * many.pairs)
    assert (few.shared, few.order) == (many.shared, many.order)
    assert cost(dataclasses.replace(ML_20M, factors=128), 8).own == 2 * many.own


def test_the_page_shows_what_is_calculated_and_measured() -> None:
    page = DOCS.read_text("utf-8")
    assert table(CASES).markdown() in page
    measured = [
        line
        for line in (DOCS.parents[1] / "benchmarks/results/processes.md")
        .read_text("utf-8")
        .splitlines()
        if "|" in line
    ]
    assert len(measured) > 8 and "\n".join(measured) in page
