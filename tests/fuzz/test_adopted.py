"""Weights from elsewhere, mutated: they are adopted or refused with one message, never run."""

import io
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import safetensors.numpy
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from neumf_tui.adopt.contents import merged
from neumf_tui.adopt.epochs import split_epochs
from neumf_tui.adopt.layouts import recognise
from neumf_tui.adopt.read import read_contents
from neumf_tui.adopt.rows import Given, map_rows, read_ids
from neumf_tui.adopt.tensors import adopted
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError
from neumf_tui.scorers.open import open_scorer
from tests.fuzz.test_datasets import mutated
from tests.support.datasets import dataset_of
from tests.support.foreign_models import Cornac, Ncf, YihongChen
from tests.support.fuzzing import examples

USERS, ITEMS = 6, 9
FILES_PER_EXAMPLE = 12
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "replace", "replace", "insert", "delete", "cut"]),
        st.integers(0, 100_000),
        st.sampled_from(
            [b"\0", b"\xff", b"\x80", b"\0" * 8, b"\xff" * 8, b"9", b"-", b"\n", b"\x1b[31m", b"R."]
        ),
    ),
    min_size=1,
    max_size=3,
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    pairs = [(user, (user + 2 * k) % ITEMS, k) for user in range(USERS) for k in range(3)]
    pairs += [(0, item, 9) for item in range(ITEMS) if (0, item) not in {p[:2] for p in pairs}]
    return dataset_of(pairs, USERS, ITEMS)


def arrays_of(draw: random.Random) -> dict[str, Any]:
    numbers = np.random.default_rng(draw.randrange(10**6))
    users, items = (numbers.normal(size=(n, 2)).astype("f4") for n in (USERS, ITEMS))
    return draw.choice(
        [
            {"users": users, "items": items, "item_bias": items[:, 0].copy()},
            {"scores": numbers.normal(size=(USERS, ITEMS))},
            {"weights": numbers.normal(size=(ITEMS, ITEMS))},
            {"items": numbers.integers(0, ITEMS, (USERS, 1)), "scores": users[:, :1].copy()},
        ]
    )


def npz(path: Path, draw: random.Random) -> None:
    if draw.random() < 0.3:
        sp.save_npz(path, sp.random(ITEMS, ITEMS, 0.3, "csr", rng=draw.randrange(99)))
    else:
        draw.choice([np.savez, np.savez_compressed])(path, **arrays_of(draw))


def table(path: Path, draw: random.Random) -> None:
    rows = draw.sample(range(USERS * ITEMS), 20)
    columns = {"user": [row // ITEMS for row in rows], "item_id": [str(r % ITEMS) for r in rows]}
    columns["score"] = [draw.random() for _ in rows]  # type: ignore[misc]
    if path.suffix == ".parquet":
        compression = draw.choice(["none", "snappy", "zstd"])
        parquet.write_table(pa.table(columns), path, compression=compression)
    else:
        lines = [",".join(columns), *(",".join(map(str, r)) for r in zip(*columns.values()))]  # noqa: B905
        path.write_text("\n".join(lines))


def torch_file(path: Path, draw: random.Random) -> None:
    torch.manual_seed(draw.randrange(99))
    make = draw.choice([Ncf, YihongChen, Cornac])
    state = make(USERS, ITEMS).state_dict()
    torch.save(draw.choice([state, {"state_dict": state, "epoch": 3}]), path)


WRITERS: dict[str, Callable[[Path, random.Random], None]] = {
    "scores.npy": lambda path, draw: np.save(path, np.array(draw.random()) + np.eye(USERS, ITEMS)),
    "m.npz": npz,
    "m.safetensors": lambda path, draw: safetensors.numpy.save_file(arrays_of(draw), path),
    "m.parquet": table,
    "m.csv": table,
    "m.pt": torch_file,
}


def try_to_adopt(path: Path, data: Dataset, given: Given) -> bool:
    """Return whether a file is adopted; then it has to be a model that scores."""
    try:
        (epoch,), _ = split_epochs([path])
        contents = merged([read_contents(one) for one in epoch.files])
        model = recognise(contents, None, False, data.num_items)
        rows = map_rows(model, contents, given, data)
        made = adopted(contents.where, model, rows.rows, data)
    except NeumfTuiError as error:
        text = str(error)
        assert 10 < len(text) < 2_000 and "\n" not in text and "weights_only" not in text
        return False
    scorer = open_scorer(made.kind, made.tensors, made.shape, data)
    scores = scorer.scores(range(USERS))
    assert scores.shape == (USERS, ITEMS) and not np.isnan(scores).any()
    return True


@pytest.mark.parametrize("name", WRITERS)
@given(seed=st.integers(0, 10**6), edits=EDITS)
@examples(5)
def test_mutated_weights_are_adopted_or_refused(
    data: Dataset,
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    seed: int,
    edits: list[tuple[str, int, bytes]],
) -> None:
    path = tmp_path_factory.getbasetemp() / f"adopted-{os.getpid()}" / name
    path.parent.mkdir(exist_ok=True)
    for number in range(FILES_PER_EXAMPLE):
        draw = random.Random(seed + number)
        WRITERS[name](path, draw)
        content = path.read_bytes()
        given = Given(draw.choice([None, None, "id", "id-1", "order"]))
        if not number:
            assert try_to_adopt(path, data, Given())
        moved = [(edit, at * (number + 1), token) for edit, at, token in edits]
        path.write_bytes(mutated(content, moved))
        with warnings.catch_warnings(action="error"):
            try_to_adopt(path, data, given)


@given(names=st.lists(st.text("usereitmpoch019-_. é", max_size=12), min_size=1, max_size=5))
@examples(60)
def test_any_names_are_epochs_or_refused(names: list[str]) -> None:
    paths = [Path(f"{name}.pt".replace("/", "-").replace("\0", "0")) for name in names]
    try:
        epochs, _ = split_epochs(paths)
    except NeumfTuiError:
        return
    numbers = [epoch.number for epoch in epochs]
    assert numbers == sorted(set(numbers)) and numbers[0] >= 1
    assert sorted(file for epoch in epochs for file in epoch.files) == sorted(paths)


@given(content=st.binary(max_size=200))
@examples(60)
def test_any_bytes_are_ids_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"ids-{os.getpid()}.txt"
    numbers = io.BytesIO()
    np.save(numbers, np.arange(3))
    for suffix, whole in ((".txt", content), (".npy", numbers.getvalue()[:90] + content)):
        path.with_suffix(suffix).write_bytes(whole)
        try:
            ids = read_ids(path.with_suffix(suffix))
        except NeumfTuiError:
            continue
        assert all(isinstance(one, str) for one in ids)
