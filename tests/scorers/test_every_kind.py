"""What holds for scorers of every kind."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from neumf_tui.scorers.scorer import CannotError, FloatArray, Scorer
from tests.support.datasets import random_dataset
from tests.support.scorers import KINDS, neumf_tensors, normal

Make = Callable[[Dataset], Scorer]
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
SCORES_NEWCOMERS = {name: make for name, make in KINDS.items() if name not in ("scores", "top-k")}
with_newcomers = pytest.mark.parametrize("make", SCORES_NEWCOMERS.values(), ids=SCORES_NEWCOMERS)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(61, 400, 40)


@pytest.fixture(params=["kernels", "numpy"], autouse=True)
def _by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param == "numpy":
        monkeypatch.setenv("NEUMF_TUI_CC", "none")
    yield


def in_chunks(scorer: Scorer, size: int) -> FloatArray:
    starts = range(0, scorer.num_users, size)
    return np.concatenate(
        [scorer.scores(range(at, min(at + size, scorer.num_users))) for at in starts]
    )


@every_kind
def test_a_user_has_the_same_bits_alone_and_among_all(make: Make, data: Dataset) -> None:
    scorer = make(data)
    whole = in_chunks(scorer, scorer.chunk_users)
    assert whole.shape == (61, 400) and whole.dtype == np.float32
    assert np.isfinite(whole).any(1).all()
    np.testing.assert_array_equal(in_chunks(scorer, min(7, scorer.chunk_users)), whole)
    for user in (0, 1, 17, 60):
        found = scorer.item_scores(scorer.profile(user, data.history(user)))
        np.testing.assert_array_equal(found.total, whole[user])
        np.testing.assert_array_equal(scorer.scores(range(user, user + 1))[0], whole[user])
        assert tuple(found.parts) == scorer.part_names
        if found.parts:
            np.testing.assert_array_equal(sum(found.parts.values()), found.total)


@every_kind
def test_new_scores_are_the_caller_s_own(make: Make, data: Dataset) -> None:
    scorer = make(data)
    first = scorer.scores(range(2))
    before = first.copy()
    first[:] = np.nan
    np.testing.assert_array_equal(scorer.scores(range(2)), before)


@with_newcomers
def test_newcomers_and_histories_without_one_item(make: Make, data: Dataset) -> None:
    scorer = make(data)
    scorer.prepare_newcomers()
    history = data.history(3)[:8]
    person = scorer.newcomer(history)
    assert person.user is None
    again = scorer.item_scores(scorer.newcomer(history)).total
    np.testing.assert_array_equal(scorer.item_scores(person).total, again)
    rows = np.concatenate(list(scorer.without_each(person)))
    assert rows.shape == (9, 400) and np.isfinite(rows).all()
    np.testing.assert_allclose(rows[0], again, rtol=1e-5, atol=1e-6)
    if scorer.by_history:  # nothing is fitted
        for row in range(8):
            left = scorer.newcomer(np.delete(history, row))
            np.testing.assert_allclose(
                rows[1 + row], scorer.item_scores(left).total, rtol=1e-5, atol=1e-6
            )
    with pytest.raises(UsageError, match="history is empty"):
        scorer.newcomer(history[:0])


@pytest.mark.parametrize("name", SCORES_NEWCOMERS)
def test_another_history_is_another_person(name: str, data: Dataset) -> None:
    scorer, history = KINDS[name](data), data.history(3)
    found = [scorer.item_scores(scorer.newcomer(some)).total for some in (history[:8], history[8:])]
    assert np.array_equal(*found) == (name == "popularity"), "which is the same for everybody"


@pytest.mark.parametrize("name", ["scores", "top-k"])
def test_tables_know_no_newcomers(name: str, data: Dataset) -> None:
    scorer = KINDS[name](data)
    person = scorer.profile(0, data.history(0))
    for ask in (
        lambda: scorer.newcomer(data.history(0)),
        scorer.average,
        lambda: list(scorer.without_each(person)),
        lambda: scorer.similar_items(0, 5),
        lambda: scorer.similar_users(person, 5),
        scorer.embeddings,
    ):
        with pytest.raises(CannotError, match=scorer.what):
            ask()
    assert scorer.factors(person) is None
    assert scorer.shares(person, 0, np.arange(9)) is None


@every_kind
def test_factors_sum_to_their_part(make: Make, data: Dataset) -> None:
    scorer = make(data)
    person = scorer.profile(17, data.history(17))
    found = scorer.factors(person)
    if found is None:
        return
    scores = scorer.item_scores(person)
    part = scores.total if found.part == "score" else scores.parts[found.part]
    np.testing.assert_allclose(found.table @ found.weights, part, rtol=1e-4, atol=1e-5)


@every_kind
def test_shares_sum_to_their_centred_part(make: Make, data: Dataset) -> None:
    scorer, beside = make(data), np.arange(3, 400, 2)
    person = scorer.profile(17, data.history(17))
    for item in (0, 3, 399):
        found = scorer.shares(person, item, beside)
        if found is None:
            return
        scores = scorer.item_scores(person)
        part = scores.total if found.part == "score" else scores.parts[found.part]
        centred = float(part[item]) - float(part[beside].mean(dtype=np.float64))
        assert found.items.shape == person.history.shape
        assert found.items.sum() + found.own == pytest.approx(centred, rel=1e-4, abs=1e-5)


def test_what_a_kind_can_tell(data: Dataset) -> None:
    def told(name: str) -> tuple[bool, bool]:
        scorer = KINDS[name](data)
        person = scorer.profile(17, data.history(17))
        shares = scorer.shares(person, 0, np.arange(9))
        return scorer.factors(person) is not None, shares is not None

    for name in KINDS:
        gmf = name.startswith("neumf") and "without-gmf" not in name
        factors = gmf or name.startswith("vectors")
        shares = name == "neumf-history" or name.startswith("item-item")
        assert told(name) == (factors, shares), name


@every_kind
def test_similar_ones(make: Make, data: Dataset) -> None:
    scorer = make(data)
    try:
        found = scorer.similar_items(5, 7)
    except CannotError:
        return
    for name, similar in found.items():
        assert 5 not in similar.rows and len(similar.rows) == len(similar.values) <= 7, name
        assert (np.diff(similar.values) <= 0).all()
        assert similar.zero == (not len(similar.rows))


@pytest.mark.parametrize("name", ["neumf", "neumf-wide", "neumf-history", "vectors-cosine"])
def test_similar_vectors_are_those_with_the_greatest_cosine(name: str, data: Dataset) -> None:
    scorer = KINDS[name](data)
    tables = scorer.embeddings()
    person = scorer.profile(17, data.history(17))
    paths = ("gmf", "mlp") if name.startswith("neumf") else ("vectors",)
    for path in paths:
        for kind, row, found in (
            ("item", 5, scorer.similar_items(5, 7)[path]),
            ("user", 17, scorer.similar_users(person, 7)[path]),
        ):
            table = tables[kind if path == "vectors" else f"{kind}_{path}"].astype(np.float64)
            unit = table / np.linalg.norm(table, axis=1)[:, None]
            cosines = unit @ unit[row]
            cosines[row] = -2
            best = np.argsort(-cosines)[:7]
            np.testing.assert_array_equal(found.rows, best)
            np.testing.assert_allclose(found.values, cosines[best], atol=1e-6)


def test_weights_that_change_are_read_when_a_scorer_is_made(data: Dataset) -> None:
    """The trainer makes one for each evaluation: its arrays are those of the model."""
    from neumf_tui.scorers.neumf import NeuMFScorer

    tensors = neumf_tensors(61, 400)
    before = NeuMFScorer(tensors).scores(range(3))
    tensors["user_gmf.weight"][1] = normal(4, seed=9)
    after = NeuMFScorer(tensors).scores(range(3))
    assert np.array_equal(before[::2], after[::2]) and not np.array_equal(before[1], after[1])
