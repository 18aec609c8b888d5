"""Which dataset is meant and where it lies: `--data-dir`, NEUMF_TUI_DATA, `<home>/datasets`, download."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.data import dataset as prepared
from neumf_tui.data import fetch
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.home import datasets_dir

NAMES = ("auto", "ml-100k", "demo")
Talk = Callable[[str], None]


@dataclass(frozen=True)
class Known:
    """One row of `neumf-tui datasets`."""

    name: str
    where: str
    """Folder, or what has to happen before it is there."""
    available: bool


def prepared_dir(home: Path) -> Path:
    return datasets_dir(home) / "prepared"


def open_dataset(name: str, data_dir: Path | None, home: Path, talk: Talk, report: fetch.Progress) -> Dataset:
    """The dataset `name` (`auto`, `ml-100k`, `demo`), prepared and cached under `home`.

    `talk` gets lines for a person, `report` the bytes of a download. Raises DatasetError; for `auto` only an
    unreachable download leads to the demo set, never a folder that was named and does not hold the data.
    """
    if name not in NAMES:
        raise UsageError(f"--dataset {name}: expected one of {', '.join(NAMES)}")
    if name == "demo":
        if data_dir is not None:
            raise UsageError("--data-dir goes with ml-100k or auto: the demo set is built in; leave one of them out")
        return _demo(home)
    folder = _find_ml100k(data_dir, home)
    if folder is None:
        try:
            folder = _download(home, talk, report)
        except fetch.NoNetwork as error:
            if name == "ml-100k":
                raise DatasetError(
                    f"ml-100k is not on this machine and {error}; download {fetch.URL} elsewhere, put the zip into "
                    f"{datasets_dir(home)}, or unpack it and name the folder with --data-dir"
                ) from error
            notice = f"demo data: {error}; simulated viewers instead of ml-100k (or give its folder with --data-dir)"
            return prepared.with_notice(_demo(home), notice)
    return _ml100k(folder, home)


def load_dataset(fingerprint: str, name: str, home: Path, source: str = "") -> Dataset:
    """The prepared dataset of a run; made anew where it is missing, from `source`, where the run had it from, or wherever
    it is found now. Raises DatasetError where the same data is not to be had."""
    folder = prepared_dir(home)
    if not (folder / fingerprint).exists():
        if name == "demo":
            _demo(home)
        else:
            original = Path(source) if source and (Path(source) / "u.data").exists() else _find_ml100k(None, home)
            if original is None or _ml100k(original, home).fingerprint != fingerprint:
                raise DatasetError(
                    f"{folder / fingerprint}: this prepared dataset is not there, nor are the files it was made of "
                    f"({source or name}); let NEUMF_TUI_DATA name the folder with u.data"
                )
    return prepared.load(folder, fingerprint)


def known_datasets(home: Path) -> list[Known]:
    """What can be trained on, without downloading anything."""
    try:
        folder = _find_ml100k(None, home)
    except DatasetError as error:
        ml100k = Known("ml-100k", str(error), False)
    else:
        ml100k = Known("ml-100k", str(folder) if folder else "fetched from GroupLens when first used", folder is not None)
    return [ml100k, Known("demo", "built in: real films, simulated viewers", True)]


def _find_ml100k(data_dir: Path | None, home: Path) -> Path | None:
    """The folder with u.data; raises for a named folder without it."""
    named = [("--data-dir", data_dir), ("NEUMF_TUI_DATA", os.environ.get("NEUMF_TUI_DATA"))]
    for origin, value in named:
        if value is None or value == "":
            continue
        parent = Path(value).expanduser()
        for folder in (parent, parent / "ml-100k"):
            if (folder / "u.data").exists():
                return folder.absolute()
        problem = "holds no u.data, neither itself nor in ml-100k/" if parent.is_dir() else "is not a folder"
        raise DatasetError(
            f"{origin} {parent}: {problem}; expected MovieLens 100K's original files (u.data, u.item); name their folder"
        )
    folder = datasets_dir(home) / "ml-100k"
    archive = datasets_dir(home) / "ml-100k.zip"
    if not (folder / "u.data").exists() and archive.exists():
        fetch.unpack(archive, folder)
    return folder if (folder / "u.data").exists() else None


def _download(home: Path, talk: Talk, report: fetch.Progress) -> Path:
    folder = datasets_dir(home)
    talk(f"fetching ml-100k ({fetch.SIZE / 1e6:.1f} MB) from files.grouplens.org")
    fetch.fetch(folder, report)
    fetch.unpack(folder / "ml-100k.zip", folder / "ml-100k")
    talk(fetch.CITATION)
    return folder / "ml-100k"


def _demo(home: Path) -> Dataset:
    def make() -> Dataset:
        from neumf_tui.data.demo import make_demo

        return make_demo()

    here = Path(__file__).parent
    return _cached(home, [here / "demo.py", here / "demo_films.tsv"], make)


def _ml100k(folder: Path, home: Path) -> Dataset:
    def read() -> Dataset:
        # pandas takes 0.3 s to import: only when there is something to parse.
        from neumf_tui.data.movielens import read_ml100k

        return read_ml100k(folder)

    return _cached(home, [folder / "u.data", folder / "u.item"], read)


def _cached(home: Path, files: list[Path], make: Callable[[], Dataset]) -> Dataset:
    """What `make` returns, kept under `home` until one of `files` changes."""
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
            return prepared.load(prepared_dir(home), pointer.read_text("ascii"))
        except DatasetError:
            pass  # damaged or removed: make it anew
    made = make()
    prepared.save(made, prepared_dir(home))
    pointer.parent.mkdir(exist_ok=True)
    scratch = pointer.with_suffix(f".{os.getpid()}")
    scratch.write_text(made.fingerprint, "ascii")
    os.replace(scratch, pointer)
    return made
