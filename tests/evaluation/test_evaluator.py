"""Ranks of all users: against sorting, and the same bits however the work is divided."""

import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.evaluation import accelerator
from neumf_tui.evaluation.accelerator import AcceleratorEvaluator, TorchScorer
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.evaluation.parallel import each_stretch
from neumf_tui.evaluation.popularity import popularity_ranks
from neumf_tui.model import neumf
from neumf_tui.model.neumf import NeuMF
from neumf_tui.scorers import neumf as scorers_neumf
from neumf_tui.scorers.neumf import NeuMFScorer
from neumf_tui.scorers.open import all_histories
from neumf_tui.scorers.table import TableScorer
from neumf_tui.training.model_ranks import ModelRanks, scorer_of
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


def sorted_ranks(data: Dataset, scores: np.ndarray) -> np.ndarray:
    """Return ranks of held-out items by sorting each user's candidates."""
    ranks = np.empty(data.num_users, dtype=np.float32)
    for user in range(data.num_users):
        candidates = np.setdiff1d(np.arange(data.num_items), data.history(user))
        best_first = candidates[np.argsort(-scores[user, candidates], kind="stable")]
        ranks[user] = 1 + best_first.tolist().index(int(data.split.heldout[user]))
    return ranks


@pytest.mark.parametrize("by", ["kernels", "numpy", "torch"])
def test_ranks_equal_those_of_sorting(
    data: Dataset, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(data)
    evaluator = ModelRanks(data, CPU)
    if by == "numpy":
        monkeypatch.setenv("NEUMF_TUI_CC", "none")
    if by == "torch":  # as on an accelerator
        found = AcceleratorEvaluator(evaluator, CPU).ranks(model)
    else:
        found = evaluator.by_model(model)
    with torch.inference_mode():
        users, items = torch.arange(data.num_users), torch.arange(data.num_items)
        ranks = sorted_ranks(data, scores_of(model, users, items).T.numpy())
    plain, ours = (metrics_from_ranks(some, evaluator.candidates) for some in (ranks, found))
    for name, value in plain.items():
        assert ours[name] == pytest.approx(value, abs=1e-6), name


@pytest.mark.parametrize("validation", [False, True])
@pytest.mark.parametrize("history", [0, 5])
def test_parts_of_the_users_have_the_ranks_of_the_whole(
    data: Dataset, validation: bool, history: int
) -> None:
    model = model_of(data, history=history)
    whole = ModelRanks(data, CPU, validation=validation)
    for cuts in ((0, 30, 61), (0, 1, 2, 7, 60, 61)):
        parts = [
            ModelRanks(data, CPU, validation=validation, users=range(start, stop))
            for start, stop in pairwise(cuts)
        ]
        np.testing.assert_array_equal(
            np.concatenate([part.candidates for part in parts]), whole.candidates
        )
        for ours, theirs in (
            ([part.by_model(rows_of(model, part.own)) for part in parts], whole.by_model(model)),
            ([part.popularity_ranks() for part in parts], whole.popularity_ranks()),
        ):
            np.testing.assert_array_equal(np.concatenate(ours), theirs)


def test_ranks_are_the_same_by_any_number_of_threads(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers_neumf, "_KERNEL_PAIRS", 400 * 7)  # seven users at a time
    monkeypatch.setattr(scorers_neumf, "_HIDDEN_BYTES", 48 * 400 * 7)
    monkeypatch.setattr(scorers_neumf, "_FEWEST_USERS", 1)
    model = model_of(data)
    assert scorer_of(model, all_histories(data)).chunk_users == 7
    one, *more = (
        ModelRanks(data, CPU, threads=threads).by_model(model) for threads in (1, 2, 3, 100)
    )
    for ranks in more:
        np.testing.assert_array_equal(ranks, one)


@pytest.mark.usefixtures("no_kernels")
def test_ranks_by_numpy_are_the_same_by_any_number_of_threads(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_ranks_are_the_same_by_any_number_of_threads(data, monkeypatch)


@pytest.mark.parametrize("threads", [1, 3])
def test_stretches_are_worked_on_once(threads: int) -> None:
    seen, lock = [], threading.Lock()

    def work(numbers: range) -> None:
        with lock:
            seen.extend(numbers)

    each_stretch(work, 50, 7, threads)
    assert sorted(seen) == list(range(50))


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_one_stretch_ends_them_all(threads: int) -> None:
    begun = []

    def work(numbers: range) -> None:
        begun.append(numbers.start)
        raise NeumfTuiError(f"in {numbers.start}")

    with pytest.raises(NeumfTuiError, match=r"in \d"):
        each_stretch(work, 1000, 1, threads)
    assert len(begun) <= threads


LAYERS = pytest.mark.parametrize("layers", [[6], [6, 3], [5, 4, 3]])


@pytest.mark.usefixtures("no_kernels")
@LAYERS
def test_a_catalogue_too_large_for_a_chunk_is_scored_in_stretches(
    data: Dataset, layers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scorer(pairs: int) -> NeuMFScorer:
        monkeypatch.setattr(scorers_neumf, "_HIDDEN_BYTES", pairs * whole._pair_bytes)
        return scorer_of(model, histories)

    def chunk(of: NeuMFScorer) -> tuple[int, int]:
        return of._chunk_users, min(of._chunk_items, 400)

    model, histories = model_of(data, mlp_layers=layers), all_histories(data)
    whole = scorer_of(model, histories)
    some = scorer(16 * 150)
    assert chunk(some) == (16, 150) and chunk(whole) == (61, 400)
    monkeypatch.setattr(scorers_neumf, "_MOST_PAIRS", 3 * 400)
    assert chunk(scorer(16 * 150)) == (6, 400), "no more users than are asked for, if these fit"
    least = scorer(1)
    assert chunk(least) == (3, 1)
    for user in (0, 17, 60):
        one = range(user, user + 1)
        for other in (some, least):
            np.testing.assert_allclose(other.scores(one), whole.scores(one), rtol=1e-5, atol=1e-6)


@LAYERS
def test_an_accelerator_scores_a_large_catalogue_in_stretches(
    data: Dataset, layers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def scorer(pairs: int) -> TorchScorer:
        monkeypatch.setattr(accelerator, "_MOST_PAIRS", pairs)
        return TorchScorer(model)

    def chunk(of: TorchScorer) -> tuple[int, int]:
        return of.chunk_users, of._chunk_items

    model = model_of(data, mlp_layers=layers)
    ours = scorer_of(model, all_histories(data))
    whole, some, least = (scorer(pairs) for pairs in (1 << 22, 7 * 400, 150))
    assert chunk(whole) == (61, 400) and chunk(some) == (7, 400)
    assert chunk(least) == (1, 134), "equal shares"
    for each in (whole, some, least):
        for user in (0, 17, 60):
            wanted = ours.scores(range(user, user + 1))
            found = each.scores(user, user + 1).numpy()
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("changes", [{}, {"history": 5}, {"validation": True}])
def test_an_accelerator_gives_the_ranks_of_the_cpu(
    data: Dataset, changes: dict[str, object]
) -> None:
    model = model_of(data, **changes)
    evaluator = ModelRanks(data, CPU, validation="validation" in changes)
    ours, theirs = evaluator.by_model(model), AcceleratorEvaluator(evaluator, CPU).ranks(model)
    # Two scores that differ by less than rounding may exchange their ranks.
    assert np.abs(ours - theirs).max() <= 1 and (ours == theirs).mean() > 0.95


def test_an_accelerator_says_that_a_score_is_not_a_number(data: Dataset) -> None:
    model = model_of(data)
    with torch.no_grad():
        model.item_gmf.weight[3] = torch.nan
    with pytest.raises(NeumfTuiError, match="not a number"):
        AcceleratorEvaluator(Evaluator(data), CPU).ranks(model)


def test_an_accelerator_counts_equal_and_infinite_scores_as_the_cpu(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.random.default_rng(3).integers(0, 4, (61, 400)).astype(np.float32)
    scores[:30, :200], scores[30:, 100:300] = np.inf, -np.inf
    monkeypatch.setattr(
        TorchScorer, "scores", lambda _, start, stop: torch.from_numpy(scores[start:stop].copy())
    )
    evaluator = Evaluator(data)
    found = AcceleratorEvaluator(evaluator, CPU).ranks(model_of(data))
    np.testing.assert_array_equal(found, evaluator.ranks(TableScorer(scores)))


def limit_pairs(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Limit memory to the hidden units of `most` pairs; return the numbers of pairs tried."""
    whole, tried = TorchScorer.scores, []

    def limited(self: TorchScorer, start: int, stop: int) -> torch.Tensor:
        tried.append((stop - start) * self._chunk_items)
        if tried[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, start, stop)

    monkeypatch.setattr(TorchScorer, "scores", limited)
    return tried


@pytest.mark.parametrize("most", [400 * 16, 400, 100])
def test_out_of_memory_halves_what_is_scored_at_once(
    data: Dataset, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(data)
    evaluator = AcceleratorEvaluator(Evaluator(data), CPU)
    plenty = evaluator.ranks(model)
    monkeypatch.setattr(accelerator, "_FEWEST_ITEMS", 50)
    tried = limit_pairs(monkeypatch, most)
    np.testing.assert_array_equal(evaluator.ranks(model), plenty)
    assert max(tried) == 61 * 400 and tried[-1] <= most
    assert sum(pairs > most for pairs in tried) < 10, "what did not fit once is not tried again"


def test_the_error_says_what_fits_if_one_user_does_not(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = limit_pairs(monkeypatch, 99)
    with pytest.raises(
        NeumfTuiError,
        match=r"one user and 400 items at a time, which need [\d,]+ bytes; .*--device cpu",
    ):
        AcceleratorEvaluator(Evaluator(data), CPU).ranks(model_of(data))
    assert min(tried) == 400


def test_a_gpu_s_chunks_are_what_half_its_free_memory_holds(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = TorchScorer(model_of(data))
    scorer.device = torch.device("cuda")
    for free, pairs in (
        (1 << 40, 1 << 22),
        (1 << 20, (1 << 19) // (scorer._pair_bytes + 16)),
        (0, 1),
    ):
        monkeypatch.setattr(accelerator, "free_memory", lambda _, free=free: free)
        assert scorer._pairs_at_once() == pairs
    scorer.chunk_users, scorer._chunk_items = 1, 400
    monkeypatch.setattr(accelerator, "free_memory", lambda _: 12345)
    with pytest.raises(NeumfTuiError, match="12,345 are free"):
        scorer.shrink()


@pytest.mark.parametrize("validation", [False, True])
def test_popularity_ranks_are_those_of_a_model_that_scores_by_it(
    data: Dataset, validation: bool
) -> None:
    evaluator = Evaluator(data, validation=validation)
    scores = np.tile(evaluator.seen_by.astype(np.float32), (61, 1))
    counted = evaluator.ranks(TableScorer(scores))
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


@pytest.mark.parametrize("compiler", [None, "none"])
def test_infinite_scores_of_one_sign_are_equal(
    data: Dataset, compiler: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if compiler:
        monkeypatch.setenv("NEUMF_TUI_CC", compiler)
    evaluator = Evaluator(data)
    heldout = np.array(data.split.heldout)
    for value in (np.inf, -np.inf):
        scores = np.zeros((61, 400), np.float32)
        scores[:, :200] = value
        scores[np.arange(61), heldout] = value
        expected = []
        for user, row in enumerate(scores):
            others = np.delete(row, [*data.history(user), heldout[user]])
            expected.append(1 + (others > value).sum() + (others == value).sum() / 2)
        assert evaluator.ranks(TableScorer(scores)).tolist() == expected


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
        ModelRanks(data, CPU, threads=threads).by_model(model, told.append)
        assert told == sorted(told) and told[-1] == 1.0
    told = []
    AcceleratorEvaluator(Evaluator(data), CPU).ranks(model, told.append)
    assert told == sorted(told) and told[-1] == 1.0
