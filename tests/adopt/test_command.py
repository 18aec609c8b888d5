"""`adopt` from end to end: what it makes, prints and refuses."""

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.peers import notebook
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks, read_snapshot, read_status
from tests.support.commands import Cli
from tests.support.foreign_models import ITEM_IDS, good_vectors


class Descent:
    """Plain gradient descent: torch.optim takes seconds to import."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def zero_grad(self) -> None:
        self.net.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.net.parameters():
            parameter -= 0.02 * parameter.grad


def train(data: Dataset, folder: Path, epochs: int, sizes: tuple[int, list[int]]) -> notebook.NeuMF:
    """Train by the notebook's own code, and save each epoch as the notebook would."""
    torch.manual_seed(3)
    random.seed(3)
    net = notebook.NeuMF(sizes[0], data.num_users, data.num_items, sizes[1])
    optimizer: Any = Descent(net)
    if data.num_users > 100:
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=1e-5)
    pairs = DataLoader(notebook.Pairs(data), batch_size=min(1024, data.num_train), shuffle=True)
    for epoch in range(1, epochs + 1):
        notebook.train_epoch(net, pairs, optimizer)
        torch.save(net.state_dict(), folder / f"epoch-{epoch}.pt")
    return net


def assert_the_notebooks_own(inside: Cli, net: notebook.NeuMF, data: Dataset, last: str) -> None:
    """Compare with the notebook's own evaluation; `last` is its file."""
    hit, auc = notebook.evaluate(net, data, range(data.num_users))
    found = json.loads(inside("evaluate", "nb", "--json").stdout)
    assert found["metrics"]["hit@50"] == pytest.approx(hit, abs=1e-9)
    assert found["metrics"]["auc"] == pytest.approx(auc, abs=1e-9)
    told = [f"hit@50={hit:.9f}", f"auc={auc:.9f}"]
    again = inside("adopt", last, "--dataset", data.name, "--expect", ",".join(told))
    assert again.returncode == 0, again.stderr


def test_the_notebooks_model_keeps_its_figures(
    inside: Cli, ratings: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEUMF_TUI_DATA", str(tmp_path))
    data = open_dataset("planted", ratings, own_home, print, silent)
    net = train(data, tmp_path, 11, (4, [4]))
    files = [str(tmp_path / f"epoch-{epoch}.pt") for epoch in range(1, 12)]
    result = inside("adopt", *files, "--data-dir", str(ratings), "--name", "nb", "--json")
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["epochs"] == list(range(1, 12)) and outcome["model"] == "neumf"
    assert_the_notebooks_own(inside, net, data, files[-1])
    ranked = json.loads(inside("rank", "7", "--run", "nb", "--json").stdout)
    for row in ranked["items"]:
        assert row["score"] == pytest.approx(row["gmf"] + row["mlp"], abs=1e-6)
    journey = json.loads(inside("journey", "7", "--run", "nb", "--json").stdout)
    assert [row["epoch"] for row in journey["epochs"]] == list(range(1, 12))


@pytest.mark.slow
def test_the_notebooks_model_keeps_its_figures_on_ml100k(
    inside: Cli, ml100k: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEUMF_TUI_DATA", str(ml100k))
    data = open_dataset("ml-100k", ml100k, own_home, print, silent)
    net = train(data, tmp_path, 1, (10, [10, 10, 10]))
    result = inside("adopt", "epoch-1.pt", "--name", "nb", "--dataset", "ml-100k")
    assert result.returncode == 0, result.stderr
    assert_the_notebooks_own(inside, net, data, "epoch-1.pt")


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "mf.npz"
    users, items = good_vectors()
    np.savez(path, users=users, items=items)
    return path


def test_the_run_says_what_is_known_of_it(
    inside: Cli, ratings: Path, vectors: Path, own_home: Path
) -> None:
    args = ("adopt", str(vectors), "--data-dir", str(ratings), "--similarity", "cosine")
    result = inside(*args, "--name", "mf")
    assert result.returncode == 0, result.stderr
    assert "beside popularity" in result.stdout and "warning" not in result.stderr
    assert "held-out items may have been learned from" in result.stdout
    folder = own_home / "runs" / "mf"
    info, snapshot = read_info(folder), read_snapshot(folder)
    assert (info.kind, info.model, info.epochs, info.has_validation) == (
        "adopted", "vectors", 1, False,
    )  # fmt: skip
    assert info.settings == {
        "files": "mf.npz",
        "layout": "vectors of users and items",
        "rows": "rows by the order of ids",
        "similarity": "cosine",
    }
    assert "torch" not in info.versions and read_status(folder).state == "finished"
    assert rank_epochs(folder) == [1] and len(read_ranks(folder, 1)) == 60
    assert snapshot.started and snapshot.finished and snapshot.log[-1][1] == "finished"
    assert not snapshot.problem and len(snapshot.evaluations) == 1
    assert json.loads(inside("status", "mf", "--json").stdout)["checkpoint"] == "00001.safetensors"


def test_a_shifted_row_is_warned_of(
    inside: Cli, ratings: Path, vectors: Path, tmp_path: Path, own_home: Path
) -> None:
    with np.load(vectors) as arrays:
        np.savez(tmp_path / "off.npz", users=np.roll(arrays["users"], 1, 0), items=arrays["items"])
    args = ("adopt", str(tmp_path / "off.npz"), "--data-dir", str(ratings))
    result = inside(*args, "--name", "off")
    assert result.returncode == 0
    assert "warning: no better than" in result.stderr and "rows one later" in result.stderr
    texts = [text for _, text in read_snapshot(own_home / "runs" / "off").log]
    assert any("rows one later" in text for text in texts)
    refused = inside(*args, "--name", "off2", "--expect", "auc=0.95")
    assert refused.returncode == 1 and "rows one later" in refused.stderr
    assert not (own_home / "runs" / "off2").exists()


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["mf.npz", "--expect", "hit@50=0.123"], 1, "no run was made: hit@50 is"),
        (["mf.npz", "--rows", "sideways"], 2, "--rows sideways: expected order, id or id-1"),
        (["mf.npz", "--as", "magic"], 2, "--as magic: expected one of neumf, vectors, item-item"),
        (["mf.npz", "--similarity", "l2"], 2, "--similarity l2: expected dot or cosine"),
        (["mf.npz", "--name", "../x"], 2, "run name '../x'"),
        (["mf.npz", "mf.npz"], 2, "a file is named twice"),
        (["mf.npz", "--user-ids", "no.txt"], 1, "no.txt: no such file"),
        (["mf.npz", "--user-ids", "short.txt"], 1, "--user-ids: 2 ids for 60 rows of mf.npz"),
        (["mf.npz", "--rows", "id", "--user-ids", "a", "--item-ids", "b"], 2, "leave --rows out"),
        (["fifo.npz"], 1, "fifo.npz: cannot be read (expected a file, found a FIFO)"),
        (["none.pt"], 1, "none.pt: no such file"),
        (["half.npz"], 1, "half.npz: cannot be read as .npz"),
        (["late-1.npz", "late-2.npz"], 1, "late-2.npz: users is nan in row 1"),
    ],
)
def test_what_cannot_be_adopted_leaves_nothing(
    args: list[str], code: int, said: str, inside: Cli, ratings: Path, vectors: Path,
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo.npz")
    Path("half.npz").write_bytes(vectors.read_bytes()[:200])
    Path("short.txt").write_text("1\n2\n")
    with np.load(vectors) as arrays:
        np.savez("late-1.npz", **arrays)
        np.savez("late-2.npz", users=np.nan * arrays["users"], items=arrays["items"])
    result = inside("adopt", *args, "--data-dir", str(ratings))
    messages = [line for line in result.stderr.splitlines() if line.startswith("neumf-tui: ")]
    assert result.returncode == code and len(messages) == 1 and said in messages[0], result.stderr
    assert not list((own_home / "runs").glob("*")) and not result.stdout


def test_a_name_that_is_taken_is_not_written_over(
    inside: Cli, ratings: Path, vectors: Path
) -> None:
    args = ("adopt", str(vectors), "--data-dir", str(ratings), "--name", "mf")
    assert inside(*args).returncode == 0
    assert inside(*args).returncode == 4


def test_a_list_and_ids_from_files(inside: Cli, ratings: Path, tmp_path: Path) -> None:
    users, items = good_vectors()
    order = np.random.default_rng(2).permutation(90)
    np.save(tmp_path / "user.npy", users)
    np.save(tmp_path / "item.npy", items[order])
    (tmp_path / "ids.txt").write_text("".join(f"{ITEM_IDS[row]}\n" for row in order))
    files = [str(tmp_path / f"{side}.npy") for side in ("user", "item")]
    args = ["--data-dir", str(ratings), "--item-ids", str(tmp_path / "ids.txt"), "--json"]
    found = json.loads(inside("adopt", *files, *args, "--name", "mf").stdout)
    assert found["settings"]["rows"] == "users by the order of ids, items by their ids"
    assert found["beside_popularity"]["better"] and found["better_rows"] is None
    top = inside(
        "export", "mf", "--what", "top-k", "--top", "60", "--output", str(tmp_path / "t.csv")
    )
    assert top.returncode == 0, top.stderr
    listed = inside("adopt", str(tmp_path / "t.csv"), "--data-dir", str(ratings), "--json")
    again = json.loads(listed.stdout)
    assert again["model"] == "top_k" and again["metrics"]["hit@50"] == found["metrics"]["hit@50"]
