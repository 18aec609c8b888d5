"""Runs that are split by time, from training to every command that reads them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import make_options
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.metrics import metrics_from_ranks
from neumf_tui.runs.create_run import make_run
from neumf_tui.runs.reader import read_info, read_ranks, read_snapshot
from neumf_tui.runs.requests import EXTEND, send_request
from neumf_tui.runs.writer import RunWriter
from neumf_tui.settings import Settings, make_settings
from neumf_tui.training.loop import Loop
from neumf_tui.tui.app import NeumfApp
from tests.support.commands import Cli
from tests.support.screens import settle, text_of
from tests.support.shared_folders import fill_once

pytestmark = pytest.mark.usefixtures("one_thread")
BY_TIME = ("--split", "time", "--min-user-count", "80")
OPTIONS = make_options(split="time", min_user_count=80)
PRESETS = ("tuned", "fast", "d2l")


def settings(preset: str) -> Settings:
    small = {"epochs": 1, "embedding_size": 8, "device": "cpu", "threads": 1}
    return make_settings(preset, small)


def train(folder: Path, data: Dataset) -> None:
    chosen = msgspec.convert(read_info(folder).settings, Settings)
    with RunWriter(folder) as writer:
        Loop(writer, data, chosen, torch.device("cpu")).run(os.getpid())


@pytest.fixture(scope="session")
def timed_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with a run of each preset, split by time; tests only read it."""

    def make(home: Path) -> None:
        shutil.copytree(shared_home, home, dirs_exist_ok=True)
        data = open_dataset("demo", None, home, silent, silent, options=OPTIONS)
        for preset in PRESETS:
            train(make_run(home, data, preset, preset, settings(preset)), data)

    return fill_once(tmp_path_factory, "timed-home", make)


@pytest.fixture
def timed(timed_home: Path, own_home: Path) -> Dataset:
    """Copy these runs into the test's home, and return their dataset."""
    shutil.copytree(timed_home, own_home)
    return open_dataset("demo", None, own_home, silent, silent, options=OPTIONS)


@pytest.mark.parametrize("preset", PRESETS)
def test_figures_of_a_run_are_those_of_both_folds(
    timed: Dataset, own_home: Path, inside: Cli, preset: str
) -> None:
    folder = own_home / "runs" / preset
    told = json.loads(inside("evaluate", preset, "--json").stdout)
    held = np.flatnonzero(timed.split.heldout >= 0)
    ranks = read_ranks(folder, 1)
    assert np.array_equal(np.flatnonzero(~np.isnan(ranks)), held)
    candidates = timed.num_items - np.diff(timed.offsets)
    assert told["metrics"] == metrics_from_ranks(ranks, candidates)
    assert told["num_users"] == len(held) == timed.facts.heldout < timed.num_users
    if preset == "d2l":
        assert told["validation"] is None
    else:
        validated = read_ranks(folder, 1, "validation")
        assert np.array_equal(~np.isnan(validated), timed.validation >= 0)
        among = timed.num_items - timed.split.known
        assert told["validation"] == metrics_from_ranks(validated, among)
    protocol = told["protocol"]
    assert protocol["split_name"] == "time" and protocol["cut"].startswith("2025-")
    assert protocol["future"] == "nothing after the cut is learned from"


def test_a_run_goes_on_with_the_same_split(timed: Dataset, own_home: Path) -> None:
    folder = own_home / "runs" / "fast"
    send_request(folder, EXTEND, "2")
    train(folder, timed)
    found = read_snapshot(folder)
    assert [one.epoch for one in found.epochs] == [1, 2]
    assert [one.epoch for one in found.evaluations] == [1, 2]


def test_baselines_and_the_check_for_leaks(timed: Dataset, inside: Cli) -> None:
    flags = ("--dataset", "demo", *BY_TIME)
    found = json.loads(inside("baselines", *flags, "--only", "popularity,ease", "--json").stdout)
    popularity, ease = found["baselines"]
    fold = Evaluator(timed)
    plain = metrics_from_ranks(fold.popularity_ranks(), fold.candidates)
    assert {name: popularity[name] for name in plain} == plain
    assert ease["hit@50"] > popularity["hit@50"]
    assert found["protocol"]["split_name"] == "time"
    small = ("--epochs", "1", "--embedding-size", "4", "--threads", "1")
    told = inside("check-leak", *flags, *small, "--no-exclude-heldout", "--preset", "d2l", "--json")
    leak = json.loads(told.stdout)
    assert leak["verdict"] == "pass" and leak["twins"]["same_weights"]
    assert leak["num_ranks"] == timed.facts.heldout and leak["protocol"]["split_name"] == "time"


def test_weights_are_adopted_with_the_same_figures(
    timed: Dataset, own_home: Path, inside: Cli
) -> None:
    told = json.loads(inside("evaluate", "d2l", "--json").stdout)["metrics"]
    weights = own_home / "runs" / "d2l" / "checkpoints" / "00001.safetensors"
    expected = f"hit@50={told['hit@50']:.4f},auc={told['auc']:.4f}"
    where = ("--dataset", "demo", "--name", "taken", "--expect", expected)
    done = inside("adopt", str(weights), *where, *BY_TIME)
    assert done.returncode == 0, done.stderr
    again = json.loads(inside("evaluate", "taken", "--json").stdout)
    assert again["metrics"] == pytest.approx(told)


def test_two_splits_are_not_compared(timed: Dataset, own_home: Path, inside: Cli) -> None:
    data = open_dataset("demo", None, own_home, silent, silent)
    make_run(own_home, data, "usual", "fast", settings("fast"))
    train(own_home / "runs" / "usual", data)
    for more in ((), ("--user", "sim-001")):
        found = inside("compare", "usual", "fast", *more)
        assert found.returncode == 2
        assert "run usual has the split latest" in found.stderr
        assert "run fast the split time with the cut 2025-" in found.stderr
    assert inside("compare", "tuned", "fast").returncode == 0


async def test_a_user_with_nothing_after_the_cut_is_told_so(
    timed: Dataset, own_home: Path, inside: Cli
) -> None:
    user = timed.user_ids[int(np.flatnonzero(timed.split.heldout < 0)[0])]
    app = NeumfApp(own_home / "runs" / "tuned", own_home, "explore", user_id=user)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "No held-out film: the user has nothing from the cut on." in text_of(app, "#story")
    for command in ("rank", "journey"):
        assert "the user has nothing from the cut on" in inside(command, user).stdout


@pytest.mark.slow
def test_a_study_is_split_by_time(timed: Dataset, own_home: Path, inside: Cli) -> None:
    pytest.importorskip("optuna", reason="the extra [tune] is not installed")
    small = ("--preset", "d2l", "--validation", "--epochs", "1", "--threads", "1")
    done = inside("tune", "--dataset", "demo", *BY_TIME, *small, "--trials", "2", "--study", "s")
    assert done.returncode == 0, done.stderr
    trial = read_info(own_home / "runs" / "s-0000")
    assert trial.dataset.fingerprint == timed.fingerprint
    again: Any = inside("tune", "--trials", "3", "--study", "s")
    assert again.returncode == 0, again.stderr
    assert read_info(own_home / "runs" / "s-0002").dataset.fingerprint == timed.fingerprint
