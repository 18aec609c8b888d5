"""Ranks of all users: against sorting, and the same bits however the work is divided."""

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation import scoring
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.evaluation.popularity import popularity_ranks
from neumf_tui.evaluation.scoring import Scorer
from neumf_tui.model import neumf
from neumf_tui.model.neumf import NeuMF
from tests.support.datasets import random_dataset
from tests.support.trainers import make_trainer, scores_of, train

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(61, 400, 40)


def model_of(data: Dataset, **changes: object) -> NeuMF:
    return train(make_trainer(data, learning_rate=0.05, **changes), 1, 2).model


def rows_of(model: NeuMF, users: range) -> NeuMF:
    """Return the model of these users only."""
    tables = {
        name: model.get_submodule(name).weight[users.start : users.stop]
        for name in ("user_gmf", "user_mlp")
    }  # type: ignore[index]
    part = NeuMF(replace(model.config, num_users=len(users)))
    part.load_state_dict(
        model.state_dict() | {f"{name}.weight": rows for name, rows in tables.items()}
    )
    return part


def test_ranks_equal_those_of_sorting(data: Dataset) -> None:
    model = model_of(data)
    evaluator = Evaluator(data, CPU)
    ranks = np.empty(data.num_users, dtype=np.float32)
    with torch.inference_mode():
        users, items = torch.arange(data.num_users), torch.arange(data.num_items)
        scores = scores_of(model, users, items).T.numpy()
    for user in range(data.num_users):
        candidates = np.setdiff1d(np.arange(data.num_items), data.history(user))
        best_first = candidates[np.argsort(-scores[user, candidates], kind="stable")]
        ranks[user] = 1 + best_first.tolist().index(int(data.split.heldout[user]))
    plain, ours = (
        metrics_from_ranks(found, evaluator.candidates) for found in (ranks, evaluator.ranks(model))
    )
    for name, value in plain.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("history", [0, 5])
def test_parts_of_the_users_have_the_ranks_of_the_whole(
    data: Dataset, validation: bool, history: int
) -> None:
    model = model_of(data, history=history)
    whole = Evaluator(data, CPU, validation=validation)
    for cuts in ((0, 30, 61), (0, 1, 2, 7, 60, 61)):
        parts = [
            Evaluator(data, CPU, validation=validation, users=range(start, stop))
            for start, stop in pairwise(cuts)
        ]
        np.testing.assert_array_equal(
            np.concatenate([part.candidates for part in parts]), whole.candidates
        )
        for ours, theirs in (
            ([part.ranks(rows_of(model, part.own)) for part in parts], whole.ranks(model)),
            ([part.popularity_ranks() for part in parts], whole.popularity_ranks()),
        ):
            np.testing.assert_array_equal(np.concatenate(ours), theirs)


def test_ranks_are_the_same_by_any_number_of_threads(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "_HIDDEN_BYTES", 40 * 400 * 7)  # seven users at a time
    model = model_of(data)
    one, *more = (Evaluator(data, CPU, threads=threads).ranks(model) for threads in (1, 2, 3, 100))
    for ranks in more:
        np.testing.assert_array_equal(ranks, one)


@pytest.mark.parametrize("threads", [1, 3])
def test_stretches_are_worked_on_once_with_one_thread_of_torch_each(threads: int) -> None:
    before, seen, inside = torch.get_num_threads(), [], set()
    lock = threading.Lock()

    def work(numbers: range) -> None:
        with lock:
            seen.extend(numbers)
            inside.add(torch.get_num_threads())

    torch.set_num_threads(2)
    try:
        each_stretch(work, 50, 7, threads)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert sorted(seen) == list(range(50)) and inside == {1}


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_one_stretch_ends_them_all(threads: int) -> None:
    begun = []

    def work(numbers: range) -> None:
        begun.append(numbers.start)
        raise NeumfTuiError(f"in {numbers.start}")

    with pytest.raises(NeumfTuiError, match=r"in \d"):
        each_stretch(work, 1000, 1, threads)
    assert len(begun) <= threads


@pytest.mark.usefixtures("no_kernels")
@pytest.mark.parametrize("layers", [[6], [6, 3], [5, 4, 3]])
def test_a_catalogue_too_large_for_a_chunk_is_scored_in_stretches(
    data: Dataset, layers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(data, mlp_layers=layers)
    whole = Scorer(model)
    monkeypatch.setattr(scoring, "_HIDDEN_BYTES", 16 * 150 * whole._pair_bytes)
    scorer = Scorer(model)
    assert (scorer.chunk_users, scorer._chunk_items) == (16, 134) and (
        whole.chunk_users,
        whole._chunk_items,
    ) == (61, 400)
    monkeypatch.setattr(scoring, "_MOST_PAIRS", 3 * 400)
    narrow = Scorer(model)
    assert (narrow.chunk_users, narrow._chunk_items) == (6, 400), (
        "no more users than are asked for, if these fit"
    )
    monkeypatch.setattr(scoring, "_HIDDEN_BYTES", whole._pair_bytes)
    least = Scorer(model)
    assert (least.chunk_users, least._chunk_items) == (3, 1)
    for user in (0, 17, 60):
        for ours, theirs in zip(
            *(each.parts(user, user + 1) for each in (scorer, whole)), strict=True
        ):
            torch.testing.assert_close(ours, theirs)
    guests = (table.weight[:5].detach().numpy() for table in (model.user_gmf, model.user_mlp))
    for ours, theirs in zip(scorer.embedded(*guests), whole.parts(0, 5), strict=True):
        torch.testing.assert_close(torch.from_numpy(ours), theirs)


def limit_pairs(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Limit memory to the hidden units of `most` pairs; return the numbers of pairs tried."""
    room, tried = Scorer._buffer, []

    def limited(self: Scorer, name: str, width: int, pairs: int) -> torch.Tensor:
        tried.append(pairs)
        if pairs > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return room(self, name, width, pairs)

    monkeypatch.setattr(Scorer, "_buffer", limited)
    return tried


@pytest.mark.usefixtures("no_kernels")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("most", [400 * 16, 400, 100])
def test_out_of_memory_halves_what_is_scored_at_once(
    data: Dataset, threads: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(data)
    evaluator = Evaluator(data, CPU, threads=threads)
    plenty = evaluator.ranks(model)
    monkeypatch.setattr(scoring, "_FEWEST_ITEMS", 50)
    tried = limit_pairs(monkeypatch, most)
    np.testing.assert_array_equal(evaluator.ranks(model), plenty)
    assert max(tried) == 61 * 400 and tried[-1] <= most
    assert sum(pairs > most for pairs in tried) < 10, "what did not fit once is not tried again"


@pytest.mark.usefixtures("no_kernels")
def test_the_error_says_what_fits_if_one_user_does_not(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = limit_pairs(monkeypatch, 99)
    with pytest.raises(
        NeumfTuiError,
        match=r"one user and 400 items at a time, which need [\d,]+ bytes; .*--device cpu",
    ) as caught:
        Evaluator(data, CPU).ranks(model_of(data))
    assert caught.value.__cause__ is None and min(tried) == 400


@pytest.mark.usefixtures("no_kernels")
def test_a_gpu_s_chunks_are_what_half_its_free_memory_holds(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = Scorer(model_of(data))
    scorer.device = torch.device("cuda")
    for free, pairs in (
        (1 << 40, 1 << 22),
        (1 << 20, (1 << 19) // (scorer._pair_bytes + 16)),
        (0, 1),
    ):
        monkeypatch.setattr(scoring, "free_memory", lambda _, free=free: free)
        assert scorer._pairs_at_once() == pairs
    scorer.chunk_users, scorer._chunk_items = 1, 400
    monkeypatch.setattr(scoring, "free_memory", lambda _: 12345)
    with pytest.raises(NeumfTuiError, match="12,345 are free"):
        scorer.shrink()


@pytest.mark.parametrize("validation", [False, True])
def test_popularity_ranks_are_those_of_a_model_that_scores_by_it(
    data: Dataset, validation: bool
) -> None:
    evaluator = Evaluator(data, CPU, validation=validation)
    scores = torch.from_numpy(evaluator.seen_by).float()
    counted = evaluator.ranks_by(lambda start, stop: scores.repeat(stop - start, 1), 10)
    np.testing.assert_array_equal(evaluator.popularity_ranks(), counted)
    targets = data.validation if validation else np.asarray(data.split.heldout)
    for pairs in (1, 90):
        ranks = popularity_ranks(
            evaluator.seen_by,
            targets,
            evaluator.candidates,
            data.split.items,
            data.offsets,
            most_pairs=pairs,
        )
        np.testing.assert_array_equal(ranks, counted)
    history = {(user, item) for user in range(61) for item in data.history(user).tolist()}
    if validation:
        history -= set(enumerate(data.validation.tolist()))
    assert {
        (u, i)
        for u in range(61)
        for i in evaluator.items[slice(*evaluator.offsets[u : u + 2])].tolist()
    } == history
    assert evaluator.seen_by.tolist() == [
        sum((user, item) in history for user in range(61)) for item in range(400)
    ]


def test_infinite_scores_of_one_sign_are_equal(data: Dataset) -> None:
    evaluator = Evaluator(data, CPU)
    heldout = torch.from_numpy(np.array(data.split.heldout))
    for value in (torch.inf, -torch.inf):
        scores = torch.zeros(61, 400)
        scores[:, :200] = value
        scores[torch.arange(61), heldout] = value
        expected = []
        for user, row in enumerate(scores.numpy()):
            others = np.delete(row, [*data.history(user), heldout[user]])
            expected.append(1 + (others > value).sum() + (others == value).sum() / 2)
        assert evaluator.ranks_by(lambda *_, scores=scores: scores.clone(), 61).tolist() == expected


def test_histories_are_folded_in_part_by_part(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(data, history=5)
    items, offsets = torch.from_numpy(np.array(data.split.items)), torch.from_numpy(data.offsets)
    whole = model.with_history_folded_in(items, offsets[:-1], offsets.diff())
    for size in (1, 17, 100):
        monkeypatch.setattr(neumf, "_WINDOW_ITEMS", size)
        for given in (items, items.int()):
            some = model.with_history_folded_in(given, offsets[:-1], offsets.diff())
            assert torch.equal(some.user_gmf.weight, whole.user_gmf.weight)
            assert torch.equal(some.user_mlp.weight, whole.user_mlp.weight)
    assert not torch.equal(whole.user_gmf.weight, model.user_gmf.weight)


def test_an_evaluation_reports_its_progress(data: Dataset) -> None:
    model = make_trainer(data).model
    for threads in (1, 2):
        told: list[float] = []
        Evaluator(data, torch.device("cpu"), threads=threads).ranks(model, told.append)
        assert told == sorted(told) and told[-1] == 1.0
