"""The check of the order: other orders, settings trained again, and planted leaks of file order."""

import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
import torch

from neumf_tui.data import prepared
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.progress import Progress, silent
from neumf_tui.data.readers import table
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.reordered import interactions, lacks_times, num_tied, reordered
from neumf_tui.data.split import Interactions
from neumf_tui.runs.create_run import make_info, make_run
from neumf_tui.runs.reader import read_ranks
from neumf_tui.runs.writer import RunWriter, create_run
from neumf_tui.settings import Settings, make_settings
from neumf_tui.training.loop import Loop
from neumf_tui.training.order import check_order
from neumf_tui.training.retrain import retrain
from neumf_tui.views.order import verdict_text
from tests.support.commands import Cli
from tests.support.datasets import random_dataset
from tests.support.rating_files import ratings_100k, write_100k
from tests.support.trainers import EVERYTHING, PLAIN

pytestmark = pytest.mark.usefixtures("one_thread")
CPU = torch.device("cpu")


def planted(rule: str, users: int = 300, items: int = 100) -> Dataset:
    """Return users with sessions of ten items at one time; the first items are popular by far.

    Rows are sorted by user and item. Where the rows decide ties, the most popular item of a session
    is its latest.
    """
    draw = np.random.default_rng(2)
    weights = 1 / np.arange(1, items + 1)
    chance = weights / weights.sum()
    drawn = [draw.choice(items, 30, replace=False, p=chance) for _ in range(users)]
    frame = pd.DataFrame(
        {
            "user": np.repeat(np.arange(users), 30),
            "item": np.concatenate(drawn),
            "time": np.tile(1000 * np.repeat([1, 2, 3], 10), users),
        }
    ).sort_values(["user", "item"])
    names = [str(one) for one in range(items)]
    content = Content(
        [str(one) for one in range(users)],
        Catalogue(names, names, [None] * items, [[] for _ in names]),
        Interactions(*(frame[name].to_numpy() for name in ("user", "item", "time"))),
        ties=rule,  # type: ignore[arg-type]
    )
    return prepare_content("planted", "here", content)


def settings(**changes: Any) -> Settings:
    given = {"embedding_size": 4, "epochs": 2, "learning_rate": 0.05, "threads": 1}
    return make_settings("d2l", given | {"device": "cpu", "exclude_heldout": False} | changes)


def pairs_of(data: Dataset) -> list[tuple[int, int, int]]:
    return sorted(zip(*(column.tolist() for column in interactions(data)), strict=True))


# Other orders.


def test_only_equal_times_are_shuffled_or_everything_is() -> None:
    data = planted("file order", users=40)
    ties, whole = reordered(data, 3), reordered(data, 3, whole=True)
    assert pairs_of(ties) == pairs_of(data)
    assert [pair[:2] for pair in pairs_of(whole)] == [pair[:2] for pair in pairs_of(data)]
    for other in (ties, whole):
        assert np.array_equal(other.split.users, data.split.users)
        assert np.array_equal(other.split.times, data.split.times)
        assert np.array_equal(other.split.heldout_times, data.split.heldout_times)
        assert np.array_equal(other.split.known, data.split.known)
        assert (other.split.heldout != data.split.heldout).mean() > 0.5
    for user in range(40):
        start = int(data.offsets[user])
        assert set(ties.split.items[start : start + 10]) == set(
            data.split.items[start : start + 10]
        )
        assert set(whole.split.items[start : start + 10]) != set(
            data.split.items[start : start + 10]
        )
    assert np.array_equal(reordered(data, 3).split.items, ties.split.items)
    assert not np.array_equal(reordered(data, 4).split.items, ties.split.items)


def test_every_item_of_a_tie_is_held_out_alike() -> None:
    data = planted("file order", users=1)
    session = {*data.split.items[20:].tolist(), int(data.split.heldout[0])}
    found = Counter(int(reordered(data, seed).split.heldout[0]) for seed in range(2000))
    assert found.keys() == session
    assert all(abs(count - 200) < 4 * np.sqrt(180) for count in found.values())


def test_users_with_one_interaction_stay_as_they_are() -> None:
    rows = Interactions(
        *(np.array(column) for column in ([0, 1, 1, 2], [0, 0, 1, 1], [5, 5, 5, 6]))
    )
    catalogue = Catalogue(["a", "b"], ["a", "b"], [None, None], [[], []])
    data = prepare_content("x", "", Content(["u", "v", "w"], catalogue, rows))
    other = reordered(data, 0)
    assert (other.split.heldout >= 0).tolist() == [False, True, False]
    assert other.history(0).tolist() == [0] and other.history(2).tolist() == [1]
    assert num_tied(data) == 1


# Settings trained again.


@pytest.mark.parametrize(
    "changes", [{}, {"eval_every": 3}, EVERYTHING | {"epochs": 6, "early_stop": 1}]
)
def test_settings_trained_again_give_the_ranks_of_the_run(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    data, chosen = random_dataset(30, 60, 9), make_settings("d2l", PLAIN | changes)
    folder = make_run(tmp_path, data, "run", "d2l", chosen)
    with RunWriter(folder) as writer:
        loop = Loop(writer, data, chosen, CPU)
        loop.run(os.getpid())
    told: list[Progress] = []
    found = retrain(data, chosen, CPU, told.append, "training")
    best = loop.evaluations.records.best if chosen.validation else loop.progress.epoch
    assert found.epoch == best
    assert np.array_equal(found.ranks, read_ranks(folder, found.epoch))
    assert told[0] == Progress("training", 0, chosen.epochs)
    assert told[-1] == Progress("training", chosen.epochs, chosen.epochs)


# The verdict.


def test_a_file_in_order_of_items_is_found_and_a_hash_is_not() -> None:
    leaky, told = planted("file order"), []
    found = check_order(leaky, settings(), 2, told.append)
    assert found.shown == "hit@50"
    assert found.tied == found.users == 300
    for model in ("run", "popularity"):
        change = found.find("ties", model).differences["hit@50"]
        assert change.verdict == "above" and change.interval[0] > 0.05
        own, ties = (found.find(order, model).metrics["hit@50"] for order in ("own", "ties"))
        assert change.value == pytest.approx(own - ties)
    assert verdict_text(found, "file order").startswith("Equal timestamps inflate Hit@50 by 0.")
    assert "the file's order leaks into what is the latest" in verdict_text(found, "file order")
    assert [one.what for one in told if one.done == one.total] == [
        f"training {number} of 6: epochs" for number in range(1, 7)
    ]
    fair = check_order(planted("hash"), settings(), 2, silent)
    assert fair.shown == ""
    assert "no difference that 2 rounds can show" in verdict_text(fair, "hash")


def test_without_ties_only_the_whole_order_is_trained_again() -> None:
    told: list[Progress] = []
    found = check_order(random_dataset(60, 90, 12), settings(epochs=1), 1, told.append)
    assert {one.what for one in told} == {"training 1 of 2: epochs", "training 2 of 2: epochs"}
    assert found.find("ties").metrics == found.find("own").metrics
    assert "no tie decides anything" in verdict_text(found, "hash")


# The command.


@pytest.fixture
def run(own_home: Path) -> str:
    """Make a run without a trainer; its dataset is kept in the home."""
    data = planted("file order", users=200)
    prepared.save(data, prepared.prepared_dir(own_home))
    return make_run(own_home, data, "leaky", "", settings()).name


def test_the_command_prints_the_verdict_last_and_makes_no_run(
    run: str, own_home: Path, inside: Cli
) -> None:
    before = sorted((own_home / "runs").iterdir())
    found = inside("check-order", "--rounds", "1")
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[-1].startswith("Equal timestamps inflate Hit@50 by")
    assert all(len(line) <= 80 for line in lines if not line.startswith(("protocol", "E", "The")))
    assert "200 users with a held-out item; for 200 another has the same time, to" in found.stdout
    as_json = json.loads(inside("check-order", run, "--rounds", "1", "--json").stdout)
    assert as_json["metric_with_difference"] == "hit@50"
    assert as_json["meaning"] == lines[-1]
    assert [(row["order"], row["model"]) for row in as_json["orders"]] == [
        (order, model) for order in ("own", "ties", "all") for model in ("leaky", "popularity")
    ]
    assert sorted((own_home / "runs").iterdir()) == before


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("adopted", "run other is adopted: only runs that `neumf-tui train` made"),
        ("baseline", "run other is baseline: only runs that"),
        ("time", "run other has the split 'time', in which the latest interaction decides nothing"),
    ],
)
def test_runs_that_cannot_be_checked_say_why(
    own_home: Path, inside: Cli, kind: Any, says: str
) -> None:
    data = random_dataset()
    if kind == "time":
        data = replace(data, facts=msgspec.structs.replace(data.facts, split="time"))
    of = {"kind": kind} if kind != "time" else {}
    info = make_info(own_home, data, "other", msgspec.to_builtins(settings()), **of)
    create_run(own_home / "runs" / "other", info)
    found = inside("check-order", "other")
    assert found.returncode == 2
    assert says in found.stderr


def age(folder: Path) -> None:
    """Remove what version 0.1.0 did not write of a prepared dataset."""
    for name in ("heldout_times.npy", "known.npy", "manifest.json"):
        (folder / name).unlink()
    about = json.loads((folder / "dataset.json").read_text())
    old = {key: about[key] for key in ("name", "simulated", "source", "notices")}
    (folder / "dataset.json").write_text(json.dumps(old))


@pytest.fixture
def old(own_home: Path, tmp_path: Path, inside: Cli) -> Path:
    """Make a run of version 0.1.0: its dataset has ties by file order and no held-out times."""
    path = tmp_path / "mine.csv"
    users, items, times = interactions(planted("hash", users=60))
    frame = pd.DataFrame({"user": users, "item": items, "timestamp": times})
    frame.sort_values(["user", "item"]).to_csv(path, index=False)
    content = replace(table.read(path, ReadOptions()), ties="file order")
    data = prepare_content("mine", str(path), content)
    folder = prepared.prepared_dir(own_home)
    prepared.save(data, folder)
    age(folder / data.fingerprint)
    make_run(own_home, data, "old", "", settings(epochs=1))
    return path


def test_a_dataset_of_version_0_1_0_gets_its_times_from_the_file(old: Path, inside: Cli) -> None:
    found = json.loads(inside("check-order", "old", "--rounds", "1", "--json").stdout)
    assert found["tied_heldout"] == 60
    assert found["metric_with_difference"] == "hit@50"


def test_files_of_the_same_fingerprint_are_prepared_anew(tmp_path: Path, own_home: Path) -> None:
    folder = write_100k(tmp_path / "ml-100k", ratings_100k())
    data = open_dataset("auto", folder, own_home, lambda _: None, silent)
    place = prepared.prepared_dir(own_home) / data.fingerprint
    age(place)
    shutil.rmtree(place.parent / "sources")
    assert lacks_times(prepared.load(place.parent, data.fingerprint))
    again = open_dataset("auto", folder, own_home, lambda _: None, silent)
    assert (again.fingerprint, again.facts) == (data.fingerprint, data.facts)
    assert not lacks_times(again)


def test_without_that_file_the_command_says_what_to_do(old: Path, inside: Cli) -> None:
    old.unlink()
    found = inside("check-order", "old", "--rounds", "1")
    assert found.returncode == 3
    assert f"({old}) are not found or have changed; set NEUMF_TUI_DATA" in found.stderr


# MovieLens 100K.


@pytest.mark.slow
def test_ml100k_in_order_of_items_is_inflated_and_u_data_is_not(
    ml100k: Path, tmp_path: Path
) -> None:
    names = ["user_id", "item_id", "rating", "timestamp"]
    frame = pd.read_csv(ml100k / "u.data", sep="\t", names=names)
    path = tmp_path / "ratings.csv"
    frame.sort_values(["user_id", "item_id"]).to_csv(path, index=False)
    content = replace(table.read(path, ReadOptions()), ties="file order")
    fast = make_settings("fast", {"device": "cpu", "threads": 1})
    by_item = check_order(prepare_content("by-item", "", content), fast, 2, silent)
    assert by_item.shown == "hit@50"
    assert 0.02 < by_item.find("ties").differences["hit@50"].value < 0.07
    usual = open_dataset("ml-100k", ml100k, tmp_path / "home", lambda _: None, silent)
    assert usual.facts.ties == "file order"
    assert check_order(usual, fast, 2, silent).shown == ""
