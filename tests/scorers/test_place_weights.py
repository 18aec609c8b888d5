"""Models with a history: vectors from items, exact shares of items, items left out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from neumf_tui.explore.guests import Guest
from neumf_tui.explore.near_miss import leave_out
from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.why import explain
from neumf_tui.scorers.scorer import FloatArray, Profile
from tests.support.commands import Cli, run_cli
from tests.support.shared_folders import fill_once
from tests.support.weights import weights_of

WINDOW = 6


@pytest.fixture(scope="module")
def home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A read-only home with a run `recent`, a model with a short history on the demo set."""
    args = (
        "--dataset",
        "demo",
        "--preset",
        "fast",
        "--epochs",
        "2",
        "--history",
        str(WINDOW),
        "--plain",
        "--threads",
        "1",
    )

    def make(folder: Path) -> None:
        shutil.copytree(shared_home, folder, dirs_exist_ok=True)
        result = run_cli("train", *args, "--home", str(folder), "--name", "recent")
        assert result.returncode == 0, result.stderr

    return fill_once(tmp_path_factory, "recent-home", make)


@pytest.fixture(scope="module")
def ranker(home: Path, demo: Dataset) -> Ranker:
    return Ranker(home / "runs" / "recent", home, dataset=demo)


@pytest.fixture(scope="module")
def weights(ranker: Ranker) -> dict[str, FloatArray]:
    return weights_of(ranker)


PATHS = ("gmf", "mlp")


def by_hand(
    ranker: Ranker, weights: dict[str, FloatArray], own: np.ndarray, path: str, history: np.ndarray
) -> np.ndarray:
    """The user's vector by the formula: own + Σ w_k y_k / √Σ w_k over the last films."""
    settings = ranker.info.settings
    rows = weights[f"history_{path}.weight"].astype(np.float64)
    recent = history[::-1][:WINDOW]
    counts = np.exp(-np.arange(len(recent)) / settings["history_decay"])
    counts += settings["history_floor"]
    return own + (counts[:, None] * rows[recent]).sum(0) / np.sqrt(counts.sum())


@pytest.mark.slow
def test_vectors_are_own_and_films(ranker: Ranker, weights: dict[str, FloatArray]) -> None:
    for user in (0, 7, 300):
        person = ranker.person(user)
        for path in PATHS:
            own = weights[f"user_{path}.weight"][user]
            wanted = by_hand(ranker, weights, own, path, person.history)
            np.testing.assert_allclose(person.profile.vectors[path], wanted, rtol=1e-4, atol=1e-6)


def test_a_guest_is_their_films_and_the_mean_user(
    ranker: Ranker, weights: dict[str, FloatArray]
) -> None:
    items = np.array([5, 17, 3, 40, 8, 90, 33, 21])
    guest = Guest("anna", tuple(ranker.dataset.catalogue.item_ids[i] for i in items))
    vectors = ranker.person(guest).profile.vectors
    for path in PATHS:
        own = weights[f"user_{path}.weight"].astype(np.float64).mean(0)
        wanted = by_hand(ranker, weights, own, path, items)
        np.testing.assert_allclose(vectors[path], wanted, rtol=1e-4, atol=1e-6)
    # The window holds the latest: of what lies before it, nothing shows.
    other = Guest(
        "ben", tuple(ranker.dataset.catalogue.item_ids[i] for i in [60, 61, *items[-WINDOW:]])
    )
    for path in PATHS:
        np.testing.assert_array_equal(ranker.person(other).profile.vectors[path], vectors[path])
    with pytest.raises(UsageError, match="history is empty"):
        ranker.scorer.newcomer(items[:0])


def test_shares_of_films_sum_to_the_gmf_part(ranker: Ranker) -> None:
    for user in (0, 7, 300):
        ranking = ranker.rank(user)
        for row in (0, 10, len(ranking.items) - 1):
            found = explain(ranker, ranking, row)
            assert found.part == "gmf"
            assert len(found.items) == min(WINDOW, len(ranking.person.history))
            total = found.own + sum(effect for _, effect in found.items)
            assert total == pytest.approx(ranking.centred(row)["gmf"], rel=1e-4, abs=1e-5)
    person = ranker.person(0).profile
    shares = ranker.scorer.shares(person, 3, np.array([4, 5]))
    assert shares is not None and shares.items.shape == person.history.shape
    assert (shares.items[:-WINDOW] == 0).all() and (shares.items[-WINDOW:] != 0).all()


def test_a_film_left_out_is_a_history_without_it(
    ranker: Ranker, weights: dict[str, FloatArray]
) -> None:
    user = next(
        u
        for u in range(700)
        if ranker.dataset.split.heldout[u] >= 0 and len(ranker.dataset.history(u)) > 8
    )
    ranking = ranker.rank(user)
    *_, left = leave_out(ranker, ranking)
    assert left.base == ranking.heldout_ranks["score"], (
        "nothing is fitted: the rank is the trained one"
    )
    history = ranking.person.history
    for row in (0, len(history) - 1):
        shorter = np.delete(history, row)
        vectors = {
            path: by_hand(
                ranker, weights, weights[f"user_{path}.weight"][user], path, shorter
            ).astype(np.float32)
            for path in PATHS
        }
        total = ranker.scorer.item_scores(Profile(shorter, vectors=vectors)).total
        scores, target = np.delete(total, history), float(total[ranking.person.heldout])
        assert left.ranks[row] == pytest.approx(1 + (scores > target).sum(), abs=1)
    assert left.ranks[0] == left.base, "beyond the window a film does nothing"


def test_what_is_printed_of_it(home: Path, ranker: Ranker, inside: Cli, own_home: Path) -> None:
    user = ranker.dataset.user_ids[0]
    at = ("--run", "recent", "--home", str(home))
    shown = json.loads(inside("why", user, *at, "--json").stdout)
    assert shown["films"] and {"item_id", "title", "year", "effect"} <= shown["films"][0].keys()
    assert shown["own"] + sum(f["effect"] for f in shown["films"]) == pytest.approx(
        shown["gmf_centred"], rel=1e-4, abs=1e-5
    )
    text = inside("why", user, *at).stdout
    assert "film of the history" in text and shown["films"][0]["title"][:10] in text
    missed = json.loads(inside("near-miss", user, *at, "--json").stdout)
    assert missed["method"].startswith("user vectors computed again")
    told = inside(
        "recommend", "--likes", ";".join(ranker.dataset.catalogue.item_ids[:3]), "--seed", "4", *at
    )
    assert told.returncode == 0 and "it makes no difference" in told.stderr
