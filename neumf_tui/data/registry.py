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
from neumf_tui.data.layout import Columns
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.releases import CITATION, RELEASES, Release
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


def open_dataset(
    name: str,
    data_dir: Path | None,
    home: Path,
    talk: Talk,
    report: Report,
    *,
    columns: Columns | None = None,
    accept_unverified: bool = False,
) -> Dataset:
    """The dataset `name` (`auto`, `demo`, a release of MovieLens, or what a folder or file gives), prepared and kept in `home`.

    `talk` gets lines for a person, `report` the progress of what takes long. `columns` name those of a table; with
    `accept_unverified` a release without a known hash is fetched. Raises DatasetError or UsageError; for `auto` only an
    unreachable download leads to the demo set, never a folder that was named and does not hold the data.
    """
    if columns is not None and data_dir is None:
        raise UsageError(
            "--columns names the columns of a table of your own: name its file or folder with --data-dir"
        )
    if name == "demo":
        if data_dir is not None:
            raise UsageError(
                "--data-dir goes with every dataset but demo, which is built in: leave one of them out"
            )
        return _demo(home)
    if source := find_source(name, data_dir, home, columns, report):
        if data_dir is None:
            talk(f"{source.name} from {source.place}")
        return _opened(source, home, report)
    release = RELEASES.get("ml-100k" if name == "auto" else name)
    if release is None:
        known = ", ".join(dict.fromkeys(["auto", *(row.name for row in known_datasets(home))]))
        raise UsageError(
            f"--dataset {name}: expected one of {known}; a folder of your own is named with --data-dir"
        )
    if release.sha256 is None and not accept_unverified:
        raise UsageError(
            f"--dataset {name}: no hash of {release.archive} is known here, so nobody can tell whether what arrives is what "
            f"GroupLens published; add --accept-unverified to fetch it from {release.url} all the same, or put the zip that you "
            f"trust into {datasets_dir(home)}"
        )
    try:
        folder = _download(release, home, talk, report)
    except fetch.NoNetwork as error:
        if name != "auto":
            raise DatasetError(
                f"{name} is not on this machine and {error}; download {release.url} elsewhere, put the zip into "
                f"{datasets_dir(home)}, or unpack it and name the folder with --data-dir"
            ) from error
        notice = f"demo data: {error}; simulated viewers instead of ml-100k (or give a dataset's folder with --data-dir)"
        return prepared.with_notice(_demo(home), notice)
    return _opened(sources_in(folder)[0], home, report)


def load_dataset(fingerprint: str, name: str, home: Path, source: str = "") -> Dataset:
    """The prepared dataset of a run; made anew where it is missing, from `source`, where the run had it from, or wherever
    it is found now. Raises DatasetError where the same data is not to be had."""
    folder = prepared_dir(home)
    if not (folder / fingerprint).exists():
        if name == "demo":
            _demo(home)
        elif not any(
            _opened(found, home).fingerprint == fingerprint
            for found in originals(name, home, source)
        ):
            raise DatasetError(
                f"{folder / fingerprint}: this prepared dataset is not there, nor are the files it was made of "
                f"({source or name}); let NEUMF_TUI_DATA name where they are now: {EXPECTED}"
            )
    # The same data in a folder of another name is prepared under the same fingerprint.
    return replace(prepared.load(folder, fingerprint), name=name)


def known_datasets(home: Path) -> list[Known]:
    """What can be trained on, without downloading or unpacking anything."""
    folder = env_dir()
    found = [*(sources_in(folder) + sources_below(folder) if folder else []), *at_hand(home)]
    places = {
        one.name: str(one.place) for one in reversed(found)
    }  # the first of a name is the one that is taken
    releases = []
    for name, release in RELEASES.items():
        if name in places:
            releases.append(Known(name, places[name], True))
        elif (zipped := datasets_dir(home) / release.archive).exists():
            releases.append(Known(name, str(zipped), True))
        else:
            releases.append(Known(name, _not_here(release, folder), False))
    others = [
        Known(one, places[one], True)
        for one in dict.fromkeys(source.name for source in found)
        if one not in RELEASES
    ]
    return [*releases, *others, Known("demo", "built in: real films, simulated viewers", True)]


def _not_here(release: Release, folder: Path | None) -> str:
    if folder:
        return f"NEUMF_TUI_DATA {folder}: holds no dataset {release.name}"
    size = f", {release.size / 1e6:,.0f} MB" if release.size else ""
    checked = (
        "when first used" if release.sha256 else "with --accept-unverified: no hash of it is known"
    )
    return f"{release.about}; fetched from GroupLens{size} {checked}"


def _download(release: Release, home: Path, talk: Talk, report: Report) -> Path:
    folder = datasets_dir(home)
    size = f" ({release.size / 1e6:,.1f} MB)" if release.size else ""
    talk(f"fetching {release.name}{size} from files.grouplens.org")
    fetch.fetch(release, folder, report)
    archive = folder / release.archive
    if release.sha256 is None:
        talk(
            f"{archive}: unverified, {archive.stat().st_size:,} bytes, SHA-256 {fetch.sha256_of(archive, report)}"
        )
    fetch.unpack(release, archive, folder / release.name, report)
    talk(CITATION)
    return folder / release.name


def _demo(home: Path) -> Dataset:
    from neumf_tui.data.demo import SOURCE, make_demo

    here = Path(__file__).parent
    return _cached(home, SOURCE, [here / "demo.py", here / "demo_films.tsv"], make_demo)


def _opened(source: Source, home: Path, report: Report = silent) -> Dataset:
    return _cached(
        home,
        source.text,
        source.files,
        lambda: source.read(report),
        report,
        str(source.columns or ""),
    )


def _cached(
    home: Path,
    source: str,
    files: list[Path],
    make: Callable[[], Dataset],
    report: Report = silent,
    how: str = "",
) -> Dataset:
    """What `make` returns from `source`, kept under `home` until one of `files` changes, or `how` they are read."""
    key = hashlib.sha256(how.encode(errors="surrogateescape"))
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            return make()  # it says what is wrong with the file
        key.update(f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode(errors="surrogateescape"))
    folder = prepared_dir(home)
    pointer = folder / "sources" / key.hexdigest()
    if pointer.exists():
        try:
            kept = prepared.load(folder, pointer.read_text("ascii"))
        except DatasetError:
            pass  # damaged or removed: make it anew
        else:
            if (
                kept.source == source
            ):  # else it is the same data by other files, whose titles may be others
                return kept
    made = make()
    prepared.save(made, folder, report)
    pointer.parent.mkdir(exist_ok=True)
    scratch = pointer.with_suffix(f".{os.getpid()}")
    scratch.write_text(made.fingerprint, "ascii")
    os.replace(scratch, pointer)
    return prepared.load(
        folder, made.fingerprint
    )  # mapped, so that what was read need not stay in memory
