"""Baselines that are kept as runs: the same ranks, names of their own, and every view."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.baselines import factor_models, registry
from neumf_tui.baselines.compute import BaselineOutcome, Baselines
from neumf_tui.baselines.kept import read_kept_ranks
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import save
from neumf_tui.data.progress import silent
from neumf_tui.explore.evaluate import evaluate
from neumf_tui.explore.ranker import Ranker
from neumf_tui.explore.why import explain
from neumf_tui.home import datasets_dir, runs_dir
from neumf_tui.runs.reader import read_info, read_ranks, read_snapshot, read_status
from neumf_tui.scorers.item_item import ItemItemScorer, Recency
from neumf_tui.scorers.open import all_histories, open_scorer
from neumf_tui.scorers.scorer import SCORE, Scorer
from neumf_tui.scorers.vectors import VectorScorer
from neumf_tui.tui.app import NeumfApp
from tests.support.commands import Cli
from tests.support.datasets import random_dataset
from tests.support.kept_runs import kept_run
from tests.support.scorers import normal
from tests.support.screens import settle

OWN = "popularity,item-knn,item-knn-k,ease,ease-recent"
"""Those that need no other package."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(25, 80, 9)


@pytest.fixture
def home(data: Dataset, own_home: Path) -> Path:
    save(data, datasets_dir(own_home) / "prepared")
    return own_home


def keep(data: Dataset, home: Path, names: str, *, again: bool = False) -> list[BaselineOutcome]:
    table = Baselines(data, home, silent)
    return list(table.outcomes(registry.named(names), as_runs=True, again=again))


def test_a_run_has_the_ranks_that_are_kept(home: Path, data: Dataset) -> None:
    for outcome in keep(data, home, OWN):
        name, result, run = outcome.baseline.name, outcome.result, outcome.run
        assert run == runs_dir(home) / name and result is not None
        info, found = read_info(run), read_snapshot(run).evaluations
        assert (info.kind, info.preset, info.epochs) == ("baseline", name, 1)
        assert info.settings == result.settings | {"tried": result.tried}
        assert read_status(run).state == "finished" and info.has_validation
        ranks = read_ranks(run, 1)
        kept = read_kept_ranks(home, data.fingerprint, name, data.num_users)
        np.testing.assert_array_equal(ranks, kept)
        ranker = Ranker(run, home)
        np.testing.assert_array_equal(evaluate(ranker).ranks, kept)
        assert found[0].metrics == result.heldout.metrics == evaluate(ranker).metrics
        before = evaluate(ranker, validation=True).metrics
        assert found[0].validation == result.validation.metrics == before
    times = {run: run.stat().st_mtime_ns for run in runs_dir(home).iterdir()}
    assert all(not one.computed and one.run for one in keep(data, home, OWN))
    assert times == {run: run.stat().st_mtime_ns for run in runs_dir(home).iterdir()}, "as it was"


def test_what_was_kept_before_becomes_a_run_and_stays(home: Path, data: Dataset) -> None:
    (before,) = Baselines(data, home, silent).outcomes(registry.named("ease"))
    files = {file: file.read_bytes() for file in (home / "baselines").rglob("*.*")}
    assert before.run is None and not runs_dir(home).exists()
    (outcome,) = keep(data, home, "ease")
    assert outcome.run is not None and not outcome.computed and outcome.result == before.result
    assert files == {file: file.read_bytes() for file in (home / "baselines").rglob("*.*")}
    (later,) = keep(data, home, "ease", again=True)
    assert later.run == outcome.run and later.computed, "the run is replaced"


def test_a_run_stays_until_the_one_in_its_place_is_whole(
    home: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (outcome,) = keep(data, home, "ease")
    assert outcome.run is not None
    files = {file: file.read_bytes() for file in outcome.run.rglob("*.*")}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neumf_tui.evaluation.records.save_checkpoint", full)
    with pytest.raises(OSError, match="No space left"):
        keep(data, home, "ease", again=True)
    assert files == {file: file.read_bytes() for file in outcome.run.rglob("*.*")}
    assert [folder.name for folder in runs_dir(home).iterdir()] == ["ease"]


def test_a_name_that_another_run_has_gets_an_ending(home: Path, data: Dataset) -> None:
    other = random_dataset(20, 60, 8)
    save(other, datasets_dir(home) / "prepared")
    names = [keep(one, home, "popularity")[0].run for one in (data, other, data, other)]
    assert [run and run.name for run in names] == ["popularity", "popularity-tiny"] * 2
    shutil.rmtree(names[0])  # type: ignore[arg-type]
    kept_run(home, data, "vectors", name="popularity")
    (outcome,) = keep(data, home, "popularity")
    assert outcome.run is not None and outcome.run.name == "popularity-tiny-2"


def test_without_implicit_the_others_are_kept(
    home: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(factor_models, "why_missing", lambda: "implicit is not installed")
    popularity, als = keep(data, home, "popularity,als")
    assert popularity.run is not None and als.run is None and "not installed" in als.note


@pytest.mark.skipif(bool(factor_models.why_missing()), reason="needs implicit")
def test_factor_models_are_vectors(home: Path, data: Dataset) -> None:
    (outcome,) = keep(data, home, "bpr")
    assert outcome.run is not None and read_info(outcome.run).model == "vectors"
    ranks = evaluate(Ranker(outcome.run, home)).ranks
    np.testing.assert_array_equal(read_ranks(outcome.run, 1), ranks)
    assert read_info(outcome.run).settings["seed"] == 0


def test_shares_of_ease_sum_to_the_score(home: Path, data: Dataset) -> None:
    (outcome,) = keep(data, home, "ease-recent")
    assert outcome.run is not None
    ranker = Ranker(outcome.run, home)
    ranking = ranker.rank(3)
    for row in (0, 7, len(ranking.items) - 1):
        why = explain(ranker, ranking, row)
        assert {item for item, _ in why.items} <= set(data.history(3).tolist()) and why.own == 0
        total = sum(effect for _, effect in why.items)
        assert total == pytest.approx(ranking.centred(row)[SCORE], abs=1e-6)


def _scorers(data: Dataset) -> dict[str, Scorer]:
    users, items, histories = data.num_users, data.num_items, all_histories(data)
    dense = normal(items, items).astype(np.float64)
    few = np.where(dense > 2, dense, 0)
    biases = normal(users), normal(items, seed=2)
    return {
        "vectors": VectorScorer(normal(users, 4), normal(items, 4, seed=1), *biases),
        "weights": ItemItemScorer(dense, histories, Recency(3.0, 0.1)),
        "weights.indptr": ItemItemScorer(few, histories),
    }


def test_a_kept_scorer_opens_as_the_same(data: Dataset) -> None:
    for tensor, scorer in _scorers(data).items():
        kept = scorer.kept()
        assert tensor == kept.model or tensor in kept.tensors
        everybody = range(data.num_users)
        again = open_scorer(*kept, data).scores(everybody)
        np.testing.assert_array_equal(again, scorer.scores(everybody))


async def test_the_runs_screen_keeps_them(
    home: Path, data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "BASELINES", registry.named("popularity"))
    kept_run(home, data, "top_k")
    app = NeumfApp(None, home, "runs")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("b", "y")
        await settle(pilot)
        messages = [note.message for note in app._notifications]
    assert messages[-1] == "Runs: popularity."
    assert (runs_dir(home) / "popularity").is_dir()


def test_the_command_keeps_them(with_demo: Path, inside: Cli) -> None:
    done = inside("baselines", "--dataset", "demo", "--only", "popularity", "--keep")
    assert "popularity" in done.stdout and "runs: popularity" in done.stderr
    for command in ("failures popularity", "compare popularity popularity", "evaluate popularity"):
        result = inside(*command.split())
        assert result.returncode == 0, result.stderr
    assert "baseline popularity" in inside("rank", "sim-036", "--run", "popularity").stdout
