"""Both folds of a split by time, against the rule written plainly, user by user."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neumf_tui.baselines import item_models
from neumf_tui.baselines.compute import Fold
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import make_options
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.accelerator import AcceleratorEvaluator
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.settings import make_settings
from neumf_tui.training.model_ranks import ModelRanks, scorer_of
from neumf_tui.training.trainer import Trainer
from tests.support.trainers import make_trainer, train

USERS, ITEMS = 60, 50
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Users are active in times of their own: some before, some only between the cuts."""
    draw = np.random.default_rng(4)
    users = np.repeat(np.arange(USERS), draw.integers(1, 20, USERS))
    items = np.concatenate([draw.permutation(ITEMS)[:n] for n in np.bincount(users)])
    times = 1000 + 100 * draw.integers(0, 9, USERS)[users] + draw.integers(0, 300, len(users))
    ids, names = [f"u{one}" for one in range(USERS)], [f"i{one}" for one in range(ITEMS)]
    catalogue = Catalogue(names, names, [None] * ITEMS, [[] for _ in names])
    content = Content(ids, catalogue, Interactions(users, items, times))
    found = prepare_content("timed", "", content, make_options(split="time", cut="0.75"))
    known, sizes = found.split.known, np.diff(found.offsets)
    held, validated = found.split.heldout >= 0, found.validation >= 0
    # Every kind of user is there.
    assert (known == 0).any() and (~held).any() and (validated & ~held).any()
    assert (held & ~validated).any() and (known == sizes).any() and (known < sizes - 1).any()
    return found


def history(data: Dataset, user: int, validation: bool) -> NDArray[np.int64]:
    return data.history(user)[: data.split.known[user] if validation else None]


def plain_ranks(data: Dataset, scores: NDArray[np.float32], validation: bool) -> list[float]:
    """Rank each user's item among all items that are not in the history of the fold."""
    ranks = []
    for user in range(data.num_users):
        past = history(data, user, validation)
        rest = data.history(user)[len(past) :]
        target = int(data.split.heldout[user])
        if validation:
            target = int(rest[0]) if len(past) and len(rest) else -1
        if target < 0:
            ranks.append(np.nan)
            continue
        others = np.setdiff1d(np.arange(data.num_items), [*past, target])
        higher, equal = (
            int(kind(scores[user, others], scores[user, target]).sum())
            for kind in (np.greater, np.equal)
        )
        ranks.append(1 + higher + equal / 2)
    return ranks


@pytest.mark.parametrize("validation", [False, True])
def test_candidates_and_popularity(data: Dataset, validation: bool) -> None:
    evaluator = Evaluator(data, validation=validation)
    past = [history(data, user, validation) for user in range(data.num_users)]
    assert evaluator.candidates.tolist() == [data.num_items - len(one) for one in past]
    assert evaluator.items.tolist() == [item for one in past for item in one.tolist()]
    assert np.diff(evaluator.offsets).tolist() == [len(one) for one in past]
    seen = np.bincount(np.concatenate(past), minlength=data.num_items).astype(np.float32)
    scores = np.tile(seen, (data.num_users, 1))
    np.testing.assert_array_equal(
        evaluator.popularity_ranks(), plain_ranks(data, scores, validation)
    )


@pytest.mark.parametrize("validation", [False, True])
def test_popularity_and_ease_learn_from_the_history_alone(data: Dataset, validation: bool) -> None:
    fold = Fold(data, validation)
    np.testing.assert_array_equal(
        fold.ranks(item_models.popularity(fold.histories)), fold.evaluator.popularity_ranks()
    )
    ease = item_models.ease_recent(fold.histories, 50.0, 3.0, 0.1)
    matrix = np.zeros((data.num_users, data.num_items))
    weighted = np.zeros_like(matrix)
    for user in range(data.num_users):
        past = history(data, user, validation)
        matrix[user, past] = 1
        weighted[user, past[::-1]] = np.exp(-np.arange(1, len(past) + 1) / 3) + 0.1
    inverse = np.linalg.inv(matrix.T @ matrix + 50 * np.eye(data.num_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    found = fold.ranks(ease)
    wanted = plain_ranks(data, (weighted @ weights).astype(np.float32), validation)
    np.testing.assert_allclose(found, wanted)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("validation", [False, True])
def test_neumf_with_a_history_is_ranked_by_the_history_of_the_fold(
    data: Dataset, validation: bool
) -> None:
    model = train(make_trainer(data, learning_rate=0.05, history=4), 1, 2).model
    evaluator = ModelRanks(data, CPU, validation=validation)
    found = evaluator.by_model(model)
    # As a dataset whose users have nothing but that history, so that none is left over.
    scorer = scorer_of(model, evaluator.histories)
    scores = np.stack(
        [
            scorer.item_scores(scorer.profile(user, history(data, user, validation))).total
            for user in range(data.num_users)
        ]
    )
    np.testing.assert_allclose(found, plain_ranks(data, scores, validation), atol=0.5)
    np.testing.assert_allclose(AcceleratorEvaluator(evaluator, CPU).ranks(model), found, atol=1)


@pytest.mark.usefixtures("one_thread")
def test_training_with_validation_sees_nothing_from_the_earlier_cut_on(data: Dataset) -> None:
    settings = make_settings("tuned", {"epochs": 1, "device": "cpu", "threads": 1})
    trainer = Trainer(data, settings, CPU)
    pairs = [
        pair
        for batch in trainer.batches(1)
        for pair in zip(batch.users.tolist(), batch.items.tolist(), strict=True)
    ]
    assert sorted(pairs) == sorted(
        (user, item)
        for user in range(data.num_users)
        for item in history(data, user, True).tolist()
    )
    for batch in trainer.batches(1):
        places = trainer.pairs.places_in_history(batch.rows).tolist()
        for user, item, place in zip(
            batch.users.tolist(), batch.items.tolist(), places, strict=True
        ):
            assert data.history(user)[place] == item


def test_a_fold_without_anybody_says_what_is_missing(data: Dataset) -> None:
    nobody = np.full(data.num_users, -1)
    without = replace(data, split=replace(data.split, heldout=nobody))
    with pytest.raises(DatasetError, match="nobody has interactions on both sides of the cut"):
        Evaluator(without)
    unknown = replace(data, split=replace(data.split, known=np.zeros_like(nobody)))
    with pytest.raises(DatasetError, match=r"between the cuts .*add --no-validation"):
        Evaluator(unknown, validation=True)
