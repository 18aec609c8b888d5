"""Many strings in two arrays, which can be memory-mapped: each is decoded when it is accessed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSIDE, START, WHOLE = 1, 2, 3
"""How well a string matches: it contains the text, starts with it, or is it."""
_LOWER = np.frombuffer(bytes(range(256)).lower(), np.uint8)


class Strings(Sequence[str]):
    """An immutable sequence of strings."""

    def __init__(self, offsets: NDArray[np.int64], text: NDArray[np.uint8]) -> None:
        """String k is bytes offsets[k]:offsets[k + 1] of `text` (UTF-8), shape (strings + 1,)."""
        self.offsets = offsets
        self.text = text

    @classmethod
    def of(cls, strings: Sequence[str]) -> "Strings":
        if isinstance(strings, Strings):
            return strings
        encoded = [string.encode("utf-8") for string in strings]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(one) for one in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8))

    def check(self) -> None:
        """Raise ValueError if the arrays are damaged."""
        if not are_offsets(self.offsets, len(self.text)):
            raise ValueError("expected ascending offsets up to the length of the text")
        starts = self.offsets[self.offsets < len(self.text)]
        if (self.text[starts] >> 6 == 2).any():  # 10xxxxxx continues a character
            raise ValueError("a string starts within a character")
        self.text.tobytes().decode("utf-8")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]  # also negative ones; raises IndexError
        return self._decoded(int(self.offsets[row]), int(self.offsets[row + 1]))

    def __iter__(self) -> Iterator[str]:
        offsets = self.offsets.tolist()
        whole = self._decoded(0, offsets[-1])
        if len(whole) == offsets[-1]:  # only ASCII, so the offsets of letters and bytes are equal
            return (whole[start:stop] for start, stop in pairwise(offsets))
        return (self._decoded(start, stop) for start, stop in pairwise(offsets))

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the first index of `value`; raise ValueError if it is missing."""
        if isinstance(value, str):
            wanted = np.frombuffer(value.encode("utf-8"), dtype=np.uint8)
            rows = np.arange(len(self))[start:stop]
            rows = rows[np.diff(self.offsets)[rows] == len(wanted)]
            for place, letter in enumerate(wanted.tolist()):
                rows = rows[self.text[self.offsets[rows] + place] == letter]
            if len(rows):
                return int(rows[0])
        raise ValueError(f"{value!r} is not in the list")

    def __contains__(self, value: object) -> bool:
        try:
            self.index(value)
        except ValueError:
            return False
        return True

    def matches(self, text: str) -> NDArray[np.int8]:
        """Return how well each string matches `text`, in any case of letters, shape (strings,).

        WHOLE if it is `text`, START if it starts with it, INSIDE if it contains it, else 0. Every
        string starts with an empty text.
        """
        text = text.casefold()
        if not self._is_ascii:
            folded = (one.casefold() for one in self)
            levels = ((text in one) + one.startswith(text) + (one == text) for one in folded)
            return np.fromiter(levels, dtype=np.int8, count=len(self))
        wanted = text.encode(errors="surrogatepass")
        if not wanted:
            return np.where(np.diff(self.offsets), START, WHOLE).astype(np.int8)
        lower = _LOWER[self.text]
        places = np.flatnonzero(lower[: max(0, len(lower) - len(wanted) + 1)] == wanted[0])
        for place, letter in enumerate(wanted[1:], 1):
            places = places[lower[places + place] == letter]
        rows = np.searchsorted(self.offsets, places, side="right") - 1
        inside = places + len(wanted) <= self.offsets[rows + 1]  # else it ends in the next string
        places, rows = places[inside], rows[inside]
        found = np.zeros(len(self), dtype=np.int8)
        found[rows] = INSIDE
        starts = rows[places == self.offsets[rows]]
        found[starts] = START + (np.diff(self.offsets)[starts] == len(wanted))
        return found

    @property
    def longest(self) -> int:
        """The number of characters of the longest string."""
        if self._is_ascii:
            return int(np.diff(self.offsets).max(initial=0))
        return max(map(len, self), default=0)

    @property
    def _is_ascii(self) -> bool:
        return bool(self.text.max(initial=0) < 128)

    def _decoded(self, start: int, stop: int) -> str:
        return self.text[start:stop].tobytes().decode("utf-8")


def longest(strings: Iterable[str]) -> int:
    """Return the number of characters of the longest string."""
    return strings.longest if isinstance(strings, Strings) else max(map(len, strings), default=0)


def are_offsets(numbers: NDArray[np.int64], total: int) -> bool:
    """Return whether the numbers ascend from 0 to `total`."""
    whole = len(numbers) > 0 and numbers[0] == 0 and numbers[-1] == total
    return bool(whole and (numbers[1:] >= numbers[:-1]).all())
