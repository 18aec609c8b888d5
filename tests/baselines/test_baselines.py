"""Baselines against plain numpy and published metrics; how results are kept and shown."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from neumf_tui.baselines import factor_models, item_models, kept, registry
from neumf_tui.baselines.compute import BaselineOutcome, Baselines, Fold
from neumf_tui.baselines.histories import UserHistories
from neumf_tui.baselines.kept import FoldMetrics, KeptBaseline, KeptReader
from neumf_tui.baselines.registry import Baseline, Choice
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.evaluation.intervals import hit_difference_interval
from neumf_tui.scorers.scorer import Scorer
from neumf_tui.scorers.table import TableScorer
from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.train.screen import TrainScreen
from neumf_tui.tui.widgets.chart import CurveChart
from neumf_tui.tui.widgets.line_labels import Area, LineName, place_names
from tests.support.commands import Cli
from tests.support.datasets import dataset_of
from tests.support.golden_runs import make_run
from tests.support.screens import settle

Floats = np.ndarray
KEYS = ("hit@10", "hit@50", "ndcg@10", "mrr", "auc")
needs_implicit = pytest.mark.skipif(
    factor_models.installed_version() is None, reason="the extra [baselines] is not installed"
)


@pytest.fixture
def small() -> Dataset:
    """Six users, nine items; item 8 is nobody's, and user 5 has a single interaction."""
    histories = [[0, 1, 2, 3, 4], [1, 2, 3, 5], [0, 2, 4, 6, 1], [5, 6, 7], [3, 1, 7, 2], [4]]
    triples = [
        (user, item, 10 * place)
        for user, items in enumerate(histories)
        for place, item in enumerate(items)
    ]
    return dataset_of(triples, 6, 9)


# Up to the next heading: an independent implementation with sets, loops and float64.


def plain_fold(data: Dataset, validation: bool) -> tuple[list[list[int]], list[int]]:
    """Every user's history, oldest first, and the item to be ranked, -1 for none."""
    histories = [
        data.split.items[data.split.users == user].tolist() for user in range(data.num_users)
    ]
    if not validation:
        return histories, data.split.heldout.tolist()
    targets = [history[-1] if len(history) > 1 else -1 for history in histories]
    return [history[:-1] if len(history) > 1 else history for history in histories], targets


def plain_metrics(
    scores: Floats, histories: list[list[int]], targets: list[int]
) -> tuple[list[float], dict[str, float]]:
    """Ranks of those who have an item to be ranked, and the metrics."""
    ranks, aucs = [], []
    for user, target in enumerate(targets):
        if target < 0:
            continue
        others = [
            item
            for item in range(scores.shape[1])
            if item not in set(histories[user]) and item != target
        ]
        mine = scores[user, others].astype(np.float32)
        score = np.float32(scores[user, target])
        ranks.append(1 + int((mine > score).sum()) + int((mine == score).sum()) / 2)
        aucs.append(1 - (ranks[-1] - 1) / max(1, len(others)))
    gains = [1 / math.log2(1 + rank) if rank <= 10 else 0 for rank in ranks]
    columns = {
        "hit@10": [rank <= 10 for rank in ranks],
        "hit@50": [rank <= 50 for rank in ranks],
        "ndcg@10": gains,
        "mrr": [1 / rank for rank in ranks],
        "auc": aucs,
    }
    return ranks, {key: float(np.mean(column)) for key, column in columns.items()}


def plain_matrix(
    histories: list[list[int]], num_items: int, weight: Callable[[int], float] = lambda place: 1.0
) -> Floats:
    """`weight(place)` where a user has an item; their latest item is in place 1."""
    matrix = np.zeros((len(histories), num_items))
    for user, history in enumerate(histories):
        for place, item in enumerate(reversed(history), 1):
            matrix[user, item] = weight(place)
    return matrix


def plain_popularity(histories: list[list[int]], num_items: int) -> Floats:
    counts = [sum(item in history for history in histories) for item in range(num_items)]
    return np.tile(np.array(counts, dtype=float), (len(histories), 1))


def plain_knn(histories: list[list[int]], num_items: int, neighbours: int) -> Floats:
    users_of = [
        {user for user, history in enumerate(histories) if item in history}
        for item in range(num_items)
    ]
    likeness = np.zeros((num_items, num_items))
    for a in range(num_items):
        for b in range(num_items):
            if a != b and users_of[a] and users_of[b]:
                likeness[a, b] = (
                    len(users_of[a] & users_of[b])
                    / math.sqrt(len(users_of[a]))
                    / math.sqrt(len(users_of[b]))
                )
    if neighbours:
        for a in range(num_items):
            least = sorted(likeness[a], reverse=True)[neighbours - 1]
            likeness[a] = [value if value >= least else 0 for value in likeness[a]]
    return np.array(
        [
            [sum(likeness[item, seen] for seen in history) for item in range(num_items)]
            for history in histories
        ]
    )


def plain_ease_columns(matrix: Floats, l2: float) -> Floats:
    """EASE by its definition: ridge regression of each item on all others."""
    size = matrix.shape[1]
    weights = np.zeros((size, size))
    for item in range(size):
        others = [other for other in range(size) if other != item]
        x, y = matrix[:, others], matrix[:, item]
        weights[others, item] = np.linalg.solve(x.T @ x + l2 * np.eye(size - 1), x.T @ y)
    return weights


def plain_ease(matrix: Floats, l2: float) -> Floats:
    """By the closed form, for many items."""
    inverse = np.linalg.inv(matrix.T @ matrix + l2 * np.eye(matrix.shape[1]))
    weights = np.eye(len(inverse)) - inverse @ np.diag(1 / np.diag(inverse))
    np.fill_diagonal(weights, 0)
    return weights


# The models.


def same_as_plain(data: Dataset, validation: bool, scorer: Scorer, plain: Floats) -> None:
    fold = Fold(data, validation)
    ranks = fold.ranks(scorer)
    expected, metrics = plain_metrics(plain, *plain_fold(data, validation))
    np.testing.assert_allclose(ranks[~np.isnan(ranks)], expected)
    figures = fold.metrics(ranks)
    assert figures.num_users == len(expected)
    for key in KEYS:
        assert figures.metrics[key] == pytest.approx(metrics[key], abs=1e-9)


@pytest.mark.parametrize("validation", [False, True])
def test_item_models_on_data_made_by_hand(small: Dataset, validation: bool) -> None:
    histories, _ = plain_fold(small, validation)
    matrix, size = plain_matrix(histories, small.num_items), small.num_items
    ours = Fold(small, validation).histories
    same_as_plain(
        small, validation, item_models.popularity(ours), plain_popularity(histories, size)
    )
    same_as_plain(small, validation, item_models.item_knn(ours), plain_knn(histories, size, 0))
    same_as_plain(
        small, validation, item_models.item_knn(ours, neighbours=2), plain_knn(histories, size, 2)
    )
    ease = plain_ease_columns(matrix, 3.0)
    same_as_plain(small, validation, item_models.ease(ours, l2=3.0), matrix @ ease)
    recent = plain_matrix(histories, size, lambda place: math.exp(-place / 2) + 0.1)
    same_as_plain(
        small, validation, item_models.ease_recent(ours, l2=3.0, decay=2, floor=0.1), recent @ ease
    )


@pytest.mark.parametrize("users", [7, 11, 40])
def test_ease_with_fewer_and_with_more_users_than_items(
    users: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_models, "_ROWS", 4)
    rng = np.random.default_rng(users)
    matrix = (rng.random((users, 11)) < 0.4).astype(np.float64)
    matrix[:, 10] = 0  # an item that nobody has
    offsets = np.concatenate([[0], np.cumsum(matrix.sum(1))]).astype(np.int64)
    histories = UserHistories(np.nonzero(matrix)[1], offsets, 11)
    found = item_models.ease(histories, l2=2.0).kept().tensors
    wanted = plain_ease_columns(matrix, 2.0)
    np.testing.assert_allclose(found["weights"], wanted, atol=1e-12)
    assert not found["weights"][10].any() and not found["weights"][:, 10].any()


def test_a_cosine_worked_by_hand(small: Dataset) -> None:
    """User 3 has items 5 and 6. Two users have 4, two have 6, one has both; nobody has 4 and 5."""
    scores = item_models.item_knn(Fold(small, False).histories).scores(range(3, 4))[0]
    assert scores[4] == pytest.approx(1 / math.sqrt(2 * 2))
    assert scores[8] == 0


@pytest.mark.slow
def test_item_models_on_the_demo_set(demo: Dataset) -> None:
    histories, _ = plain_fold(demo, False)
    matrix, ours = plain_matrix(histories, demo.num_items), Fold(demo, False).histories
    same_as_plain(
        demo, False, item_models.popularity(ours), plain_popularity(histories, demo.num_items)
    )
    norms = np.sqrt(np.maximum(matrix.sum(0), 1))
    cosines = matrix.T @ matrix / np.outer(norms, norms)
    np.fill_diagonal(cosines, 0)
    same_as_plain(demo, False, item_models.item_knn(ours), matrix @ cosines)
    same_as_plain(demo, False, item_models.ease(ours, l2=300), matrix @ plain_ease(matrix, 300))


@needs_implicit
@pytest.mark.parametrize("name", ["als", "bpr"])
def test_factor_models_on_the_demo_set(demo: Dataset, name: str) -> None:
    import implicit
    import scipy.sparse as sp

    histories, _ = plain_fold(demo, False)
    matrix = sp.csr_matrix(plain_matrix(histories, demo.num_items).astype(np.float32))
    ours = Fold(demo, False).histories
    if name == "als":
        model = implicit.als.AlternatingLeastSquares(
            factors=16, regularization=10, use_gpu=False, random_state=0
        )
        scorer = factor_models.als(ours, factors=16, l2=10)
    else:
        model = implicit.bpr.BayesianPersonalizedRanking(
            factors=16,
            learning_rate=0.006,
            regularization=0.001,
            iterations=5,
            use_gpu=False,
            num_threads=1,
            random_state=0,
        )
        scorer = factor_models.bpr(ours, factors=16, iterations=5)
    model.fit(matrix, show_progress=False)
    ids, best = model.recommend(7, matrix[7], N=20)
    np.testing.assert_allclose(scorer.scores(range(7, 8))[0, ids], best, rtol=1e-4)
    same_as_plain(
        demo, False, scorer, model.user_factors.astype(float) @ model.item_factors.astype(float).T
    )


def test_nothing_of_what_is_ranked_is_learned_from(small: Dataset) -> None:
    for validation in (False, True):
        fold = Fold(small, validation)
        histories, targets = plain_fold(small, validation)
        matrix = fold.histories.matrix.toarray()
        assert (matrix == plain_matrix(histories, small.num_items)).all()
        for user, target in enumerate(targets):
            assert target < 0 or matrix[user, target] == 0
    later = small.split.heldout
    assert all(
        later[user] < 0 or Fold(small, True).histories.matrix[user, later[user]] == 0
        for user in range(6)
    )


def published(ml100k: Path, home: Path) -> Dataset:
    return open_dataset("ml-100k", ml100k, home, silent, silent)


@pytest.mark.slow
def test_ml100k_as_measured_elsewhere(ml100k: Path, own_home: Path) -> None:
    """FoldMetrics of another implementation on the same split, to their last digit."""
    data = published(ml100k, own_home)
    results = Baselines(data, own_home, lambda *_: None).outcomes(
        registry.named("popularity,item-knn,ease")
    )
    found = {outcome.baseline.name: outcome.result for outcome in results}
    for name, figures in {
        "popularity": (0.084, 0.215, 0.042, 0.799),
        "item-knn": (0.113, 0.296, 0.059, 0.840),
        "ease": (0.155, 0.397, 0.079, 0.877),
    }.items():
        result = found[name]
        assert result is not None
        assert [
            result.heldout.metrics[key] for key in ("hit@10", "hit@50", "ndcg@10", "auc")
        ] == pytest.approx(figures, abs=1e-3)
    assert found["ease"] is not None and found["ease"].settings == {
        "l2": 300
    }  # chosen by validation
    fold = Fold(data, False)
    for settings, figures in {
        (300, 5, 0.05): (0.207, 0.484, 0.116, 0.874),
        (300, 5, 0.2): (0.178, 0.455, 0.102, 0.888),
    }.items():
        metrics = fold.metrics(
            fold.ranks(item_models.ease_recent(fold.histories, *settings))
        ).metrics
        assert [metrics[key] for key in ("hit@10", "hit@50", "ndcg@10", "auc")] == pytest.approx(
            figures, abs=1e-3
        )


# Choosing and keeping.


@pytest.fixture
def wide() -> Dataset:
    """120 items, of which everybody's validation item is 60 and the held-out one 61."""
    triples = [
        (user, item, time)
        for user in range(5)
        for time, item in enumerate([user, user + 5, 60, 61])
    ]
    return dataset_of(triples, 5, 120)


def favourite(histories: UserHistories, item: int, seed: int = 0) -> Scorer:
    """One item above all others, by index."""
    scores = np.arange(histories.num_items, dtype=np.float32)
    scores[item] = 1e6
    return TableScorer(np.tile(scores, (histories.num_users, 1)))


def planted(*items: int) -> Baseline:
    choices: tuple[Choice, ...] = tuple({"item": item} for item in items)
    return Baseline("planted", "planted", favourite, choices)


def outcome_of(
    data: Dataset, home: Path, baseline: Baseline, again: bool = False
) -> BaselineOutcome:
    (outcome,) = Baselines(data, home, lambda *_: None).outcomes([baseline], again=again)
    return outcome


def test_settings_are_chosen_by_validation_alone(wide: Dataset, own_home: Path) -> None:
    result = outcome_of(wide, own_home, planted(5, 61, 60)).result
    assert result is not None and result.settings == {"item": 60} and result.tried == 3
    assert result.validation.metrics["hit@50"] == 1.0
    assert result.heldout.metrics["mrr"] == pytest.approx(
        1 / 59
    )  # 62 to 119 stand above it; 60 is history by then


def test_what_is_kept_is_read_until_something_changes(wide: Dataset, own_home: Path) -> None:
    first = outcome_of(wide, own_home, planted(60))
    assert first.computed and not outcome_of(wide, own_home, planted(60)).computed
    assert outcome_of(wide, own_home, planted(60), again=True).computed
    assert outcome_of(wide, own_home, planted(60, 61)).computed, "other settings"
    path = kept.kept_folder(own_home, wide.fingerprint) / "planted.json"
    whole = path.read_bytes()
    for harmed in (
        whole[:100],
        b"",
        b"[]",
        whole.replace(b'"hit@50"', b'"hit@5"'),
        whole.replace(b'"planted"', b'"other"'),
    ):
        path.write_bytes(harmed)
        with pytest.raises(RunError, match=r"planted\.json"):
            kept.read_one(own_home, wide.fingerprint, "planted")
        results, problems = kept.read_kept(own_home, wide.fingerprint)
        assert results == [] and len(problems) == 1 and "neumf-tui baselines" in problems[0]
        made = outcome_of(wide, own_home, planted(60, 61))
        assert made.computed and "planted.json" in made.note
    ranks = kept.read_kept_ranks(own_home, wide.fingerprint, "planted", 5)
    assert ranks.dtype == np.float32 and (ranks == 59).all()
    for harm in (b"", b"\x93NUMPY"):
        path.with_suffix(".npy").write_bytes(harm)
        with pytest.raises(RunError, match=r"planted\.npy"):
            kept.read_kept_ranks(own_home, wide.fingerprint, "planted", 5)


def test_another_version_of_the_package_is_computed_anew(
    wide: Dataset, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factor_models, "why_missing", lambda: "")
    baseline = Baseline("planted", "planted", favourite, ({"item": 60},), by_package=True)
    for version, computed in (
        ("1.0", True),
        ("1.0", False),
        ("1.1", True),
        (None, False),
        ("1.1", False),
    ):
        monkeypatch.setattr(factor_models, "installed_version", lambda version=version: version)
        assert outcome_of(wide, own_home, baseline).computed is computed


def test_too_many_items_for_the_memory(
    wide: Dataset, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=120 * 120 * 24 - 1)
    )
    table = Baselines(wide, own_home, lambda *_: None)
    with pytest.raises(NeumfTuiError, match=r"item-knn: 120 items need 0\.0 GiB") as refused:
        list(table.outcomes(registry.named("popularity,item-knn"), strict=True))
    assert (
        refused.value.exit_code == 1 and not kept.kept_folder(own_home, wide.fingerprint).exists()
    )
    popularity, knn, ease = table.outcomes(registry.named("popularity,item-knn,ease"))
    assert popularity.computed and ease.computed and knn.result is None and "120 items" in knn.note


# The command.


def test_the_command_in_its_three_forms(inside: Cli, own_home: Path) -> None:
    args = ("baselines", "--dataset", "demo", "--only", "ease,popularity")
    first = inside(*args, "--json")
    assert first.returncode == 0, first.stderr
    shown = json.loads(first.stdout)
    assert (
        (shown["dataset"], shown["simulated"]) == ("demo", True)
        and shown["num_users"] == 700
        and shown["protocol"]["candidates"]
    )
    assert [row["baseline"] for row in shown["baselines"]] == ["popularity", "ease"]
    for row in shown["baselines"]:
        assert (
            row["hit@50_low"] < row["hit@50"] < row["hit@50_high"]
            and row["note"] == ""
            and row["seconds"] >= 0
        )
        assert (
            row["validation_hit@50_low"] < row["validation_hit@50"] < row["validation_hit@50_high"]
        )
    again = inside(*args, "--csv")
    assert "kept from before: popularity, ease; --again" in again.stderr
    for read, row in zip(
        csv.DictReader(io.StringIO(again.stdout)), shown["baselines"], strict=True
    ):
        assert {key: read[key] for key in row} == {key: str(value) for key, value in row.items()}
    text = inside(*args).stdout
    for row in shown["baselines"]:
        assert all(
            f"{row[key]:.4f}" in text for key in (*KEYS, "validation_hit@50", "validation_auc")
        )
        assert (
            f"{row['hit@50_low']:.3f} to {row['hit@50_high']:.3f}" in text
            and row["settings"] in text
        )
    assert (
        "split: each user's latest interaction is held out (latest)" in text
        and "equal scores: rank = 1 +" in text
        and "demo (simulated)" in text
    )


def test_a_baseline_that_nobody_knows(inside: Cli, own_home: Path) -> None:
    for only in ("svd", "ease,svd", ","):
        result = inside("baselines", "--dataset", "demo", "--only", only)
        assert (
            result.returncode == 2
            and "expected some of popularity, item-knn" in result.stderr
            and result.stdout == ""
        )


def test_without_the_package(inside: Cli, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_models, "installed_version", lambda: None)
    named = inside("baselines", "--dataset", "demo", "--only", "popularity,als")
    assert (
        named.returncode == 2
        and "pip install 'neumf-tui[baselines]'" in named.stderr
        and named.stdout == ""
    )
    some = tuple(one for one in registry.BASELINES if one.name in ("popularity", "als"))
    monkeypatch.setattr(registry, "BASELINES", some)
    text = inside("baselines", "--dataset", "demo")
    assert (
        text.returncode == 0
        and "left out: als: the package implicit is not installed: pip install" in text.stderr
    )
    (line,) = [line for line in text.stdout.splitlines() if line.startswith("als")]
    assert "–" in line and "the package implicit is not installed" in line
    popularity, als = json.loads(inside("baselines", "--dataset", "demo", "--json").stdout)[
        "baselines"
    ]
    assert (
        als["hit@50"] is None
        and "pip install" in als["note"]
        and popularity["hit@50"] == 0.15714285714285714
    )


def test_a_package_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor_models, "installed_version", lambda: "0.7.3")
    monkeypatch.setitem(__import__("sys").modules, "implicit", None)
    assert (
        "cannot be loaded" in factor_models.why_missing()
        and "pip install" in factor_models.why_missing()
    )


# Beside a run.


def test_evaluate_says_how_to_get_them(inside: Cli, trained: Path) -> None:
    assert (
        "baselines: none kept; `neumf-tui baselines --dataset demo` computes them"
        in inside("evaluate").stdout
    )
    assert json.loads(inside("evaluate", "--json").stdout)["baselines"] == []


def test_evaluate_shows_them_beside_the_run(inside: Cli, trained: Path) -> None:
    assert inside("baselines", "--dataset", "demo", "--only", "ease,popularity").returncode == 0
    shown = json.loads(inside("evaluate", "--json").stdout)
    assert [row["baseline"] for row in shown["baselines"]] == ["ease", "popularity"], "best first"
    home, fingerprint = (
        trained.parents[1],
        json.loads((trained / "run.json").read_text())["dataset"]["fingerprint"],
    )
    ours = np.load(trained / "ranks" / f"{shown['epoch']:05}.npy") <= 50
    for row in shown["baselines"]:
        theirs = np.load(kept.kept_folder(home, fingerprint) / f"{row['baseline']}.npy") <= 50
        won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
        assert row["difference"] == pytest.approx(shown["metrics"]["hit@50"] - row["hit@50"])
        assert (row["difference_low"], row["difference_high"]) == hit_difference_interval(
            won, lost, 700 - won - lost
        )
    assert shown["baselines"][1]["hit@50"] == shown["popularity"]["hit@50"]
    text = inside("evaluate").stdout
    lines = [
        line.split()[0]
        for line in text.splitlines()
        if line.startswith(("trained", "ease", "popularity"))
    ]
    assert lines == ["trained", "ease", "popularity"]
    (kept.kept_folder(home, fingerprint) / "ease.npy").write_bytes(b"")
    (kept.kept_folder(home, fingerprint) / "popularity.json").write_bytes(b"{")
    harmed = inside("evaluate")
    assert (
        harmed.returncode == 0
        and "ease.npy" in harmed.stderr
        and "popularity.json" in harmed.stderr
    )
    (line,) = [line for line in harmed.stdout.splitlines() if line.startswith("ease")]
    assert line.endswith("–")


# In the train screen's charts.


def result_of(name: str, hit: float, auc: float) -> KeptBaseline:
    figures = FoldMetrics(
        metrics=dict.fromkeys(KEYS, 0.1) | {"hit@50": hit, "auc": auc},
        interval=(0.1, 0.2),
        num_users=4,
    )
    return KeptBaseline(
        name=name,
        title=name,
        settings={},
        tried=1,
        heldout=figures,
        validation=figures,
        seconds=1.0,
        recipe="",
        computed=0.0,
    )


KEPT = [
    result_of("popularity", 0.9, 0.8),
    result_of("item-knn", 0.3, 0.84),
    result_of("bpr", 0.28, 0.82),
    result_of("ease", 0.397, 0.877),
    result_of("ease-recent", 0.484, 0.9),
]


def test_kept_results_are_read_only_when_something_was_kept(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = KeptReader(own_home, "f" * 64)
    assert reader.read() == [] and reader.read() is None
    kept.keep(own_home, "f" * 64, KEPT[3], np.ones(5, dtype=np.float32))
    read = reader.read()
    assert read is not None and [one.name for one in read] == ["ease"]
    monkeypatch.setattr(kept, "read_kept", lambda *_: pytest.fail("read again"))
    assert reader.read() is None


def drawn(chart: CurveChart) -> list[tuple[str, float]]:
    """Return the names and heights of the kept baselines in a chart."""
    return [(line.name, line.height) for line in chart.plot.lines if line.dotted]


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (200, 50)])
async def test_the_strongest_are_lines_in_the_charts(own_home: Path, size: tuple[int, int]) -> None:
    folder = make_run(own_home, "finished")
    for result in KEPT:
        kept.keep(own_home, "f" * 64, result, np.ones(5, dtype=np.float32))
    app = NeumfApp(folder, own_home, "train")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, TrainScreen)
        hit, auc = screen.query_one("#hit", CurveChart), screen.query_one("#auc", CurveChart)
        assert drawn(hit) == [("ease-recent", 0.484), ("ease", 0.397), ("item-knn", 0.3)]
        assert drawn(auc) == [("ease-recent", 0.9), ("ease", 0.877), ("item-knn", 0.84)]
        assert not screen.query_one("#loss", CurveChart).plot.lines
        for chart in (hit, auc):
            assert (
                chart.size.height >= 3
                and chart.region.bottom <= size[1]
                and chart.region.right <= size[0]
            )
        shown = app.export_screenshot()
        assert "ease-recent" in shown.replace("&#160;", " ")


async def test_lines_appear_while_the_screen_is_open(own_home: Path) -> None:
    app = NeumfApp(make_run(own_home, "finished"), own_home, "train")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, TrainScreen) and app.screen.baselines == []
        assert {"popularity", "chance"} <= set(re.findall(r"\w+", app.export_screenshot()))
        kept.keep(own_home, "f" * 64, KEPT[4], np.ones(5, dtype=np.float32))
        app.screen.reader.now()
        await settle(pilot)
        assert [one.name for one in app.screen.baselines] == ["ease-recent"]
        assert drawn(app.screen.query_one("#hit", CurveChart)) == [("ease-recent", 0.484)]


def named(*names: tuple[str, float], needed: bool = False) -> list[LineName]:
    return [LineName(name, place, needed) for name, place in names]


def test_names_keep_clear_of_the_curves() -> None:
    area = Area(40, 10)
    x = np.arange(1, 11) / 10
    rising = (x, np.linspace(0.05, 0.95, 10))
    assert place_names(named(("ease", 0.85), ("popularity", 0.15)), [rising], area) == [
        (1, 1, "ease"),
        (29, 8, "popularity"),
    ]
    assert place_names(named(("a", 0.51), ("b", 0.55)), [], area) == [(1, 4, "b, a")]
    flat = (np.array([0.0, 1.0]), np.array([0.55, 0.55]))
    assert place_names(named(("hidden", 0.55), ("free", 0.45)), [flat], area) == [(1, 5, "free")]
    ends = [
        (np.array([0.0, 0.2]), np.array([0.55, 0.55])),
        (np.array([0.8, 1.0]), np.array([0.55, 0.55])),
    ]
    assert place_names(named(("middle", 0.55)), ends, area) == [(17, 4, "middle")]
    assert place_names(named(("above", 1.5), ("below", -0.1)), [], area) == []
    point = (np.array([0.05]), np.array([0.55]))
    assert place_names(named(("name", 0.55)), [point], area) == [(35, 4, "name")]
    steep = (np.array([0.1, 0.101]), np.array([0.0, 1.0]))
    for column, _, _ in place_names(
        named(*(("name", y) for y in (0.15, 0.45, 0.85))), [steep], area
    ):
        assert column == 35


def test_a_needed_name_is_shown_in_any_case() -> None:
    area, everywhere = Area(30, 4), (np.array([0.0, 1.0]), np.array([0.5, 0.5]))
    zigzag = (np.linspace(0, 1, 200), np.tile([0.0, 1.0], 100))
    both = named(("chance", 0.5), needed=True) + named(("ease", 0.5))
    for curve in (everywhere, zigzag):
        assert [text for *_, text in place_names(both, [curve], area)] == ["chance"]
    assert place_names(both, [], area) == [(1, 1, "chance, ease")]
    long = named(("popularity", 0.5), ("ease-recent", 0.5), ("item-knn", 0.5), needed=True)
    assert place_names(long, [], area)[0][2] == "popularity, ease-recent …"
    assert place_names(long, [], Area(10, 4))[0][2] == "popular…", "cut, and it says so"
    assert place_names(long, [], Area(2, 4)) == []
    valued = [LineName("popularity", 0.5, value="0.21"), LineName("ease", 0.5, value="0.31")]
    assert place_names(valued, [], area)[0][2] == "popularity 0.21, ease 0.31"
    assert place_names(valued, [], Area(20, 4))[0][2] == "popularity, ease"
    # A name that hides a part of a curve does not hide its marked point.
    (place,) = place_names(named(("chance", 0.5), needed=True), [everywhere], area, [(0.1, 0.5)])
    assert place[0] > 3


def test_the_list_of_baselines() -> None:
    with pytest.raises(UsageError):
        registry.named("")
    assert registry.named(None) is registry.BASELINES
    assert len(set(registry.NAMES)) == len(registry.BASELINES)
    for baseline in registry.BASELINES:
        assert (baseline.name in ("als", "bpr")) == baseline.by_package
