"""What `open_run` and `load_dataset` give: the numbers of the commands, and of plain numpy."""

import inspect
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import neumf_tui
from neumf_tui.data.options import ReadOptions, SplitOptions
from neumf_tui.errors import NeumfTuiError, RunError, UsageError
from neumf_tui.runs.reader import read_ranks
from tests.api.conftest import Vectors
from tests.support.commands import Cli

USER = "sim-001"


def same(frame: pd.DataFrame, rows: list[dict[str, Any]]) -> None:
    """Check that a frame has the rows of a command's JSON object, in its order."""
    assert len(frame) == len(rows) > 0
    for column in frame.columns:
        expected = [row[column] for row in rows]
        found = [None if value is None or value != value else value for value in frame[column]]
        assert found == expected, column


def printed(inside: Cli, *args: str) -> dict[str, Any]:
    result = inside(*args, "--json")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.slow
def test_frames_are_what_commands_print(trained: Path, inside: Cli) -> None:
    run = neumf_tui.open_run("trained")
    of_run = ("--run", "trained")
    ranking = printed(inside, "rank", USER, "--top", "all", *of_run)
    same(run.ranking(USER), ranking["items"])
    assert run.ranking(USER, top=3).attrs["heldout"] == ranking["heldout"]
    same(
        run.ranking(USER, by="gmf", top=9),
        printed(inside, "rank", USER, "--by", "gmf", "--top", "9", *of_run)["items"],
    )
    likes = "Alien; Brazil; Vertigo"
    recommended = printed(inside, "recommend", "--likes", likes, "--top", "20", *of_run)
    same(run.recommend(likes, top=20), recommended["items"])
    same(run.recommend(likes.split(";"), top=20), recommended["items"])
    why = printed(inside, "why", USER, *of_run)
    same(run.why(USER), why["films"] or why["factors"])
    same(run.journey(USER), printed(inside, "journey", USER, *of_run)["epochs"])
    failures = printed(inside, "failures", "trained", "--users", "--by", "gain", "--top", "all")
    same(run.failures(by="gain"), failures["users"])
    everybody = printed(inside, "compare", "trained@3", "trained@10")
    a = neumf_tui.open_run("trained@3")
    same(a.compare("trained@10"), everybody["users"])
    assert (
        a.compare(neumf_tui.open_run("trained", epoch=10)).attrs["mcnemar_p"]
        == everybody["mcnemar_p"]
    )
    person = printed(inside, "compare", "trained@3", "trained@10", "--user", USER, "--top", "all")
    compared = a.compare("trained@10", user=USER)
    rows = next(
        value
        for value in person.values()
        if isinstance(value, list) and len(value) == len(compared)
    )
    same(compared, rows)
    status = printed(inside, "status", "trained")
    assert run.status() == status
    last = run.metrics().iloc[-1]
    assert (last["hit@50"], last["auc"]) == (status["hit@50"], status["auc"])
    assert [last["hit@50_low"], last["hit@50_high"]] == status["hit@50_ci"]


def test_figures_are_those_of_plain_numpy(data: neumf_tui.LoadedDataset, vectors: Vectors) -> None:
    users, items = vectors
    with neumf_tui.start_run("mine", dataset=data) as run:
        run.keep(epoch=1, vectors=vectors)
    opened, arrays = neumf_tui.open_run("mine"), data.arrays
    user = data.user_ids.index(USER)
    scores = items @ users[user]
    seen = arrays.items[arrays.offsets[user] : arrays.offsets[user + 1]]
    candidates = np.setdiff1d(np.arange(data.num_items), seen)
    order = candidates[np.argsort(-scores[candidates], kind="stable")]
    ranking = opened.ranking(USER)
    assert ranking["item_id"].tolist() == [data.item_ids[item] for item in order]
    np.testing.assert_array_equal(ranking["score"], scores[order])
    own, beside = scores[arrays.heldout[user]], scores[candidates]
    rank = 1 + (beside > own).sum() + ((beside == own).sum() - 1) / 2
    failures = opened.failures().set_index("user")
    assert ranking.loc[ranking["heldout"], "rank"].tolist() == [rank]
    assert failures.loc[USER, "rank"] == rank == opened.journey(USER)["rank"][0]
    ranks = read_ranks(opened.folder, 1)
    metrics = opened.metrics().iloc[0]
    assert metrics["hit@10"] == np.nanmean(np.where(np.isnan(ranks), np.nan, ranks <= 10))
    assert metrics["mrr"] == pytest.approx(np.nanmean(1 / ranks.astype(np.float64)))
    why = opened.why(USER)
    centred = (users[user] * (items - items[candidates].mean(0)))[arrays.heldout[user]]
    assert sorted(why["effect"]) == pytest.approx(sorted(centred.tolist()))
    history = opened.history(USER)
    assert history["item_id"].tolist() == [data.item_ids[item] for item in seen]


def test_a_dataset_is_the_split_as_arrays_and_frames(data: neumf_tui.LoadedDataset) -> None:
    arrays, histories = data.arrays, data.histories
    np.testing.assert_array_equal(histories["user"], arrays.users)
    np.testing.assert_array_equal(histories["item"], arrays.items)
    assert histories["user_id"].astype(str).tolist() == [data.user_ids[u] for u in arrays.users]
    seconds = histories["time"].astype("datetime64[s]").astype("int64")
    np.testing.assert_array_equal(seconds, arrays.times)
    learned = histories[~histories["validation"]]
    np.testing.assert_array_equal(learned["item"], arrays.items[arrays.learned])
    pairs = histories[histories["validation"]][["user", "item"]].to_numpy()
    np.testing.assert_array_equal(pairs, data.validation[["user", "item"]])
    np.testing.assert_array_equal(data.heldout["item"], arrays.heldout[arrays.heldout >= 0])
    items = data.items
    assert items["item_id"].tolist() == data.item_ids and len(items) == data.num_items
    assert items["seen_by"].sum() == len(histories)
    assert "demo (simulated): 700 users" in repr(data) and "demo" in data._repr_html_()
    assert data.name == "demo" and len(data.user_ids) == data.num_users


def test_a_dataset_can_be_a_path(tmp_path: Path, ml100k: Path) -> None:
    assert neumf_tui.load_dataset(ml100k, home=tmp_path).num_users == 943
    with pytest.raises(NeumfTuiError, match="expected one of auto"):
        neumf_tui.load_dataset("no-such-data")


def test_a_dataset_takes_the_flags_of_data_by_name(tmp_path: Path) -> None:
    names = {*ReadOptions.__struct_fields__, *SplitOptions.__struct_fields__}
    assert inspect.signature(neumf_tui.load_dataset).parameters.keys() == names | {
        "dataset",
        "home",
    }
    data = neumf_tui.load_dataset("demo", split="time", cut=date(2025, 1, 1), min_user_count=60)
    arrays, options = data.arrays, data.dataset.options.splitting
    assert (options.split, options.cut, options.min_user_count) == ("time", "2025-01-01", 60)
    places = np.arange(len(arrays.users)) - arrays.offsets[arrays.users]
    known = np.bincount(arrays.users[arrays.learned], minlength=data.num_users)
    assert np.array_equal(arrays.learned, places < known[arrays.users])  # the first of each user
    for user in np.flatnonzero(arrays.validation >= 0).tolist():
        assert arrays.items[arrays.offsets[user] + known[user]] == arrays.validation[user]
    assert (arrays.times[~arrays.learned] >= arrays.times[arrays.learned].max()).all()
    kept_apart = data.histories["validation"]
    assert kept_apart.sum() > len(data.validation) > 0
    same = neumf_tui.load_dataset("demo", split="time", cut="2025-01-01", min_user_count=60)
    assert same.dataset.fingerprint == data.dataset.fingerprint
    with pytest.raises(UsageError, match="--split by-moon: invalid enum value 'by-moon'"):
        neumf_tui.load_dataset("demo", split="by-moon")  # type: ignore[arg-type]


def test_what_cannot_be_answered_is_said(data: neumf_tui.LoadedDataset, vectors: Vectors) -> None:
    users, items = vectors
    with neumf_tui.start_run("mine", dataset=data) as run:
        run.keep(epoch=1, scores=lambda rows: users[rows] @ items.T)
    opened = neumf_tui.open_run("mine")
    with pytest.raises(NeumfTuiError, match="cannot score somebody whom it was not trained with"):
        opened.recommend(["Alien", "Brazil", "Vertigo"])
    with pytest.raises(UsageError, match="expected items, each once"):
        opened.recommend("Alien; Alien")
    with pytest.raises(UsageError, match="expected one of rank"):
        opened.failures(by="odd")
    with pytest.raises(RunError, match="no user 'nobody'"):
        opened.ranking("nobody")
    seen = opened.history(USER)["item_id"][0]
    with pytest.raises(UsageError, match="is in the history"):
        opened.why(USER, seen)
    with pytest.raises(RunError, match="no run 'other'"):
        neumf_tui.open_run("other")
    with pytest.warns(UserWarning, match="Alien"):
        opened.why(USER, "Alienn")
    assert "mine: finished" in repr(opened) and opened._repr_html_().startswith("<pre>mine")


def test_run_names_and_texts_are_harmless_in_html(
    data: neumf_tui.LoadedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="script"), neumf_tui.start_run("x", dataset=data):
        raise ValueError("<script>alert(1)</script>")
    html = neumf_tui.open_run("x")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;" in html


BLOCKED = """
import sys
for name in ("torch", "textual", "typer"):
    sys.modules[name] = None
import numpy as np
import neumf_tui
data = neumf_tui.load_dataset("demo")
with neumf_tui.start_run("mine", dataset=data) as run:
    run.log(1, loss=np.float32(0.5))
    run.keep(epoch=1, vectors=(np.ones((data.num_users, 2)), np.eye(data.num_items, 2)))
    assert not run.should_stop and not run.paused
opened = neumf_tui.open_run("mine")
frames = opened.metrics(), opened.ranking("sim-001"), opened.failures(), opened.compare("mine")
frames += opened.why("sim-001"), opened.recommend("Alien; Brazil; Vertigo"), data.histories
print(min(len(frame) for frame in frames) > 0)
"""


@pytest.mark.slow
def test_all_of_it_works_without_torch(with_demo: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=False
    )
    assert result.stdout == "True\n", result.stderr


def test_only_what_is_named_is_there() -> None:
    assert {"start_run", "open_run", "load_dataset"} <= set(dir(neumf_tui))
    with pytest.raises(AttributeError, match="no attribute 'stat_run'"):
        neumf_tui.stat_run  # type: ignore[attr-defined]  # noqa: B018
