"""Vectors, item weights, tables of scores and lists: the scores are those of their makers."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from pyarrow import parquet

from neumf_tui.adopt.contents import WeightsError
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from tests.support.foreign_models import (
    ITEM_IDS,
    ITEMS,
    USER_IDS,
    USERS,
    opened,
    scores_of,
)

RNG = np.random.default_rng(5)
P, Q = (RNG.normal(size=(n, 7)).astype(np.float32) for n in (USERS, ITEMS))
BU, BI = (RNG.normal(size=n).astype(np.float32) for n in (USERS, ITEMS))
DOT = P.astype(np.float64) @ Q.T
BIASED = DOT + BU[:, None] + BI


def assert_same(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


NAMES = [
    {"users": P, "items": Q, "user_bias": BU, "item_bias": BI},
    {"user_embeddings": P, "item_embeddings": Q, "user_biases": BU, "item_biases": BI},  # LightFM
    {"pu": P, "qi": Q, "bu": BU, "bi": BI, "mu": np.array(0.0)},  # Surprise
    {"user_embedding.weight": P, "item_embedding.weight": Q, "user_bias.weight": BU[:, None],
     "item_bias.weight": BI[:, None], "global_bias": np.zeros(1)},
    {"u_factors": P, "i_factors": Q, "u_biases": BU, "i_biases": BI},  # Cornac
]  # fmt: skip


@pytest.mark.parametrize("arrays", NAMES, ids=lambda arrays: next(iter(arrays)))
@pytest.mark.parametrize("form", ["npz", "safetensors", "pt"])
def test_vectors_with_biases(
    arrays: dict[str, Any], form: str, tmp_path: Path, planted: Dataset
) -> None:
    path = tmp_path / f"model.{form}"
    if form == "npz":
        np.savez_compressed(path, **arrays)
    elif form == "safetensors":
        safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)
    else:
        torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    made = opened(path, planted)
    assert made.kind == "vectors" and made.shape == {"similarity": "dot"}
    assert_same(scores_of(made, planted), BIASED)


def test_als_as_implicit_saves_it(tmp_path: Path, planted: Dataset) -> None:
    more = {"regularization": 0.01, "dtype": "float32", "factors": 7, "alpha": 1.0}
    np.savez(tmp_path / "als.npz", user_factors=P, item_factors=Q, **more)  # type: ignore[arg-type]
    assert_same(scores_of(opened(tmp_path / "als.npz", planted), planted), DOT)


def test_an_offset_is_a_part_of_every_score(tmp_path: Path, planted: Dataset) -> None:
    np.savez(tmp_path / "m.npz", pu=P, qi=Q, mu=3.5)
    assert_same(scores_of(opened(tmp_path / "m.npz", planted), planted), DOT + 3.5)


@pytest.mark.parametrize("form", ["npy", "npz", "safetensors", "pt"])
def test_a_file_for_each_array(form: str, tmp_path: Path, planted: Dataset) -> None:
    paths = []
    for name, array in {"als-users": P, "als-items": Q, "als-item-bias": BI}.items():
        paths.append(tmp_path / f"{name}.{form}")
        if form == "npy":
            np.save(paths[-1], array)
        elif form == "npz":
            np.savez(paths[-1], array)
        elif form == "safetensors":
            safetensors.numpy.save_file({"weight": array}, paths[-1])
        else:
            torch.save(torch.from_numpy(array), paths[-1])
    assert_same(scores_of(opened(paths, planted), planted), DOT + BI)
    with pytest.raises(WeightsError, match="nothing that is known"):
        opened(paths[0], planted)


@pytest.mark.parametrize("lists", [False, True])
def test_vectors_in_parquet_bring_their_ids(lists: bool, tmp_path: Path, planted: Dataset) -> None:
    order = RNG.permutation(ITEMS)
    for name, table, ids in (("users", P, USER_IDS), ("items", Q[order], None)):
        ids = ids or [ITEM_IDS[row] for row in order]
        columns: dict[str, Any] = {"id": ids}
        if name == "items":
            columns = {"item_id": [int(one) for one in ids], "bias": BI[order]}
        if lists:
            columns["vector"] = list(table)
        else:
            columns |= {f"v{k}": table[:, k] for k in range(7)}
        parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    made = opened([tmp_path / "users.parquet", tmp_path / "items.parquet"], planted)
    assert_same(scores_of(made, planted), DOT + BI)


def test_cosine(tmp_path: Path, planted: Dataset) -> None:
    np.savez(tmp_path / "m.npz", users=P, items=Q)
    made = opened(tmp_path / "m.npz", planted, cosine=True)
    norms = np.linalg.norm(P.astype("f8"), axis=1)[:, None] * np.linalg.norm(Q.astype("f8"), axis=1)
    assert_same(scores_of(made, planted), DOT / norms)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_a_table_of_scores(kind: Any, tmp_path: Path, planted: Dataset) -> None:
    table = BIASED.astype(kind)
    np.save(tmp_path / "predicted.npy", table)
    made = opened(tmp_path / "predicted.npy", planted)
    assert made.kind == "scores"
    assert_same(scores_of(made, planted), table.astype(np.float64))
    table[3, :5] = -np.inf
    np.savez(tmp_path / "scores.npz", scores=table)
    found = scores_of(opened(tmp_path / "scores.npz", planted), planted)
    assert np.isneginf(found[3, :5]).all() and np.isfinite(found[3, 5:]).all()


def histories(data: Dataset) -> NDArray[np.float64]:
    seen = np.zeros((USERS, ITEMS))
    seen[data.split.users, data.split.items] = 1
    return seen


WEIGHTS = np.where(RNG.random((ITEMS, ITEMS)) < 0.1, RNG.normal(size=(ITEMS, ITEMS)), 0)


@pytest.mark.parametrize("form", ["dense", "csr", "csc", "implicit", "torch"])
def test_item_weights(form: str, tmp_path: Path, planted: Dataset) -> None:
    path = tmp_path / "ease.npz"
    sparse = sp.csr_matrix(WEIGHTS)
    if form == "dense":
        np.savez(path, B=WEIGHTS)
    elif form == "torch":
        path = tmp_path / "ease.pt"
        torch.save(torch.from_numpy(WEIGHTS), path)
    elif form == "implicit":
        arrays = {"data": sparse.data, "indices": sparse.indices, "indptr": sparse.indptr}
        np.savez(path, **arrays, shape=sparse.shape, K=20)  # type: ignore[arg-type]
    else:
        sp.save_npz(path, sparse.asformat(form))
    made = opened(path, planted)
    assert made.kind == "item_item"
    expected = histories(planted) @ WEIGHTS
    assert_same(scores_of(made, planted), expected)


def test_item_weights_by_ids(tmp_path: Path, planted: Dataset) -> None:
    order = RNG.permutation(ITEMS)
    shuffled = WEIGHTS[order][:, order]
    expected = histories(planted) @ WEIGHTS
    ids = {"item": [ITEM_IDS[row] for row in order]}
    np.save(tmp_path / "weights.npy", shuffled)
    sp.save_npz(tmp_path / "weights.npz", sp.csr_matrix(shuffled))
    for name in ("weights.npy", "weights.npz"):
        assert_same(scores_of(opened(tmp_path / name, planted, ids=ids), planted), expected)


def top(count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    best = np.argsort(-BIASED, axis=1)[:, :count]
    return best, np.take_along_axis(BIASED, best, axis=1)


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "arrays", "places"])
def test_lists_of_the_best_items(form: str, tmp_path: Path, planted: Dataset) -> None:
    best, scores = top(20)
    path = tmp_path / f"top.{form}"
    rows = RNG.permutation(USERS * 20)
    columns = {
        "user_id": np.repeat(USER_IDS, 20)[rows],
        "item_id": np.array(ITEM_IDS)[best.reshape(-1)][rows],
        "score": scores.reshape(-1)[rows],
    }
    if form == "places":
        columns["rank"] = np.tile(np.arange(1, 21), USERS)[rows]
        del columns["score"]
    if form == "arrays":
        path = tmp_path / "top.npz"
        np.savez(path, items=best, scores=scores)
    elif form in ("parquet", "places"):
        path = tmp_path / "top.parquet"
        parquet.write_table(pa.table(columns), path)
    else:
        comma = "\t" if form == "tsv" else ","
        lines = zip(*columns.values(), strict=True)
        text = [comma.join(columns), *(comma.join(map(str, line)) for line in lines)]
        path.write_text("\n".join(text))
    made = opened(path, planted)
    assert made.kind == "top_k" and "lists of 20 items" in "".join(made.notices)
    found = scores_of(made, planted)
    assert (np.argsort(-found, axis=1, kind="stable")[:, :20] == best).all()
    assert np.isneginf(found).sum() == USERS * (ITEMS - 20)
    if form != "places":
        assert_same(np.take_along_axis(found, best, axis=1), scores)


def test_a_list_of_everything_is_a_table_of_scores(tmp_path: Path, planted: Dataset) -> None:
    users, items = np.repeat(USER_IDS, ITEMS), np.tile(ITEM_IDS, USERS)
    table = pa.table({"user": users, "movie_id": items, "prediction": BIASED.reshape(-1)})
    parquet.write_table(table, tmp_path / "all.parquet")
    made = opened(tmp_path / "all.parquet", planted)
    assert made.kind == "scores"
    assert_same(scores_of(made, planted), BIASED)


def test_what_a_list_lacks_is_said(tmp_path: Path, planted: Dataset) -> None:
    path = tmp_path / "top.csv"
    path.write_text("user,item,score\n1,1,0.5\n1,2,0.7\n1,777,0.6\n999,1,0.2\n")
    made = opened(path, planted)
    said = "; ".join(made.notices)
    assert "1 rows have an item" in said and "1 rows have a user" in said
    assert "59 users have no list" in said
    assert made.tensors["items"][0].tolist() == [1, 0]
    for text, problem in {
        "user,item,score\n1,1,0.5\n1,1,0.7\n": "an item twice",
        "user,item,score\nx,y,0.5\n": "no row has a user and an item",
        "user,item,score\n1,1,\n": "empty cells",
        "user,item,score\n1,1,nan\n": "not a finite number",
        "user,item,score\n1,1,often\n": "expected numbers",
        "user,item,score\n1,1\n": "cannot be read as .csv",
        "user,item,score\n": "no rows",
        "user,item,a,b\n1,1,2,3\n": "no column of scores",
        "user,uid,item,score\n1,1,2,3\n": "user and uid may both be the user",
    }.items():
        path.write_text(text)
        with pytest.raises(WeightsError, match=problem):
            opened(path, planted)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"users": P, "items": Q[:, :5]}, "vectors of 7 numbers for users and of 5"),
        ({"users": P, "items": Q, "fc": Q}, "has no use for fc"),
        ({"users": P, "items": Q, "user_bias": BI}, "user_bias has 90 numbers for 60"),
        ({"users": P, "items": Q, "item_weights": Q}, "items and item_weights may both be"),
        ({"users": P[:, 0], "items": Q}, "expected rows"),
        ({"users": P[:50], "items": Q}, "50 rows of users, but 60 are needed"),
        ({"users": P, "items": Q + 1j}, "expected real numbers"),
        ({"users": P.astype("f8") * 1e39, "items": Q}, "too large; the model has diverged"),
        ({"what": P, "this": Q}, "nothing that is known"),
        ({"items": top(3)[0], "scores": top(4)[1]}, "differ in shape"),
        ({"items": top(3)[0] + 9, "scores": top(3)[1]}, "but rows of items end at 89"),
    ],
)
def test_what_does_not_fit_is_named(
    arrays: dict[str, Any], said: str, tmp_path: Path, planted: Dataset
) -> None:
    np.savez(tmp_path / "m.npz", **arrays)
    with pytest.raises(WeightsError, match=said) as error:
        opened(tmp_path / "m.npz", planted)
    assert str(error.value).startswith(str(tmp_path / "m.npz"))


def test_a_kind_that_is_said_is_what_is_looked_for(tmp_path: Path, planted: Dataset) -> None:
    np.savez(tmp_path / "m.npz", mine=BIASED)
    assert opened(tmp_path / "m.npz", planted, kind="scores").kind == "scores"
    for kind in ("neumf", "vectors", "top_k", "item_item"):
        with pytest.raises(WeightsError):
            opened(tmp_path / "m.npz", planted, kind=kind)
    (tmp_path / "top.csv").write_text("user,item,score\n1,1,0.5\n")
    with pytest.raises(UsageError, match="--as scores"):
        opened(tmp_path / "top.csv", planted, kind="scores")
