"""Prepared datasets on disk: `<home>/datasets/prepared/<fingerprint>/`, opened memory-mapped.

A folder holds the training pairs (`users.npy items.npy times.npy offsets.npy known.npy`), the
held-out items (`heldout.npy heldout_times.npy`), the user ids (`user_ids.*.npy`), `catalogue.json`,
and name, source and what was found out in `dataset.json`. `manifest.json` has the SHA-256 of each.
A process checks them, and all indices, when it first opens a dataset, and again when a file has
changed since. Version 0.1.0 wrote no manifest, `known.npy` and `heldout_times.npy`: then only the
indices are checked, the latest pair of each user is the validation item, and the times of the
held-out items are not known.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.cores import usable_cores
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import ReadFacts, SplitFacts
from neumf_tui.data.options import DataOptions, ReadOptions
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.split import LATEST_TIME, Split
from neumf_tui.data.strings import Strings, are_offsets
from neumf_tui.errors import DatasetError
from neumf_tui.home import datasets_dir

_NEW_ARRAYS = ("heldout_times", "known")
_NEW_FILES = tuple(f"{key}.npy" for key in _NEW_ARRAYS)
_ARRAYS = ("users", "items", "times", "heldout", "offsets", *_NEW_ARRAYS)
_STRINGS = ("user_ids.offsets", "user_ids.text")
FILES = (
    *(f"{key}.npy" for key in (*_ARRAYS, *_STRINGS)), "catalogue.json", "dataset.json"
)  # fmt: skip
"""Names of the files of a prepared dataset, besides the manifest."""
_CATALOGUE_LIMIT = 2**31
_SMALL = 2**24
"""Bytes of a dataset that one thread hashes before others have started."""
_checked: set[tuple[object, ...]] = set()
"""Folders and identities of the files of all datasets that this process has checked."""


class About(msgspec.Struct, frozen=True):
    """The content of `dataset.json`."""

    name: str
    simulated: bool
    source: str
    notices: tuple[str, ...]
    facts: SplitFacts = SplitFacts()
    read_facts: ReadFacts = ReadFacts()
    options: DataOptions = DataOptions()


def prepared_dir(home: Path) -> Path:
    return datasets_dir(home) / "prepared"


def save(dataset: Dataset, folder: Path, report: Report = silent) -> None:
    """Write `folder/<fingerprint>/`, completely or not at all, unless the same is there already."""
    target = folder / dataset.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    files.remove_scratch(folder)
    with files.new_folder(target) as scratch:
        _write(dataset, scratch, report)
        if not _is_same(folder, dataset):
            files.remove_folder(target)


def _write(dataset: Dataset, folder: Path, report: Report) -> None:
    def write(name: str, content: bytes | Callable[[BinaryIO], object]) -> None:
        # Not forced to disk: what a power cut damages is found by its hash and prepared anew.
        files.replace(folder, name, content, to_disk=False)

    ids = Strings.of(dataset.user_ids)
    arrays = [getattr(dataset.split, key) for key in _ARRAYS] + [ids.offsets, ids.text]
    for number, (key, array) in enumerate(zip((*_ARRAYS, *_STRINGS), arrays, strict=True)):
        report(Progress("writing", number, len(arrays)))
        write(f"{key}.npy", partial(files.write_array, array=array))
    write("catalogue.json", msgspec.json.encode(dataset.catalogue))
    about = msgspec.convert(dataset, About, from_attributes=True)
    write("dataset.json", msgspec.json.encode(about))
    manifest = dict(zip(FILES, _hashes(folder, FILES), strict=True))
    write("manifest.json", msgspec.json.encode(manifest))
    report(Progress("writing", len(arrays), len(arrays)))


def _is_same(folder: Path, dataset: Dataset) -> bool:
    """Return whether the dataset of this fingerprint is on disk, with all that is known of it."""
    try:
        kept = load(folder, dataset.fingerprint)
    except DatasetError:
        return False
    compared = "source", "options", "catalogue", "facts", "read_facts"
    return all(getattr(kept, name) == getattr(dataset, name) for name in compared)


def load(folder: Path, fingerprint: str) -> Dataset:
    """Open the prepared dataset; raise DatasetError if it is missing or damaged.

    Raises OSError if it cannot be read now, e.g. without permission or with too many open files.
    """
    if not re.fullmatch("[0-9a-f]{64}", fingerprint):
        raise DatasetError(f"{fingerprint[:80]!r} is not the fingerprint of a dataset")
    where = folder / fingerprint
    what = f"{where}: this prepared dataset"
    try:
        about = files.read_json(where, "dataset.json", About)
        old = _is_of_old_version(where)
        keys = [key for key in (*_ARRAYS, *_STRINGS) if not (old and key in _NEW_ARRAYS)]
        arrays = {key: _array(where, f"{key}.npy") for key in keys}
        ids = Strings(*(arrays.pop(key) for key in _STRINGS))
        # The offsets are read into memory: they are indexed for every user.
        arrays["offsets"] = np.array(arrays["offsets"])
        if old:
            pairs = np.diff(arrays["offsets"])
            arrays |= {"known": pairs - (pairs > 1), "heldout_times": np.full(len(pairs), -1)}
        catalogue = files.read_json(where, "catalogue.json", Catalogue, _CATALOGUE_LIMIT)
        split = Split(**arrays)
        names = [name for name in FILES if not (old and name in _NEW_FILES)]
        _check(where, names, split, ids, catalogue)
    except FileNotFoundError as error:
        raise DatasetError(f"{what} is missing") from error
    except (files.UnusableFileError, NotADirectoryError, ValueError) as error:
        # As text: a variable with the error itself would keep the opened files.
        reason = str(getattr(error, "strerror", None) or error)
        raise DatasetError(f"{what} is damaged ({reason})") from error
    name, simulated, source, notices, *others = msgspec.structs.astuple(about)
    return Dataset(name, simulated, source, notices, fingerprint, ids, catalogue, split, *others)


def _is_of_old_version(where: Path) -> bool:
    """Return whether version 0.1.0 prepared a dataset, without the arrays that came later."""
    written = _manifest(where) or {}
    return not any(name in written or files.is_file(where, name) for name in _NEW_FILES)


def load_names(home: Path, fingerprint: str) -> tuple[Strings, Catalogue]:
    """Open the user ids and the items of a prepared dataset, without the check that `load` makes.

    Raises OSError or ValueError if they cannot be read.
    """
    where = prepared_dir(home) / fingerprint
    ids = Strings(*(_array(where, f"{key}.npy") for key in _STRINGS))
    ids.check()
    return ids, files.read_json(where, "catalogue.json", Catalogue, _CATALOGUE_LIMIT)


def newest_of(home: Path, name: str) -> str:
    """Return the fingerprint of the dataset `name` that was prepared last; `auto` is any.

    Raises FileNotFoundError where there is none.
    """
    for fingerprint, about in _newest_first(prepared_dir(home)):
        if name in (about.name, "auto"):
            return fingerprint
    raise FileNotFoundError(f"{prepared_dir(home)}: no prepared dataset {name}")


def kept_sources(home: Path) -> list[tuple[str, ReadOptions]]:
    """Return where the prepared datasets came from and how they were read, the newest first."""
    with suppress(OSError):  # damaged: `load` reports it when the dataset is needed
        kept = _newest_first(prepared_dir(home))
        return [(about.source, about.options.reading) for _, about in kept]
    return []


def _newest_first(folder: Path) -> list[tuple[str, About]]:
    """Return the fingerprints of the datasets that can be read, with what is said of them."""
    found = []
    for name in files.folder_names(folder):
        with suppress(OSError):
            about = files.read_json(folder, f"{name}/dataset.json", About)
            changed = (folder / name / "dataset.json").stat().st_mtime
            found.append((changed, name, about))
    found.sort(key=lambda one: (one[0], one[2].source), reverse=True)
    return [(name, about) for _, name, about in found]


def _array(where: Path, name: str) -> NDArray[Any]:
    # Another account could change a file after its indices were checked, but not our memory.
    array = np.asarray(files.read_array(where, name, mapped=files.is_own(where / name)))
    wanted = np.uint8 if name.endswith("text.npy") else np.int64
    if array.dtype != wanted or array.ndim != 1:
        raise ValueError(f"{name}: expected numbers of the type {np.dtype(wanted)}")
    return array


def _check(
    where: Path, names: Sequence[str], split: Split, ids: Strings, catalogue: Catalogue
) -> None:
    """Check indices and hashes, unless this process has; raise OSError or ValueError."""
    kept = _manifest(where)
    state = (where, str(kept), *(files.identity(where / name) for name in names))
    if state in _checked:
        return
    ids.check()
    for wrong in _faults(split, len(ids), catalogue):
        raise ValueError(wrong)
    if kept is not None:
        for name, found in zip(names, _hashes(where, names), strict=True):
            if kept.get(name) != found:
                raise ValueError(f"{name} is not as it was written")
    _checked.add(state)


def _manifest(where: Path) -> dict[str, str] | None:
    try:
        return files.read_json(where, "manifest.json", dict[str, str])
    except FileNotFoundError:
        return None


def _hashes(where: Path, names: Sequence[str]) -> Iterator[str]:
    def digest(name: str) -> str:
        with files.open_to_read(where, name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    if sum((where / name).stat().st_size for name in names) < _SMALL:
        yield from map(digest, names)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(usable_cores()) as pool:
        yield from pool.map(digest, names)


def _faults(split: Split, num_users: int, catalogue: Catalogue) -> Iterator[str]:
    """Yield what would lead an index out of its array."""
    num_items, pairs = len(catalogue.item_ids), len(split.items)
    lengths = {len(catalogue.titles), len(catalogue.years), len(catalogue.genres)}
    if lengths.union(map(len, catalogue.columns.values())) != {num_items}:
        yield "catalogue.json: the lists differ in length"
    if len(split.offsets) != num_users + 1 or not are_offsets(split.offsets, pairs):
        yield "offsets.npy: expected ascending offsets, one for each user and one more"
    if not _are_within(split.items, 0, num_items - 1):
        yield "items.npy: expected items of the catalogue"
    if len(split.heldout) != num_users or not _are_within(split.heldout, -1, num_items - 1):
        yield "heldout.npy: expected an item of the catalogue or -1 for each user"
    pairs_of_users = np.diff(split.offsets)
    known = split.known
    if len(known) != num_users or not ((known >= 0) & (known <= pairs_of_users)).all():
        yield "known.npy: expected at most as many pairs as each user has"
    if len(split.heldout_times) != num_users or not _are_within(
        split.heldout_times, -1, LATEST_TIME
    ):
        yield "heldout_times.npy: expected a time or -1 for each user"
    if len(split.times) != pairs or not _are_within(split.times, 0, LATEST_TIME):
        yield "times.npy: expected the time of each training pair"
    in_order = len(split.users) == pairs and (split.users[1:] >= split.users[:-1]).all()
    if not (
        in_order
        and _are_within(split.users, 0, num_users - 1)
        and np.array_equal(np.bincount(split.users, minlength=num_users), pairs_of_users)
    ):
        yield "users.npy: expected each user as often as offsets.npy has it"


def _are_within(numbers: NDArray[np.int64], low: int, high: int) -> bool:
    return bool(numbers.min(initial=low) >= low and numbers.max(initial=high) <= high)
