"""Checkpoints with anything in them: the same result as ever, or one message."""

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs import checkpoint
from neumf_tui.runs.reader import read_info
from neumf_tui.settings import check
from neumf_tui.training.trainer import Trainer
from tests.support.fuzzing import examples
from tests.support.signed_checkpoints import signed

NAME = "00010.safetensors"
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=9),
    st.sampled_from(["F64", "I64", "BF16", "U8", "BOOL", "F8_E4M3", [], {}, [0], [0, 0], [-1, 4]]),
)
"""What a value of the header is replaced by."""


@dataclass(repr=False)
class Home:
    """A home of the test's own: run and checkpoint, its content, and what opens it."""

    folder: Path
    path: Path
    content: bytes
    dataset: Dataset
    trainer: Trainer


@pytest.fixture(scope="module")
def home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    own = tmp_path_factory.mktemp("checkpoints") / "home"
    shutil.copytree(trained_home, own)
    run = own / "runs" / "trained"
    ranker = Ranker(run, own, "10")
    trainer = Trainer(ranker.dataset, check(read_info(run).settings), torch.device("cpu"))
    path = run / "checkpoints" / NAME
    return Home(own, path, path.read_bytes(), ranker.dataset, trainer)


def opened(home: Home) -> np.ndarray[Any, Any] | None:
    """Open the checkpoint to rank and to resume; return a user's scores, None if it is refused."""
    run = home.path.parent.parent
    with suppress(RunError):
        home.trainer.load(home.path)
    try:
        return Ranker(run, home.folder, "10", home.dataset).scorer.scores(range(3, 4))
    except RunError:
        return None


def change(content: bytes, data: st.DataObject) -> bytes:
    """Return other bytes: of the header, of its length, or anywhere."""
    kind = data.draw(
        st.sampled_from(["flip", "cut", "add", "length", "header", "header", "header"])
    )
    if kind == "flip":
        changed = bytearray(content)
        for _ in range(data.draw(st.integers(1, 3))):
            changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        return bytes(changed)
    if kind == "cut":
        return content[: data.draw(st.integers(0, len(content) - 1))]
    if kind == "add":
        return content + data.draw(st.binary(min_size=1, max_size=9))
    size = int.from_bytes(content[:8], "little")
    if kind == "length":
        lengths = st.one_of(st.integers(0, 2**64 - 1), st.integers(size - 9, size + 9))
        return data.draw(lengths).to_bytes(8, "little") + content[8:]
    header, rest = json.loads(content[8 : 8 + size]), content[8 + size :]
    name = data.draw(st.sampled_from(sorted(header)))
    where = data.draw(st.sampled_from(["whole", "part", "name", "gone", "more", "swap"]))
    if where == "whole":
        header[name] = data.draw(ODD)
    elif where == "part":
        header[name][data.draw(st.sampled_from(sorted(header[name])))] = data.draw(ODD)
    elif where == "name":
        header[data.draw(st.text(max_size=9))] = header.pop(name)
    elif where == "gone":
        del header[name]
    elif where == "more":
        header[f"{name}x"] = header[name]
    else:
        other = data.draw(st.sampled_from(sorted(header)))
        header[name], header[other] = header[other], header[name]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


@given(data=st.data())
@examples(12)
def test_any_change_of_a_file(data: st.DataObject, home: Home) -> None:
    path, content = home.path, home.content
    path.write_bytes(content)
    whole = opened(home)
    assert whole is not None
    path.write_bytes(change(content, data))
    found = opened(home)
    path.write_bytes(content)
    assert found is None or np.array_equal(found, whole)


TENSORS: list[Any] = [
    lambda t: t[: len(t) // 2],
    lambda t: np.concatenate([t, t]) if t.ndim else t[None],
    lambda t: t.T.copy(),
    lambda t: t[None],
    lambda t: t.astype(np.float64),
    lambda t: t.astype(np.int32),
    lambda t: np.full_like(t, np.nan),
    lambda t: np.full_like(t, 3e38),
    lambda t: np.full_like(t, -1e-45),
    lambda t: np.zeros((0, *t.shape[1:]), np.float32),
]


@given(data=st.data())
@examples(12)
def test_any_content_with_the_right_checksum(data: st.DataObject, home: Home) -> None:
    path, content = home.path, home.content
    path.write_bytes(content)
    tensors, about = checkpoint.load_checkpoint(path, home.dataset.fingerprint)
    text = msgspec.json.encode(about).decode()
    kind = data.draw(st.sampled_from(["tensor", "tensor", "gone", "more", "about", "text"]))
    name = data.draw(st.sampled_from(sorted(tensors)))
    if kind == "tensor":
        harm = data.draw(st.sampled_from(TENSORS))
        tensors[name] = np.ascontiguousarray(harm(np.atleast_1d(tensors[name])))
    elif kind == "gone":
        del tensors[name]
    elif kind == "more":
        tensors[data.draw(st.text(min_size=1, max_size=9))] = tensors[name]
    elif kind == "about":
        tree = json.loads(text)
        at = data.draw(st.sampled_from([tree, tree["progress"], tree["shape"]]))
        at[data.draw(st.sampled_from(sorted(at)))] = data.draw(ODD)
        text = json.dumps(tree)
    else:
        text = data.draw(st.text(max_size=20))
    path.write_bytes(signed(tensors, text, old=data.draw(st.booleans())))
    opened(home)
    path.write_bytes(content)
