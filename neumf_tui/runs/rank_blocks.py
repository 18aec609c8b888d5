"""The older part of a rank tape: one file for BLOCK epochs, with ranks as whole numbers.

`00065-00128.npy` holds a row for each evaluated epoch of these: its number, and twice the rank of
each user's held-out item (ties can add a half), 0 where there is none. Ranks that are not such
numbers stay float32. Thousands of small files would be slow to list and take a disk block each.
"""

import re
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui import files

BLOCK = 64
"""Epochs of a block, evaluated or not."""
SINGLE = re.compile(r"([0-9]{5,9})\.npy")
_BLOCK = re.compile(r"([0-9]{5,9})-[0-9]{5,9}\.npy")


def block_name(epoch: int) -> str:
    """Return the name of the block that holds an epoch, from 1, once it is packed."""
    first = (epoch - 1) // BLOCK * BLOCK + 1
    return f"{first:05}-{first + BLOCK - 1:05}.npy"


def pack(folder: Path, tape: str, newest: int, users: int) -> None:
    """Move the ranks of all blocks before that of epoch `newest` into one file each.

    What is no file of the ranks of so many `users` stays where it is. Raises OSError if the disk is
    full.
    """
    blocks: dict[str, dict[int, NDArray[np.generic]]] = {}
    for epoch in single_epochs(folder, tape):
        if 0 < epoch <= (newest - 1) // BLOCK * BLOCK:
            with suppress(OSError):
                row = files.read_array(folder, _single(tape, epoch))
                if row.dtype == np.float32 and row.shape == (users,):
                    blocks.setdefault(block_name(epoch), {})[epoch] = row
    for name, rows in blocks.items():
        try:
            before = _rows(folder, f"{tape}/{name}")
        except FileNotFoundError:
            before = {}
        except OSError:
            continue
        block = _packed(dict(sorted((before | rows).items())))
        files.replace(folder, f"{tape}/{name}", partial(files.write_array, array=block))
        # In this order, so that a crash in between leaves ranks twice.
        for epoch in rows:
            files.remove(folder, _single(tape, epoch))


def _single(tape: str, epoch: int) -> str:
    return f"{tape}/{epoch:05}.npy"


def single_epochs(folder: Path, tape: str) -> list[int]:
    """Return the epochs that have a file of their own, ascending."""
    names = map(SINGLE.fullmatch, files.file_names(folder, tape))
    return sorted(int(name[1]) for name in names if name)


def packed_epochs(folder: Path, tape: str) -> set[int]:
    """Return the epochs in blocks; blocks that cannot be read have none."""
    found: set[int] = set()
    for name in filter(_BLOCK.fullmatch, files.file_names(folder, tape)):
        with suppress(OSError):
            found |= _epochs_of(folder, f"{tape}/{name}", _signature(folder, f"{tape}/{name}"))
    return found


def _signature(folder: Path, name: str) -> tuple[int, int, int]:
    """Return what changes when a file is written again."""
    found = (folder / name).lstat()
    return found.st_ino, found.st_ctime_ns, found.st_size


@lru_cache(maxsize=8_192)
def _epochs_of(folder: Path, name: str, _signature: tuple[int, int, int]) -> frozenset[int]:
    return frozenset(_read_block(folder, name)["epoch"].tolist())


def packed_ranks(folder: Path, tape: str, epoch: int) -> NDArray[np.generic]:
    """Return the ranks of an epoch from its block.

    Raises FileNotFoundError if it is in none, and OSError for a damaged block.
    """
    block = _block(folder, f"{tape}/{block_name(epoch)}")
    for row in np.flatnonzero(block["epoch"] == epoch)[:1]:
        return _unpacked(block["ranks"][row])
    raise FileNotFoundError


def _rows(folder: Path, name: str) -> dict[int, NDArray[np.generic]]:
    block = _block(folder, name)
    pairs = zip(block["epoch"].tolist(), block["ranks"], strict=True)
    return {epoch: _unpacked(ranks) for epoch, ranks in pairs}


def _block(folder: Path, name: str) -> NDArray[Any]:
    return _opened(folder, name, _signature(folder, name))


@lru_cache(maxsize=2)
def _opened(folder: Path, name: str, _signature: tuple[int, int, int]) -> NDArray[Any]:
    """Return a block; the last one is kept open, since ranks are read one epoch after another."""
    return _read_block(folder, name)


def _read_block(folder: Path, name: str) -> NDArray[Any]:
    block: NDArray[Any] = files.read_array(folder, name, mapped=True)
    is_block = block.ndim == 1 and block.dtype.names == ("epoch", "ranks")
    if not is_block or block["ranks"].ndim != 2 or block.dtype["epoch"] != np.uint32:
        raise files.UnusableFileError(folder / name, f"not a block of ranks but {block.dtype}")
    return block


def _packed(rows: dict[int, NDArray[np.generic]]) -> NDArray[Any]:
    ranks = np.stack([np.asarray(row, np.float32) for row in rows.values()])
    doubled = np.nan_to_num(2 * ranks.astype(np.float64), nan=0.0)
    whole = (doubled == np.floor(doubled)).all() and doubled.min(initial=0) >= 0
    kind: Any = np.float32
    if whole and doubled.max(initial=0) < 2**32:
        kind = np.uint16 if doubled.max(initial=0) < 2**16 else np.uint32
    block = np.empty(len(rows), [("epoch", np.uint32), ("ranks", kind, ranks.shape[1:])])
    block["epoch"] = list(rows)
    block["ranks"] = ranks if kind is np.float32 else doubled
    return block


def _unpacked(row: NDArray[Any]) -> NDArray[np.generic]:
    if row.dtype.kind != "u":
        return np.array(row)
    ranks = (row / 2).astype(np.float32)
    ranks[row == 0] = np.nan
    return ranks
