"""A prepared dataset: arrays on disk, memory-mapped, named by the fingerprint of what they hold."""

import difflib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.split import RULE, Interactions, Split, drop_duplicates, leave_one_out
from neumf_tui.data.strings import Strings
from neumf_tui.errors import DatasetError, RunError

if TYPE_CHECKING:
    from neumf_tui.data.titles import Titles

_ARRAYS = ("users", "items", "times", "heldout")
_CHUNK = 1 << 20
"""Interactions that are digested at once: 8 MiB."""


@dataclass(frozen=True)
class Catalogue:
    """What is known of each item; every list has one entry an item index."""

    item_ids: list[str]
    titles: list[str]
    years: list[int | None]
    genres: list[list[str]]


@dataclass(frozen=True)
class Dataset:
    """Training pairs, held-out items and names. `split` arrays may be memory-mapped: treat as read-only."""

    name: str
    simulated: bool
    source: str
    """Where the interactions came from, for people."""
    notices: tuple[str, ...]
    """What a person should know of this data, e.g. how many duplicates were dropped."""
    fingerprint: str
    user_ids: Sequence[str]
    """Decoded one by one when asked for, where the dataset is a prepared one."""
    catalogue: Catalogue
    split: Split

    @property
    def label(self) -> str:
        return f"{self.name} (simulated)" if self.simulated else self.name

    @property
    def num_users(self) -> int:
        return len(self.user_ids)

    @property
    def num_items(self) -> int:
        return len(self.catalogue.item_ids)

    @property
    def num_train(self) -> int:
        return len(self.split.users)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """Shape (num_users + 1,): user u's training pairs are rows offsets[u]:offsets[u + 1]."""
        if self.split.offsets is not None:
            return self.split.offsets
        counts = np.bincount(self.split.users, minlength=self.num_users)
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)

    @cached_property
    def validation(self) -> NDArray[np.int64]:
        """Shape (num_users,): each user's latest training item, for choosing epochs and settings; -1 where it is the only one."""
        found = np.full(self.num_users, -1, dtype=np.int64)
        users = np.flatnonzero(np.diff(self.offsets) > 1)
        found[users] = self.split.items[self.offsets[users + 1] - 1]
        return found

    @cached_property
    def learned(self) -> NDArray[np.bool_]:
        """Shape (pairs,): the training pairs that are no validation item."""
        keep = np.ones(self.num_train, dtype=bool)
        keep[self.offsets[1:][self.validation >= 0] - 1] = False
        return keep

    @cached_property
    def seen_by(self) -> NDArray[np.int64]:
        """Shape (num_items,): users with the item in their history."""
        return np.bincount(self.split.items, minlength=self.num_items).astype(np.int64)

    @cached_property
    def item_rows(self) -> dict[str, int]:
        """Item index by item id."""
        return {item_id: row for row, item_id in enumerate(self.catalogue.item_ids)}

    @cached_property
    def titles(self) -> "Titles":
        """The titles made ready for search: about a second for 87,000, so ask in a thread."""
        from neumf_tui.data.titles import Titles

        return Titles(self)

    def user_index(self, user_id: str) -> int:
        """Raises RunError for an id that is not there, naming the nearest ids."""
        try:
            return self.user_ids.index(user_id)
        except ValueError:
            near = ", ".join(nearest_ids(user_id, self.user_ids))
            raise RunError(f"no user {user_id!r} in {self.label}; nearest ids: {near}") from None

    def history(self, user: int) -> NDArray[np.int64]:
        """Item indices of user index `user` in training, oldest first."""
        return np.asarray(self.split.items[self.offsets[user] : self.offsets[user + 1]])


def prepare(
    name: str,
    source: str,
    user_ids: Sequence[str],
    catalogue: Catalogue,
    interactions: Interactions,
    *,
    simulated: bool = False,
    report: Report = silent,
) -> Dataset:
    """Drop duplicates, split, and fingerprint."""
    report(Progress("preparing: duplicates", 0, 3))
    unique, dropped = drop_duplicates(interactions)
    report(Progress("preparing: fingerprint", 1, 3))
    fingerprint = _fingerprint(user_ids, catalogue, unique)
    report(Progress("preparing: split", 2, 3))
    split = leave_one_out(unique, len(user_ids))
    report(Progress("preparing", 3, 3))
    notices = [f"{dropped:,} duplicate interactions: the latest of each kept"] if dropped else []
    if single := int((split.heldout < 0).sum()):
        notices.append(f"{single:,} users with a single interaction are trained on, not evaluated")
    if len(catalogue.item_ids) <= 50:
        notices.append(f"only {len(catalogue.item_ids)} items: Hit@50 is always 1")
    return Dataset(name, simulated, source, tuple(notices), fingerprint, user_ids, catalogue, split)


def _fingerprint(user_ids: Sequence[str], catalogue: Catalogue, rows: Interactions) -> str:
    """SHA-256 of the split's rule, the ids, and the interactions as little-endian int64; in hexadecimal."""
    digest = hashlib.sha256(RULE.encode())
    digest.update("\0".join([*user_ids, "", *catalogue.item_ids]).encode())
    for array in (rows.users, rows.items, rows.times):
        for start in range(0, len(array), _CHUNK):
            digest.update(array[start : start + _CHUNK].astype("<i8").tobytes())
    return digest.hexdigest()


def save(dataset: Dataset, folder: Path, report: Report = silent) -> None:
    """Write under `folder/<fingerprint>/`, whole or not at all."""
    target = folder / dataset.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".preparing-", dir=folder))
    try:
        for number, key in enumerate(_ARRAYS):
            report(Progress("writing", number, len(_ARRAYS)))
            np.save(scratch / f"{key}.npy", getattr(dataset.split, key))
        np.save(scratch / "offsets.npy", dataset.offsets)
        Strings.of(dataset.user_ids).save(scratch, "user_ids")
        (scratch / "catalogue.json").write_bytes(msgspec.json.encode(dataset.catalogue))
        about = {key: getattr(dataset, key) for key in ("name", "simulated", "source", "notices")}
        (scratch / "dataset.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")
        report(Progress("writing", len(_ARRAYS), len(_ARRAYS)))
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load(folder: Path, fingerprint: str) -> Dataset:
    """Open a prepared dataset; raises DatasetError where it is missing or damaged."""
    where = folder / fingerprint
    try:
        about = json.loads((where / "dataset.json").read_text("utf-8"))
        split = Split(**{key: _mapped(where, key) for key in _ARRAYS})
        if "user_ids" in about:  # the older form: all but the arrays in one file
            user_ids: Sequence[str] = about["user_ids"]
            catalogue = Catalogue(
                about["item_ids"], about["titles"], about["years"], about["genres"]
            )
        else:
            split = replace(split, offsets=np.load(where / "offsets.npy", allow_pickle=False))
            user_ids = Strings.load(where, "user_ids")
            catalogue = msgspec.json.decode((where / "catalogue.json").read_bytes(), type=Catalogue)
        return Dataset(
            about["name"],
            about["simulated"],
            about["source"],
            tuple(about["notices"]),
            fingerprint,
            user_ids,
            catalogue,
            split,
        )
    except FileNotFoundError as error:
        raise DatasetError(
            f"{where}: this prepared dataset is not there; give the original files with --data-dir"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise DatasetError(
            f"{where}: damaged prepared dataset ({error}); delete the folder"
        ) from error


def _mapped(folder: Path, key: str) -> NDArray[np.int64]:
    return np.asarray(np.load(folder / f"{key}.npy", mmap_mode="r", allow_pickle=False))


def with_notice(dataset: Dataset, notice: str) -> Dataset:
    return replace(dataset, notices=(notice, *dataset.notices))


def nearest_ids(wanted: str, ids: Sequence[str], count: int = 5) -> list[str]:
    """The ids most like `wanted`: by number where all are numbers, else by letters."""
    if wanted.lstrip("-").isdecimal() and all(user_id.isdecimal() for user_id in ids):
        return sorted(ids, key=lambda user_id: (abs(int(user_id) - int(wanted)), int(user_id)))[
            :count
        ]
    return difflib.get_close_matches(wanted, ids, n=count, cutoff=0.0)
