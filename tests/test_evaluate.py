"""Ranks of everybody: against sorting, and the same bits however the work is cut."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny import make_trainer, random_dataset, train

from neumf_tui.data.dataset import Dataset
from neumf_tui.model.neumf import NeuMF
from neumf_tui.ranking.evaluate import Evaluator
from neumf_tui.ranking.metrics import metrics_from_ranks

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(61, 400, 40)


def model_of(data: Dataset, **changes: object) -> NeuMF:
    return train(make_trainer(data, learning_rate=0.05, **changes), 1, 2).model


def rows_of(model: NeuMF, users: range) -> NeuMF:
    """The model of these users alone."""
    tables = {name: model.get_submodule(name).weight[users.start : users.stop] for name in ("user_gmf", "user_mlp")}  # type: ignore[index]
    part = NeuMF(replace(model.config, num_users=len(users)))
    part.load_state_dict(model.state_dict() | {f"{name}.weight": rows for name, rows in tables.items()})
    return part


def test_ranks_are_those_of_sorting(data: Dataset) -> None:
    model = model_of(data)
    evaluator = Evaluator(data, CPU)
    ranks = np.empty(data.num_users, dtype=np.float32)
    with torch.inference_mode():
        scores = model(torch.arange(data.num_users), torch.arange(data.num_items)).T.numpy()
    for user in range(data.num_users):
        candidates = np.setdiff1d(np.arange(data.num_items), data.history(user))
        best_first = candidates[np.argsort(-scores[user, candidates], kind="stable")]
        ranks[user] = 1 + best_first.tolist().index(int(data.split.heldout[user]))
    plain, ours = (metrics_from_ranks(found, evaluator.candidates) for found in (ranks, evaluator.ranks(model)))
    for name, value in plain.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("history", [0, 5])
def test_parts_of_the_users_have_the_ranks_of_the_whole(data: Dataset, validation: bool, history: int) -> None:
    model = model_of(data, history=history)
    whole = Evaluator(data, CPU, validation=validation)
    for cuts in ((0, 30, 61), (0, 1, 2, 7, 60, 61)):
        parts = [Evaluator(data, CPU, validation=validation, users=range(start, stop)) for start, stop in pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate([part.candidates for part in parts]), whole.candidates)
        for ours, theirs in (
            ([part.ranks(rows_of(model, part.own)) for part in parts], whole.ranks(model)),
            ([part.popularity_ranks() for part in parts], whole.popularity_ranks()),
        ):
            np.testing.assert_array_equal(np.concatenate(ours), theirs)
