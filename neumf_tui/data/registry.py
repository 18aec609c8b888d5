"""The datasets that can be trained on, opened by name or folder; prepared once, and kept under `<home>`."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from neumf_tui.data import dataset as prepared
from neumf_tui.data import fetch
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.find import at_hand, env_dir, find_source, originals, prepared_dir
from neumf_tui.data.forms import EXPECTED, Source, sources_below, sources_in
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.home import datasets_dir

Talk = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """One row of `neumf-tui datasets`."""

    name: str
    where: str
    """Folder, or what has to happen before it is there."""
    available: bool


def open_dataset(name: str, data_dir: Path | None, home: Path, talk: Talk, report: fetch.Progress) -> Dataset:
    """The dataset `name` (`auto`, `ml-100k`, `demo`, or what a folder gives), prepared and cached under `home`.

    `talk` gets lines for a person, `report` the bytes of a download. Raises DatasetError or UsageError; for `auto` only an
    unreachable download leads to the demo set, never a folder that was named and does not hold the data.
    """
    if name == "demo":
        if data_dir is not None:
            raise UsageError("--data-dir goes with every dataset but demo, which is built in: leave one of them out")
        return _demo(home)
    if source := find_source(name, data_dir, home):
        if data_dir is None:
            talk(f"{source.name} from {source.folder}")
        return _opened(source, home)
    if name not in ("auto", "ml-100k"):
        known = ", ".join(dict.fromkeys(["auto", *(row.name for row in known_datasets(home))]))
        raise UsageError(f"--dataset {name}: expected one of {known}; a folder of your own is named with --data-dir")
    try:
        folder = _download(home, talk, report)
    except fetch.NoNetwork as error:
        if name == "ml-100k":
            raise DatasetError(
                f"ml-100k is not on this machine and {error}; download {fetch.URL} elsewhere, put the zip into "
                f"{datasets_dir(home)}, or unpack it and name the folder with --data-dir"
            ) from error
        notice = f"demo data: {error}; simulated viewers instead of ml-100k (or give a dataset's folder with --data-dir)"
        return prepared.with_notice(_demo(home), notice)
    return _opened(sources_in(folder)[0], home)


def load_dataset(fingerprint: str, name: str, home: Path, source: str = "") -> Dataset:
    """The prepared dataset of a run; made anew where it is missing, from `source`, where the run had it from, or wherever
    it is found now. Raises DatasetError where the same data is not to be had."""
    folder = prepared_dir(home)
    if not (folder / fingerprint).exists():
        if name == "demo":
            _demo(home)
        elif not any(_opened(found, home).fingerprint == fingerprint for found in originals(name, home, source)):
            raise DatasetError(
                f"{folder / fingerprint}: this prepared dataset is not there, nor are the files it was made of "
                f"({source or name}); let NEUMF_TUI_DATA name where they are now: {EXPECTED}"
            )
    # The same data in a folder of another name is prepared under the same fingerprint.
    return replace(prepared.load(folder, fingerprint), name=name)


def known_datasets(home: Path) -> list[Known]:
    """What can be trained on, without downloading anything."""
    try:
        source = find_source("ml-100k", None, home)
    except DatasetError as error:
        ml100k = Known("ml-100k", str(error), False)
    else:
        where = str(source.folder) if source else "fetched from GroupLens when first used"
        ml100k = Known("ml-100k", where, source is not None)
    folder = env_dir()
    found = [*(sources_in(folder) + sources_below(folder) if folder else []), *at_hand(home)]
    others = dict.fromkeys(Known(one.name, str(one.folder), True) for one in found if one.name != "ml-100k")
    return [ml100k, *others, Known("demo", "built in: real films, simulated viewers", True)]


def _download(home: Path, talk: Talk, report: fetch.Progress) -> Path:
    folder = datasets_dir(home)
    talk(f"fetching ml-100k ({fetch.SIZE / 1e6:.1f} MB) from files.grouplens.org")
    fetch.fetch(folder, report)
    fetch.unpack(folder / "ml-100k.zip", folder / "ml-100k")
    talk(fetch.CITATION)
    return folder / "ml-100k"


def _demo(home: Path) -> Dataset:
    from neumf_tui.data.demo import SOURCE, make_demo

    here = Path(__file__).parent
    return _cached(home, SOURCE, [here / "demo.py", here / "demo_films.tsv"], make_demo)


def _opened(source: Source, home: Path) -> Dataset:
    return _cached(home, str(source.folder), source.files, source.read)


def _cached(home: Path, source: str, files: list[Path], make: Callable[[], Dataset]) -> Dataset:
    """What `make` returns from `source`, kept under `home` until one of `files` changes."""
    key = hashlib.sha256()
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            return make()  # it says what is wrong with the file
        key.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    pointer = prepared_dir(home) / "sources" / key.hexdigest()
    if pointer.exists():
        try:
            kept = prepared.load(prepared_dir(home), pointer.read_text("ascii"))
        except DatasetError:
            pass  # damaged or removed: make it anew
        else:
            if kept.source == source:  # else it is the same data by other files, whose titles may be others
                return kept
    made = make()
    prepared.save(made, prepared_dir(home))
    pointer.parent.mkdir(exist_ok=True)
    scratch = pointer.with_suffix(f".{os.getpid()}")
    scratch.write_text(made.fingerprint, "ascii")
    os.replace(scratch, pointer)
    return made
