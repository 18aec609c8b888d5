"""Read files of weights: .npy, .npz, .safetensors, PyTorch's, and tables.

They can come from anybody. Nothing in them is run, and sizes are checked before memory is taken.
"""

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.adopt.contents import Arrays, Contents, WeightsError, check_room, size_of

TORCH = (".pt", ".pth", ".ckpt", ".bin")
_RATIO = 100
"""How many times as large as the file its contents can be, from _SMALL bytes on."""
_SMALL = 2**28
_MOST_MEMBERS = 10_000
_LONGEST_TEXT = 1_000
_NAMELESS = frozenset({"arr_0", "weight", "data", "array", "tensor", "embedding", "embeddings"})
"""Names of an array that say less than that of its file."""


def check_file(path: Path) -> None:
    """Raise WeightsError unless there is a regular file whose name says what it is."""
    if path.suffix.lower() not in _READERS:
        known = " ".join(_READERS)
        raise WeightsError(f"{path}: unknown kind of file; expected one of {known}")
    try:
        files.open_given(path).close()
    except FileNotFoundError as error:
        raise WeightsError(f"{path}: no such file; check the path") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_contents(path: Path) -> Contents:
    """Return what a file holds; raise WeightsError if it cannot be read."""
    check_file(path)
    suffix = path.suffix.lower()
    try:
        return _named(_READERS[suffix](path), stem_of(path))
    except WeightsError:
        raise
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # the libraries have no common error
        what = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise WeightsError(f"{path}: cannot be read as {suffix} ({what}); save it again") from error


def stem_of(path: Path) -> str:
    """Return a file's name without numbers and suffix: what it holds, if nothing else says."""
    return re.sub(r"[\W_]*[0-9]+", "", path.stem) or path.stem


def _named(contents: Contents, stem: str) -> Contents:
    """Return the contents with a lone array called `stem` where its own name says nothing."""
    if len(contents.arrays) == 1 and contents.arrays.keys() <= _NAMELESS:
        return replace(contents, arrays=dict.fromkeys([stem], *contents.arrays.values()))
    return contents


def _read_npy(path: Path) -> Contents:
    # Memory-mapped: a table of scores can be larger than the memory.
    real = path.resolve()
    array: NDArray[Any] = np.asarray(files.read_array(real.parent, real.name, mapped=True))
    return Contents(str(path), {stem_of(path): array})


def _read_npz(path: Path) -> Contents:
    arrays: Arrays = {}
    about: dict[str, str] = {}
    with files.open_given(path) as file, zipfile.ZipFile(file) as zipped:
        members = zipped.infolist()
        if len(members) > _MOST_MEMBERS:
            raise WeightsError(f"{path}: {len(members):,} members; expected a few arrays")
        total = sum(member.file_size for member in members)
        if total > max(_SMALL, _RATIO * path.stat().st_size):
            raise WeightsError(
                f"{path}: unpacks to {total:,} bytes, over {_RATIO} times its size; "
                "if that is meant, save it by np.savez, uncompressed"
            )
        check_room(path, total)
        for member in members:
            name = member.filename.removesuffix(".npy")
            array = _member(path, name, member.file_size, partial(zipped.open, member))
            if array.dtype.kind in "SU":
                if array.ndim == 0:
                    text = array.item()
                    about[name] = text.decode("latin-1") if isinstance(text, bytes) else text
            else:
                arrays[name] = array
    return Contents(str(path), arrays, about)


def _member(path: Path, name: str, size: int, open_member: Callable[[], IO[bytes]]) -> NDArray[Any]:
    """Return one array of an .npz, whose size is checked before it is read."""
    with open_member() as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise WeightsError(
            f"{path}: {name} holds Python objects, which are never read; save numbers "
            "(.astype(np.float32)), or leave it out"
        )
    if dtype.kind in "SU" and dtype.itemsize > _LONGEST_TEXT:
        raise WeightsError(f"{path}: {name} holds texts of {dtype.itemsize:,} bytes")
    if size_of(shape, dtype.itemsize) > size:
        raise WeightsError(f"{path}: {name} says shape {shape}, which its {size:,} bytes lack")
    with open_member() as file:
        return np.asarray(npy.read_array(file, allow_pickle=False))


def _read_safetensors(path: Path) -> Contents:
    import safetensors

    real = path.resolve()
    checked = files.checked_path(real.parent, real.name)
    with safetensors.safe_open(checked, framework="np") as file:
        names = list(file.keys())
        check_room(path, path.stat().st_size)
        for name in names:
            if (kind := file.get_slice(name).get_dtype()) == "BF16":
                raise WeightsError(f"{path}: {name} is {kind}; save it as float32 (.float())")
        arrays = {name: file.get_tensor(name) for name in names}
        return Contents(str(path), arrays, file.metadata() or {})


def _read_torch(path: Path) -> Contents:
    from neumf_tui.adopt.torch_file import read_torch

    return read_torch(path, stem_of(path))


def _read_table(path: Path) -> Contents:
    from neumf_tui.adopt.tables import read_table

    return read_table(path, stem_of(path))


_READERS: dict[str, Callable[[Path], Contents]] = {
    **dict.fromkeys(TORCH, _read_torch),
    ".safetensors": _read_safetensors,
    ".npy": _read_npy,
    ".npz": _read_npz,
    **dict.fromkeys((".parquet", ".pq", ".csv", ".tsv"), _read_table),
}
