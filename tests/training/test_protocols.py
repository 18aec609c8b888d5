"""A run's settings under several protocols: the figures of each, and who changes places."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from neumf_tui.baselines.compute import Baselines
from neumf_tui.baselines.registry import named
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import make_options
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.metrics import user_metrics
from neumf_tui.evaluation.sampled import sampled_metrics, sampled_user_metrics
from neumf_tui.runs.create_run import make_run
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import make_settings
from neumf_tui.training.loop import Loop
from neumf_tui.training.protocols import ProtocolResult, Standing, _with_moves
from neumf_tui.training.retrain import retrain
from tests.support.commands import Cli
from tests.support.trainers import PLAIN

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")
SETTINGS = make_settings("d2l", PLAIN | {"epochs": 2, "validation": True})
PROTOCOLS = ["latest", "time", "5-core", "sampled-99"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write 70 users with 5 to 30 of 150 items, some of which are rare."""
    draw, rows = np.random.default_rng(1), []
    weights = 1 / np.arange(3, 153)
    for user in range(70):
        count = int(draw.integers(5, 31))
        days = draw.integers(0, 600) + np.sort(draw.integers(0, 90, count))
        times = 1_600_000_000 + 86_400 * days
        items = draw.choice(150, count, replace=False, p=weights / weights.sum())
        rows += [(f"u{user}", f"i{item}", time) for item, time in zip(items, times, strict=True)]
    path = tmp_path / "shop.csv"
    pd.DataFrame(rows, columns=["user", "item", "time"]).to_csv(path, index=False)
    return path


def opened(table: Path, home: Path, **options: Any) -> Dataset:
    made = make_options(**options)
    return open_dataset("auto", table, home, lambda _: None, silent, options=made)


def trained(home: Path, data: Dataset, name: str = "mine") -> Path:
    folder = make_run(home, data, name, "d2l", SETTINGS)
    with RunWriter(folder) as writer:
        Loop(writer, data, SETTINGS, CPU).run(os.getpid())
    return folder


def test_each_protocol_has_the_figures_of_its_own_training(
    table: Path, own_home: Path, inside: Cli
) -> None:
    trained(own_home, opened(table, own_home))
    before = sorted((own_home / "runs").iterdir())
    found = inside("evaluate", "mine", "--protocols", "--json")
    assert found.returncode == 0, found.stderr
    sheet = json.loads(found.stdout)
    assert sorted((own_home / "runs").iterdir()) == before
    assert [one["protocol"] for one in sheet["protocols"]] == PROTOCOLS
    assert [one["trained_again"] for one in sheet["protocols"]] == [False, True, True, False]
    rows = {(row["protocol"], row["model"]): row for row in sheet["models"]}
    assert len(rows) == 12
    usual = json.loads(inside("evaluate", "mine", "--json", "--sampled").stdout)
    own, sampled = rows["latest", "mine"], rows["sampled-99", "mine"]
    assert own["hit@50"] == usual["metrics"]["hit@50"]
    assert rows["latest", "popularity"]["auc"] == usual["popularity"]["auc"]
    assert sampled["hit@10"] == pytest.approx(usual["sampled"]["hr@10"])
    for name, options in (
        ("time", {"split": "time"}),
        ("5-core", {"min_user_count": 5, "min_item_count": 5}),
    ):
        data = opened(table, own_home, **options)
        again = retrain(data, SETTINGS, CPU, silent, "")
        values = user_metrics(again.ranks, again.candidates)
        for metric in ("hit@10", "hit@50", "ndcg@10", "auc"):
            assert rows[name, "mine"][metric] == float(values[metric].mean())
        (ease,) = Baselines(data, own_home, silent).outcomes(named("ease"))
        assert ease.result
        assert rows[name, "EASE"]["hit@50"] == ease.result.heldout.metrics["hit@50"]
        told = next(one for one in sheet["protocols"] if one["protocol"] == name)
        assert told["fingerprint"] == data.fingerprint
        for count in ("heldout", "cold_users", "cold_items", "unused", "below_counts"):
            assert told[count] == getattr(data.facts, count)
    printed = inside("evaluate", "--protocols").stdout
    assert all(name in printed for name in PROTOCOLS)
    cold = next(one for one in sheet["protocols"] if one["protocol"] == "time")["cold_users"]
    assert cold and f"{cold} users have no history before the cut: left out" in printed
    table_lines = printed.splitlines()[1:14]
    assert all(len(line.rstrip()) <= 80 for line in table_lines)


def test_a_run_of_another_protocol_comes_first_as_it_was_trained(
    table: Path, own_home: Path, inside: Cli
) -> None:
    trained(own_home, opened(table, own_home, split="time", cut="0.8"))
    sheet = json.loads(inside("evaluate", "--protocols", "--json").stdout)
    assert [one["protocol"] for one in sheet["protocols"]] == ["time", "latest", *PROTOCOLS[2:]]
    trained(own_home, opened(table, own_home, min_user_count=9), "filtered")
    sheet = json.loads(inside("evaluate", "filtered", "--protocols", "--json").stdout)
    assert [one["protocol"] for one in sheet["protocols"]] == ["as trained", *PROTOCOLS]
    assert sheet["protocols"][0]["filters"] == "interactions of a user at least 9"


def test_what_the_data_do_not_allow_is_said(
    own_home: Path, tmp_path: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "timeless.csv"
    draw = np.random.default_rng(0)
    rows = [(f"u{u}", f"i{i}") for u in range(40) for i in draw.permutation(60)[:9]]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame.assign(time=5).to_csv(path, index=False)
    trained(own_home, opened(path, own_home))
    small = psutil.virtual_memory()._replace(available=1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: small)
    found = json.loads(inside("evaluate", "--protocols", "--json").stdout)
    notes = {one["protocol"]: one["notes"] for one in found["protocols"]}
    assert "all interactions are on one side of it" in notes["time"][0]
    assert "ease: 60 items need" in notes["latest"][0]
    assert {row["model"] for row in found["models"]} == {"mine", "popularity"}
    printed = inside("evaluate", "--protocols").stdout
    assert "time: --cut 0.9: all interactions are on one side of it" in printed


def test_without_the_files_or_the_settings_it_says_what_to_do(
    table: Path, own_home: Path, inside: Cli
) -> None:
    data = opened(table, own_home)
    trained(own_home, data)
    table.unlink()
    missing = inside("evaluate", "--protocols")
    assert missing.returncode == 3
    assert f"({table}) are not found or have changed; set NEUMF_TUI_DATA" in missing.stderr
    both = inside("evaluate", "--protocols", "--sampled")
    assert both.returncode == 2 and "omit --sampled" in both.stderr


# Places.


def result(name: str, hits: dict[str, float], users: int = 1000) -> ProtocolResult:
    """Return models of which the first users have hits."""
    values = {
        model: {
            key: (np.arange(users) < share * users).astype(float)
            for key in ("hit@10", "hit@50", "ndcg@10", "auc")
        }
        for model, share in hits.items()
    }
    standings = tuple(
        Standing(
            model,
            values[model],
            {key: 1 + sum(other > share for other in hits.values()) for key in values[model]},
        )
        for model, share in hits.items()
    )
    return ProtocolResult(name, standings=standings)


def test_places_are_compared_with_the_first_protocol() -> None:
    usual = {"run": 0.5, "ease": 0.4, "popularity": 0.2}
    results = _with_moves(
        [
            result("latest", usual),
            result("time", {"run": 0.30, "ease": 0.301, "popularity": 0.2}),
            result("5-core", {"run": 0.1, "ease": 0.3, "popularity": 0.2}),
            result("sampled-99", {"run": 0.5, "popularity": 0.6}),
        ]
    )
    moves = {one.name: [each.moved["hit@50"] for each in one.standings] for one in results}
    assert moves == {
        "latest": [0, 0, 0], "time": [-1, 1, 0], "5-core": [-2, 1, 1],
        "sampled-99": [0, 0],  # nothing to compare with: another set of models
    }  # fmt: skip


def test_sampled_metrics_of_users_have_the_means_of_all_draws() -> None:
    draw = np.random.default_rng(0)
    candidates = draw.integers(60, 400, 50)
    ranks = np.ceil(draw.random(50) ** 3 * candidates).astype(np.float32)
    ranks[3] += 0.5
    ranks[::9] = np.nan
    found = sampled_user_metrics(ranks, candidates, 99)
    whole = sampled_metrics(ranks, candidates, 99)
    assert found["hit@10"].mean() == pytest.approx(whole["hr@10"])
    assert found["ndcg@10"].mean() == pytest.approx(whole["ndcg@10"])
    assert np.array_equal(found["auc"], user_metrics(ranks, candidates)["auc"])
    held = ~np.isnan(ranks)
    for value, rank, of in zip(found["hit@50"], ranks[held], candidates[held], strict=True):
        if rank % 1:
            continue
        drawn = draw.hypergeometric(int(rank) - 1, of - int(rank), min(99, of - 1), 4000)
        assert value == pytest.approx((drawn < 50).mean(), abs=0.05)
