"""Files that mean harm: nothing in them is run, and each is refused with one message."""

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from neumf_tui.adopt.contents import WeightsError
from neumf_tui.adopt.read import read_contents
from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.reader import read_info
from tests.support.commands import Cli
from tests.support.foreign_models import good_vectors, opened


class Canary:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as error:
        read_contents(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ") and "weights_only" not in text and len(text) < 500
    return text


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_payload_is_never_run(suffix: str, whole: bool, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / f"model{suffix}"
    payload = Canary(canary)
    state = {"P.weight": torch.zeros(3, 2)}
    torch.save(payload if whole else {"state_dict": state, "config": payload}, path)
    text = refused(path)
    assert "Python object (posix.system)" in text and "nothing of the file was run" in text
    assert "torch.save(model.state_dict()" in text and not canary.exists()


def test_plain_pickles_are_never_run_whatever_they_are_called(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    content = pickle.dumps(Canary(canary))
    for suffix in (".pt", ".npy", ".npz", ".safetensors", ".parquet", ".csv"):
        (tmp_path / f"model{suffix}").write_bytes(content)
        refused(tmp_path / f"model{suffix}")
    np.save(tmp_path / "users.npy", np.array([Canary(canary)]), allow_pickle=True)
    assert "Python objects" in refused(tmp_path / "users.npy")
    np.savez(tmp_path / "m.npz", users=np.array([Canary(canary)]))
    assert "users holds Python objects, which are never read" in refused(tmp_path / "m.npz")
    torch.save({"a": torch.zeros(3)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert "PyTorch before 1.6" in refused(tmp_path / "old.pt")
    assert not canary.exists()


def test_a_module_is_refused_by_name(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 1), tmp_path / "model.pt")
    assert "Python object (torch.nn.modules.linear.Linear)" in refused(tmp_path / "model.pt")


def test_without_pytorch_its_files_alone_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"users": torch.zeros(3, 2)}, tmp_path / "model.pt")
    np.savez(tmp_path / "model.npz", users=np.zeros((3, 2)))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "PyTorch is needed to read this" in refused(tmp_path / "model.pt")
    assert "users" in read_contents(tmp_path / "model.npz").arrays


def test_numbers_repeated_by_a_stride_are_not_unrolled(tmp_path: Path) -> None:
    torch.save({"users": torch.zeros(1).expand(10**9, 64)}, tmp_path / "model.pt")
    assert "users is larger than the file" in refused(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(2, 2).to_sparse(),
        torch.zeros(2, 2, device="meta"),
    ],
    ids=["sparse", "meta"],
)
def test_tensors_that_are_no_arrays(tensor: torch.Tensor, tmp_path: Path) -> None:
    torch.save({"users": tensor}, tmp_path / "model.pt")
    refused(tmp_path / "model.pt")


def test_a_compressed_archive_is_no_file_of_torch(tmp_path: Path) -> None:
    torch.save({"users": torch.zeros(10_000)}, tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "small.pt", "w", zipfile.ZIP_DEFLATED) as small,
    ):
        for name in plain.namelist():
            small.writestr(name, plain.read(name))
    assert "compressed" in refused(tmp_path / "small.pt")


def npy_header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    target = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        target, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return target.getvalue()


def test_shapes_larger_than_the_file(tmp_path: Path) -> None:
    (tmp_path / "users.npy").write_bytes(npy_header((10**9, 10**9)) + b"\0" * 64)
    refused(tmp_path / "users.npy")
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as file:
        file.writestr("users.npy", npy_header((10**12,)) + b"\0" * 64)
    assert "which its" in refused(tmp_path / "m.npz")
    header = {"users": {"dtype": "F32", "shape": [10**9, 64], "data_offsets": [0, 256 * 10**9]}}
    text = json.dumps(header).encode()
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 64)
    refused(path)
    path.write_bytes(struct.pack("<Q", 2**60) + text)
    refused(path)


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez_compressed(path, users=np.zeros((100, 100)))
    content = bytearray(path.read_bytes())
    size = content.index(b"PK\x01\x02") + 24  # of the unpacked member, in the directory
    content[size : size + 4] = struct.pack("<I", 2**32 - 2)
    path.write_bytes(content)
    assert "over 100 times its size" in refused(path)


def test_parquet_that_stands_for_more_than_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    path = tmp_path / "top.parquet"
    table = pa.table({"user": ["1"] * 10**5, "item": ["1"] * 10**5, "score": [0.5] * 10**5})
    parquet.write_table(table, path)
    free = psutil.virtual_memory()._replace(available=10**6)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    assert path.stat().st_size < 10_000
    assert "GiB of memory" in refused(path)


DAMAGED: dict[str, Callable[[Path], object]] = {
    "users.npy": lambda path: np.save(path, np.eye(50)),
    "m.npz": lambda path: np.savez(path, users=np.eye(50), items=np.eye(50)),
    "m.pt": lambda path: torch.save({"users": torch.eye(50)}, path),
    "m.parquet": lambda path: parquet.write_table(pa.table({"user": [1], "v": [0.5]}), path),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_files_that_are_cut_off_or_empty(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    DAMAGED[name](path)
    content = path.read_bytes()
    for size in (0, 1, 8, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        refused(path)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", users=np.eye(2))
    for suffix in (".npy", ".npz", ".pt", ".safetensors", ".parquet", ".csv"):
        fifo, folder, link = (tmp_path / f"{kind}{suffix}" for kind in ("fifo", "folder", "link"))
        os.mkfifo(fifo)
        folder.mkdir()
        link.symlink_to(tmp_path / "nowhere")
        assert "FIFO" in refused(fifo)
        assert "a folder" in refused(folder)
        assert "no such file" in refused(link)
    (tmp_path / "to-real.npz").symlink_to(tmp_path / "real.npz")
    assert "users" in read_contents(tmp_path / "to-real.npz").arrays, "a link of one's own is fine"
    assert "unknown kind of file" in refused(tmp_path / "m.pkl")


def test_names_in_a_file_are_harmless_in_messages(tmp_path: Path, planted: Dataset) -> None:
    np.savez(tmp_path / "m.npz", **{"\x1b[31mred\u202e": np.eye(3), "other": np.eye(4)})
    with pytest.raises(WeightsError) as error:
        opened(tmp_path / "m.npz", planted)
    assert "\x1b" not in str(error.value) and "\u202e" not in str(error.value)


def test_ids_and_file_names_are_harmless_in_messages_and_in_the_run(
    inside: Cli, ratings: Path, tmp_path: Path, own_home: Path
) -> None:
    users, items = good_vectors()
    path = tmp_path / "\x1b[31mmf\u202e\udcff.npz"
    np.savez(path, users=users, items=items)
    ids = tmp_path / "ids.txt"
    ids.write_text("\x1b[2J\u202e\n" * 60)
    args = ["adopt", str(path), "--data-dir", str(ratings), "--name", "odd"]
    refused = inside(*args, "--user-ids", str(ids))
    assert refused.returncode == 1 and "is the id of row 1 and of 2" in refused.stderr
    made = inside(*args)
    assert made.returncode == 0, made.stderr
    for text in (refused.stderr, made.stdout, made.stderr, inside("status", "odd").stdout):
        assert "\x1b" not in text and "\u202e" not in text
    assert read_info(own_home / "runs" / "odd").settings["files"] == "·[31mmf\\xff.npz"


def test_strange_numbers(tmp_path: Path, planted: Dataset) -> None:
    for value, said in {"<M8[s]": "datetime64", "<c8": "complex", "|V4": "V4"}.items():
        np.savez(tmp_path / "m.npz", scores=np.zeros((60, 90), value))
        with pytest.raises(WeightsError, match=said):
            opened(tmp_path / "m.npz", planted)
