"""What a file of weights holds: numbers by name, whatever made them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import NeumfTuiError
from neumf_tui.text import clean

Side = Literal["user", "item"]
Arrays = dict[str, NDArray[Any]]
SIDE_WORDS: Mapping[Side, frozenset[str]] = {
    "user": frozenset({"user", "users", "u"}),
    "item": frozenset({"item", "items", "i", "movie", "movies", "film", "films"}),
}
_GIB = 2**30


class WeightsError(NeumfTuiError):
    """A file of weights that cannot be adopted; names from the file are made harmless."""

    def __init__(self, message: str) -> None:
        super().__init__(clean(message))


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of ids: the distinct ones, and for each row the place of its id among them."""

    ids: list[str]
    codes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Triples:
    """A table with a row for a user and an item; the higher the score, the better."""

    users: Coded
    items: Coded
    scores: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Contents:
    """What one file holds, or several that are parts of one model."""

    where: str
    """The file or files, for messages."""
    arrays: Arrays = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    """Texts that lie beside the arrays."""
    ids: Mapping[Side, list[str]] = field(default_factory=dict)
    """Ids of the rows, where the file says them."""
    triples: Triples | None = None

    @property
    def listing(self) -> str:
        """The names and shapes of the arrays, for messages."""
        shapes = [f"{name} {shape_text(array.shape)}" for name, array in self.arrays.items()]
        more = f" and {len(shapes) - 12} more" if len(shapes) > 12 else ""
        return clean(", ".join(text[:80] for text in shapes[:12])) + more


def merged(parts: list[Contents]) -> Contents:
    """Return what several files hold together; raise WeightsError if two hold the same."""
    if len(parts) == 1:
        return parts[0]
    where = ", ".join(part.where for part in parts)
    if any(part.triples for part in parts):
        raise WeightsError(f"{where}: a table of scores is a model of its own; give it alone")
    arrays: Arrays = {}
    for part in parts:
        if twice := arrays.keys() & part.arrays.keys():
            raise WeightsError(
                f"{part.where}: another file holds {', '.join(sorted(twice))}, too; rename the "
                "files after what they hold (users.npy, items.npy), or number them if they are "
                "epochs (epoch-1.pt, epoch-2.pt)"
            )
        arrays |= part.arrays
    about = {name: text for part in parts for name, text in part.about.items()}
    ids = {side: ids for part in parts for side, ids in part.ids.items()}
    return Contents(where, arrays, about, ids)


def words_of(name: str) -> list[str]:
    """Return the words of a name: `embed_user_GMF.weight` is embed, user, gmf, weight."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return re.findall(r"[a-z]+", spaced.lower())


def side_of(name: str) -> Side | None:
    """Return whether a name says that users or that items are meant; None if it says neither."""
    found = {side for side, words in SIDE_WORDS.items() if words & set(words_of(name))}
    return found.pop() if len(found) == 1 else None


def shape_text(shape: tuple[int, ...]) -> str:
    return "(" + " × ".join(f"{size:,}" for size in shape) + ")"


def size_of(shape: tuple[int, ...], itemsize: int) -> int:
    """Return the number of bytes of an array, without overflow."""
    size = itemsize
    for length in shape:
        size *= length
    return size


def check_room(where: object, size: int) -> None:
    """Raise WeightsError if `size` bytes are more than this machine has free."""
    import psutil

    free = psutil.virtual_memory().available
    if size > free:
        raise WeightsError(
            f"{where}: needs {size / _GIB:,.1f} GiB of memory, {free / _GIB:,.1f} are free; "
            "adopt it on a larger machine, or save less precise or fewer scores"
        )
