"""Guests: people who are in no dataset, known by the films they picked; kept as small JSON files in `<home>/guests`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.runs.files import replace_bytes
from neumf_tui.runs.store import check_name

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


@dataclass(frozen=True)
class Guest:
    """Equal guests are folded in to equal embeddings by the same model."""

    name: str
    item_ids: tuple[str, ...]
    """In the order of picking."""
    seed: int = 0
    """Of the negatives drawn for them."""

    def history(self, dataset: "Dataset") -> NDArray[np.int64]:
        """Item indices; raises RunError naming the films that `dataset` does not have."""
        rows = dataset.item_rows
        missing = [item_id for item_id in self.item_ids if item_id not in rows]
        if missing:
            raise RunError(
                f"guest {self.name}: {dataset.label} has no item {', '.join(missing[:5])}; "
                "open a run of the dataset that the guest was made with"
            )
        return np.array([rows[item_id] for item_id in self.item_ids], dtype=np.int64)


class GuestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a guest."""

    dataset: str
    """Name of the dataset whose item ids these are."""
    item_ids: list[str]
    titles: list[str]
    """For people who open the file; only the ids count."""
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0


def save_guest(guest: Guest, dataset: "Dataset", home: Path) -> Path:
    """Write the guest under its name, in place of an older one; its file. Raises UsageError for a name no file can have,
    NeumfTuiError where it cannot be written.
    """
    check_name(guest.name, "guest")
    catalogue = dataset.catalogue
    titles = [catalogue.titles[item] for item in guest.history(dataset)]
    path = home / "guests" / f"{guest.name}.json"
    content = msgspec.json.encode(GuestFile(dataset.name, list(guest.item_ids), titles, guest.seed))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(path, msgspec.json.format(content, indent=2) + b"\n")
    except OSError as error:
        raise NeumfTuiError(
            f"{path}: cannot be written ({error.strerror or error}); mend that, and save again"
        ) from error
    return path


def guest_names(home: Path) -> list[str]:
    """Names of all guests, in alphabetical order."""
    return sorted(path.stem for path in (home / "guests").glob("[!.]*.json"))


def load_guest(home: Path, name: str) -> tuple[Guest, str]:
    """The guest and the name of its dataset; raises RunError where there is none or its file is damaged."""
    kept = read_guest(home, name)
    return Guest(name, tuple(kept.item_ids), kept.seed), kept.dataset


def read_guest(home: Path, name: str) -> GuestFile:
    """The guest's file as it is; raises RunError where there is none or it is damaged."""
    path = _file_of(home, name)
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=GuestFile)
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}); delete it and save the guest again"
        ) from error
    if not kept.item_ids or len(set(kept.item_ids)) != len(kept.item_ids):
        raise RunError(
            f"{path}: expected at least one item id, none of them twice; mend it, or save the guest again"
        )
    return kept


def _file_of(home: Path, name: str) -> Path:
    """Raises RunError where there is none, and so for any name that would lead out of the folder."""
    if name not in guest_names(home):
        some = ", ".join(guest_names(home)[:5])
        there = (
            f"there are {some}"
            if some
            else "there is none yet; `neumf-tui recommend --likes ... --save NAME` makes one"
        )
        raise RunError(f"no guest {name!r} in {home / 'guests'}: {there}")
    return home / "guests" / f"{name}.json"


def guests_of(home: Path, dataset: "Dataset") -> tuple[list[Guest], list[str]]:
    """The guests who were made with this dataset, and what is wrong with the files of those who cannot be used."""
    found, problems = [], []
    for name in guest_names(home):
        try:
            guest, made_with = load_guest(home, name)
            if made_with == dataset.name:
                guest.history(dataset)
                found.append(guest)
        except RunError as error:
            problems.append(str(error))
    return found, problems


def delete_guest(home: Path, name: str) -> None:
    """Also one whose file is damaged. Raises RunError where there is none, or its file cannot be deleted."""
    path = _file_of(home, name)
    try:
        path.unlink()
    except OSError as error:
        raise RunError(
            f"{path}: cannot be deleted ({error.strerror or error}); mend that, or delete it by hand"
        ) from error
