"""Guests: people who are in no dataset, known by the items they picked.

They are kept as small JSON files in `<home>/guests`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.runs.store import check_name, is_name

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


@dataclass(frozen=True)
class Guest:
    """A person who is in no dataset. The same model gives equal guests equal embeddings."""

    name: str
    item_ids: tuple[str, ...]  # in the order of picking
    seed: int = 0  # seed of the negatives drawn for them

    def history(self, dataset: "Dataset") -> NDArray[np.int64]:
        """Return item indices; raises RunError naming the items that `dataset` does not have."""
        rows = dataset.item_rows
        missing = [item_id for item_id in self.item_ids if item_id not in rows]
        if missing:
            raise RunError(
                f"guest {self.name}: {dataset.label} has no item {', '.join(missing[:5])}; "
                "open a run of the dataset that the guest was made with"
            )
        return np.array([rows[item_id] for item_id in self.item_ids], dtype=np.int64)


LARGEST_SEED = 2**31 - 1
_FOLDER, _ENDING = "guests", ".json"
Who = int | Guest  # a user index, or a guest


class GuestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of a guest's file."""

    dataset: str  # name of the dataset whose item ids these are
    item_ids: list[str]
    titles: list[str]  # for people who open the file; only the ids count
    seed: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEED)] = 0


def save_guest(guest: Guest, dataset: "Dataset", home: Path) -> Path:
    """Write the guest under its name, replacing an older one, and return its file.

    Raises UsageError for a name no file can have, NeumfTuiError where it cannot be written.
    """
    check_name(guest.name, "guest")
    titles = [dataset.catalogue.titles[item] for item in guest.history(dataset)]
    path = home / _file(guest.name)
    content = msgspec.json.encode(GuestFile(dataset.name, list(guest.item_ids), titles, guest.seed))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.replace(home, _file(guest.name), msgspec.json.format(content, indent=2) + b"\n")
    except OSError as error:
        raise NeumfTuiError(
            f"{path}: cannot be written ({error.strerror or error}); fix that, and save again"
        ) from error
    return path


def _file(name: str) -> str:
    return f"{_FOLDER}/{name}{_ENDING}"


def guest_names(home: Path) -> list[str]:
    """Return the names of all guests in alphabetical order; raises RunError."""
    try:
        found = files.file_names(home, _FOLDER)
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be read ({error.strerror}); fix that") from error
    names = (name.removesuffix(_ENDING) for name in found if name.endswith(_ENDING))
    return [name for name in names if is_name(name)]


def load_guest(home: Path, name: str) -> tuple[Guest, str]:
    """Return the guest and the name of its dataset; raises RunError as `read_guest`."""
    kept = read_guest(home, name)
    return Guest(name, tuple(kept.item_ids), kept.seed), kept.dataset


def read_guest(home: Path, name: str) -> GuestFile:
    """Return the content of a guest's file; raises RunError where it is missing or damaged."""
    path = _path_of(home, name)
    try:
        kept = files.read_json(home, _file(name), GuestFile)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); delete it and save the guest again"
        raise RunError(f"{path}: {problem}") from error
    if not kept.item_ids or len(set(kept.item_ids)) != len(kept.item_ids):
        raise RunError(f"{path}: expected item ids, each once; save the guest again")
    return kept


def _path_of(home: Path, name: str) -> Path:
    """Return the path of a guest's file; raises RunError for an unknown name."""
    names = guest_names(home)
    if name not in names:
        found = "there is none yet; `neumf-tui recommend --likes ... --save NAME` makes one"
        if names:
            found = f"there are {', '.join(names[:5])}"
        raise RunError(f"no guest {name!r} in {home / _FOLDER}: {found}")
    return home / _file(name)


def guests_of(home: Path, dataset: "Dataset") -> tuple[list[Guest], list[str]]:
    """Return the guests made with this dataset, and one message for each that cannot be used."""
    found, problems = [], []
    try:
        names = guest_names(home)
    except RunError as error:
        return [], [str(error)]
    for name in names:
        try:
            guest, made_with = load_guest(home, name)
            if made_with == dataset.name:
                guest.history(dataset)
                found.append(guest)
        except RunError as error:
            problems.append(str(error))
    return found, problems


def delete_guest(home: Path, name: str) -> None:
    """Delete a guest's file, damaged or not; raises RunError where that fails."""
    path = _path_of(home, name)
    try:
        files.remove(home, _file(name))
    except OSError as error:
        raise RunError(
            f"{path}: cannot be deleted ({error.strerror or error}); fix that, or delete it by hand"
        ) from error
