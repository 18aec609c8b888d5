"""The check for leaks: data without structure, metrics by chance, and the verdicts."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.null_dataset import without_structure
from neumf_tui.data.prepare import prepare
from neumf_tui.data.progress import Progress, silent
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError
from neumf_tui.evaluation.chance import compare_with_chance, hit_distribution
from neumf_tui.model.neumf import NeuMF
from neumf_tui.settings import Settings, make_settings
from neumf_tui.training import leak
from neumf_tui.training.leak import LeakCheck, check_leak, train_twins
from neumf_tui.views.leak import verdict_text
from tests.support.commands import Cli


def popular(num_users: int = 150, num_items: int = 120, seed: int = 5) -> Dataset:
    """Return users with 1 to 40 items; the first items are the most popular by far."""
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, num_items + 1)
    sizes = random.integers(1, 41, num_users)
    sizes[0] = 1
    items = [
        random.choice(num_items, size, replace=False, p=weights / weights.sum()) for size in sizes
    ]
    users = np.repeat(np.arange(num_users), sizes)
    times = np.arange(len(users)) * 60
    names = [f"i{item}" for item in range(num_items)]
    catalogue = Catalogue(names, names, [None] * num_items, [[] for _ in names])
    return prepare(
        "popular",
        "",
        [f"u{user}" for user in range(num_users)],
        catalogue,
        Interactions(users, np.concatenate(items), times),
    )


def settings(**changes: Any) -> Settings:
    """Return settings of a model large enough to memorise which negatives are drawn."""
    given = {
        "embedding_size": 32,
        "loss": "softmax",
        "negatives": 50,
        "batch_size": 256,
        "epochs": 8,
        "threads": 1,
    }
    return make_settings("d2l", given | {"exclude_heldout": False, "device": "cpu"} | changes)


def check(changed: Settings, dataset: Dataset | None = None, rounds: int = 1) -> LeakCheck:
    return check_leak(dataset or popular(), changed, rounds, silent)


# Data without structure.


def test_form_is_kept_and_nothing_else(demo: Dataset) -> None:
    null = without_structure(demo, 1)
    assert null.num_users == demo.num_users
    assert np.array_equal(null.offsets, demo.offsets)
    assert np.array_equal(null.split.users, demo.split.users)
    assert np.array_equal(null.split.times, demo.split.times)
    assert np.array_equal(null.split.heldout >= 0, demo.split.heldout >= 0)
    shared = np.mean(null.split.items == demo.split.items)
    assert shared < 0.01
    assert null.simulated
    assert null.fingerprint != demo.fingerprint


def test_no_item_twice_and_all_alike() -> None:
    data = popular(2000, 60)
    null = without_structure(data, 0)
    for user in range(null.num_users):
        own = [
            *null.history(user).tolist(),
            *null.split.heldout[user : user + 1][null.split.heldout[user : user + 1] >= 0],
        ]
        assert len(set(own)) == len(own)
    for drawn in (
        null.split.items,
        null.split.heldout[null.split.heldout >= 0],
        null.validation[null.validation >= 0],
    ):
        counts = np.bincount(drawn, minlength=60)
        expected = len(drawn) / 60
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        assert chi_square < 59 + 4 * math.sqrt(2 * 59)  # 59 degrees of freedom
        assert counts.min() > 0


def test_heldout_is_any_candidate_alike() -> None:
    """Count its places among the user's candidates in four quarters."""
    places = []
    for number in range(10):
        null = without_structure(popular(), 3, number)
        for user in np.flatnonzero(null.split.heldout >= 0):
            candidates = np.setdiff1d(np.arange(null.num_items), null.history(user))
            places.append(
                int(np.searchsorted(candidates, null.split.heldout[user])) / len(candidates)
            )
    quarters = np.bincount((np.array(places) * 4).astype(int), minlength=4)
    assert abs(quarters - len(places) / 4).max() < 4 * math.sqrt(len(places) * 3 / 16)


def test_same_seed_same_copy_and_twins_differ_in_heldout_alone() -> None:
    data = popular()
    first, again, other = (without_structure(data, 7, number) for number in (0, 0, 1))
    assert np.array_equal(first.split.items, again.split.items)
    assert not np.array_equal(first.split.items, other.split.items)
    twin = without_structure(data, 7, other_heldout=True)
    assert np.array_equal(first.split.items, twin.split.items)
    held = first.split.heldout >= 0
    assert (first.split.heldout != twin.split.heldout)[held].all()
    assert (twin.split.heldout >= 0).tolist() == held.tolist()
    for user in np.flatnonzero(held):
        assert twin.split.heldout[user] not in twin.history(user)


def test_user_with_all_items_has_no_other() -> None:
    """No other user's held-out item is drawn, and no index is out of bounds."""
    names = ["a", "b", "c"]
    catalogue = Catalogue(names, names, [None] * 3, [[]] * 3)
    data = prepare(
        "full",
        "",
        ["u"],
        catalogue,
        Interactions(np.zeros(3, dtype=np.int64), np.arange(3), np.arange(3)),
    )
    null, twin = (without_structure(data, 0, other_heldout=other) for other in (False, True))
    assert {*null.split.items.tolist(), int(null.split.heldout[0])} == {0, 1, 2}
    assert null.split.heldout[0] == twin.split.heldout[0]


# What chance gives.


def test_hits_are_poisson_binomial() -> None:
    chances = np.random.default_rng(0).random(30)
    wanted = np.ones(1)
    for chance in chances:
        wanted = np.convolve(wanted, [1 - chance, chance])
    assert hit_distribution(chances) == pytest.approx(wanted, abs=1e-12)


def test_many_users_are_cut_where_nothing_is_left() -> None:
    """5,000 users with one probability: the binomial distribution without impossible ends."""
    found = hit_distribution(np.full(5000, 0.01))
    assert len(found) < 250
    wanted = [
        math.exp(
            math.lgamma(5001)
            - math.lgamma(k + 1)
            - math.lgamma(5001 - k)
            + k * math.log(0.01)
            + (5000 - k) * math.log(0.99)
        )
        for k in range(len(found))
    ]
    assert found == pytest.approx(wanted, abs=1e-12)


def uniform_ranks(
    random: np.random.Generator, candidates: NDArray[np.int64]
) -> NDArray[np.float32]:
    return random.integers(1, candidates + 1).astype(np.float32)


@pytest.mark.slow
def test_false_alarms_are_as_many_as_were_allowed() -> None:
    """4,000 checks of random ranks: 1 % may fail, so at most 40 are expected.

    There are fewer, since hits are whole numbers.
    """
    random = np.random.default_rng(11)
    candidates = random.integers(3, 12, 500) * 100
    verdicts = [
        [
            found.verdict
            for found in compare_with_chance(uniform_ranks(random, candidates), candidates, 0.01)
        ]
        for _ in range(4000)
    ]
    alarms = sum(any(verdict != "chance" for verdict in three) for three in verdicts)
    assert 15 <= alarms <= 40 + 4 * math.sqrt(40)
    of_auc = sum(three[2] != "chance" for three in verdicts)
    assert abs(of_auc - 4000 * 0.01 / 3) < 4 * math.sqrt(4000 * 0.01 / 3)


def test_intervals_hold_chance_as_often_as_they_say() -> None:
    random = np.random.default_rng(2)
    candidates = random.integers(3, 12, 500) * 100
    inside = np.zeros(3)
    for _ in range(1000):
        found = compare_with_chance(uniform_ranks(random, candidates), candidates, 0.01)
        inside += [one.interval[0] <= one.chance <= one.interval[1] for one in found]
    assert (inside > 930).all()
    assert inside[2] < 970


def test_p_band_and_verdict_agree() -> None:
    candidates = np.full(400, 500)
    for hits in range(0, 90, 3):
        ranks = np.full(400, 400, dtype=np.float32)
        ranks[:hits] = 20
        hit50 = compare_with_chance(ranks, candidates, 0.03)[1]
        assert hit50.value == hits / 400
        assert hit50.chance == pytest.approx(0.1)
        assert (hit50.verdict == "chance") == (hit50.p > 0.01)
        assert hit50.verdict in (("chance", "below") if hits < 40 else ("chance", "above"))


def test_chance_by_hand() -> None:
    """Users with 20, 100 and one candidate, and one user without a held-out item."""
    ranks = np.array([1, 100, np.nan, 1], dtype=np.float32)
    hit10, hit50, auc = compare_with_chance(ranks, np.array([20, 100, 9, 1]), 0.01)
    assert hit10.chance == pytest.approx((0.5 + 0.1 + 1) / 3)
    assert hit50.chance == pytest.approx((1 + 0.5 + 1) / 3)
    assert hit50.band == (2 / 3, 1)
    assert (auc.value, auc.chance) == pytest.approx((2 / 3, 2 / 3))
    assert [found.verdict for found in (hit10, hit50, auc)] == ["chance"] * 3
    with pytest.raises(DatasetError, match="nothing is held out"):
        compare_with_chance(ranks[2:3], np.array([9]), 0.01)


# The check.


def test_settings_without_a_leak_pass_and_exclude_heldout_is_found() -> None:
    """Both the metrics and the weights show the leak."""
    assert check(settings()).verdict == "pass"
    found = check(settings(exclude_heldout=True))
    assert found.verdict == "leak"
    assert not found.blind
    assert found.findings[0].verdict == found.findings[2].verdict == "above"
    assert "--no-exclude-heldout" in verdict_text(settings(exclude_heldout=True), found)


@pytest.mark.parametrize(
    "changes",
    [
        {"validation": True, "history": 10, "scaled_init": True, "dropout": 0.2, "early_stop": 1},
        {"loss": "bce", "negatives": 4, "pretrain": 2, "epochs": 4},
        {"shared_negatives": True, "sampler": "popularity"},
        {"loss": "bpr", "negatives": 1, "hard_negatives": 3, "recency": 5.0},
    ],
)
def test_every_way_to_train_without_the_rule_passes(changes: dict[str, Any]) -> None:
    found = check(settings(**({"epochs": 4} | changes)), rounds=2)
    assert found.verdict == "pass"
    assert found.blind
    assert found.num_ranks == 2 * int((popular().split.heldout >= 0).sum())


def test_twins_find_the_rule_where_the_figures_do_not() -> None:
    """One negative and one epoch do not show in the metrics."""
    found = check(settings(exclude_heldout=True, negatives=1, epochs=1))
    assert [one.verdict for one in found.findings] == ["chance"] * 3
    assert found.verdict == "leak"
    assert train_twins(popular(), settings(exclude_heldout=True))[1] is False
    assert train_twins(popular(), settings()) == (11, True)  # the steps of an epoch


def test_heldout_items_among_the_training_pairs_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(leak.Trainer):
        def __init__(self, dataset: Dataset, settings: Settings, device: torch.device) -> None:
            super().__init__(dataset, settings, device)
            held = np.flatnonzero(dataset.split.heldout >= 0)
            pairs = self.pairs
            pairs.users = torch.cat([pairs.users, torch.from_numpy(held).int()])
            pairs.items = torch.cat(
                [pairs.items, torch.from_numpy(dataset.split.heldout[held]).int()]
            )
            pairs.total = len(pairs.users)

    monkeypatch.setattr(leak, "Trainer", Leaky)
    found = check(settings())
    assert found.verdict == "leak"
    assert not found.blind
    assert {one.verdict for one in found.findings} == {"above"}
    assert "not through exclude_heldout: training sees" in verdict_text(settings(), found)


def test_a_ranking_that_is_too_good_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training does not see held-out items, but ranks are a third better than by chance."""

    class TooGood(leak.ModelRanks):
        def by_model(self, model: NeuMF, report: Any = None) -> NDArray[np.float32]:
            return np.ceil(super().by_model(model) * 2 / 3).astype(np.float32)

    monkeypatch.setattr(leak, "ModelRanks", TooGood)
    found = check(settings(epochs=2))
    assert (found.verdict, found.blind) == ("leak", True)
    assert "ranking, or training after its first steps, sees" in verdict_text(settings(), found)


def test_lower_than_chance_is_another_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """With equal scores, half the candidates are above each held-out item, and none is a hit."""

    class Equal(leak.Trainer):
        def scored(self, epoch: int) -> NeuMF:
            torch.nn.init.zeros_(self.model.head.weight)
            return self.model

    monkeypatch.setattr(leak, "Trainer", Equal)
    found = check(settings(epochs=1), popular(600, 240))
    assert found.verdict == "fault"
    assert [one.verdict for one in found.findings] == ["below", "below", "chance"]
    assert "Hit@10, Hit@50 below chance" in verdict_text(settings(), found)


def test_progress_is_reported_before_each_epoch(demo: Dataset) -> None:
    settings = make_settings("d2l", {"epochs": 2, "threads": 1})
    seen: list[Progress] = []
    check_leak(demo, settings, 2, seen.append)
    assert seen == [
        Progress(f"round {number} of 2: epochs", done, 2) for number in (1, 2) for done in (0, 1)
    ]


def test_command(with_demo: Path, demo: Dataset, inside: Cli) -> None:
    given = (
        "check-leak",
        "--dataset",
        "demo",
        "--home",
        str(with_demo),
        "--preset",
        "d2l",
        "--epochs",
        "2",
        "--threads",
        "1",
    )
    found = inside(*given, "--json")
    assert found.returncode == 1
    report = json.loads(found.stdout)
    assert report["verdict"] == "leak"
    assert report["twins"] == {"steps": 20, "same_weights": False}
    assert report["num_ranks"] == demo.num_users
    assert [row["metric"] for row in report["metrics"]] == ["hit@10", "hit@50", "auc"]
    assert all(row["chance_low"] < row["chance"] < row["chance_high"] for row in report["metrics"])
    assert report["protocol"]["exclude_heldout"] is True
    passed = inside(*given, "--no-exclude-heldout", "--rounds", "2")
    assert passed.returncode == 0
    assert "the same weights after 20 steps" in passed.stdout
    assert passed.stdout.splitlines()[-1].startswith("held-out items unseen")
    assert not (with_demo / "runs" / "check-leak").exists()
    assert inside(*given, "--rounds", "0").returncode == 2
