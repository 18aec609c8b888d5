"""Many strings in two arrays, which can be memory-mapped: each is decoded when it is accessed."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Strings(Sequence[str]):
    """An immutable sequence of strings."""

    def __init__(self, offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> None:
        """String k is bytes offsets[k]:offsets[k + 1] of `text` (UTF-8), shape (strings + 1,)."""
        self._offsets = offsets
        self._text = text

    @classmethod
    def of(cls, strings: Sequence[str]) -> "Strings":
        if isinstance(strings, Strings):
            return strings
        encoded = [string.encode("utf-8") for string in strings]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8))

    @classmethod
    def load(cls, folder: Path, name: str) -> "Strings":
        """Open what `save` wrote; raise OSError or ValueError if it is missing or damaged."""
        offsets, text = (
            np.asarray(np.load(folder / f"{name}.{part}.npy", mmap_mode="r", allow_pickle=False))
            for part in ("offsets", "text")
        )
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(text):
            raise ValueError(f"{name}.offsets.npy does not match {name}.text.npy")
        return cls(offsets, text)

    def save(self, folder: Path, name: str) -> None:
        np.save(folder / f"{name}.offsets.npy", self._offsets)
        np.save(folder / f"{name}.text.npy", self._text)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]  # also negative ones; raises IndexError
        return self._decoded(int(self._offsets[row]), int(self._offsets[row + 1]))

    def __iter__(self) -> Iterator[str]:
        offsets = self._offsets.tolist()
        whole = self._decoded(0, offsets[-1])
        if len(whole) == offsets[-1]:  # only ASCII, so the offsets of letters and bytes are equal
            return (whole[start:stop] for start, stop in pairwise(offsets))
        return (self._decoded(start, stop) for start, stop in pairwise(offsets))

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the first index of `value`; raise ValueError if it is missing."""
        if isinstance(value, str):
            wanted = np.frombuffer(value.encode("utf-8"), dtype=np.uint8)
            rows = np.arange(len(self))[start:stop]
            rows = rows[np.diff(self._offsets)[rows] == len(wanted)]
            for place, letter in enumerate(wanted.tolist()):
                rows = rows[self._text[self._offsets[rows] + place] == letter]
            if len(rows):
                return int(rows[0])
        raise ValueError(f"{value!r} is not in the list")

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except ValueError:
            return False
        return True

    def _decoded(self, start: int, stop: int) -> str:
        return self._text[start:stop].tobytes().decode("utf-8")
