"""Open datasets by name, folder or file; each is prepared once and kept under `<home>`."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from neumf_tui import files
from neumf_tui.data import find_originals, prepared
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.demo import SOURCE, make_demo
from neumf_tui.data.download import NoNetwork, download, sha256_of, unpack
from neumf_tui.data.formats import Source, sources_in
from neumf_tui.data.options import DataOptions, ReadOptions, SplitOptions
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.releases import CITATION, RELEASES, Release
from neumf_tui.data.reordered import has_same_interactions
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.home import datasets_dir, home_to_write

_READ_AS = 2
"""To be raised whenever files are read or split in another way than before."""
Talk = Callable[[str], None]
Reopened = Callable[[SplitOptions], Dataset]
"""Opens the same files split in another way; raises DatasetError, UsageError."""


@dataclass(frozen=True)
class DatasetEntry:
    """One row of `neumf-tui datasets`."""

    name: str
    where: str
    """The folder, or how to get the dataset."""
    available: bool


def open_dataset(
    name: str,
    data_dir: Path | None,
    home: Path,
    talk: Talk,
    report: Report,
    *,
    options: DataOptions = DataOptions(),
    accept_unverified: bool = False,
) -> Dataset:
    """Return the dataset `name`, prepared and kept under `home`.

    `name`: `auto`, `demo`, a MovieLens release, or the name that a folder or file gives. `talk`
    gets lines for a person, `report` the progress of long work. With `accept_unverified` a release
    without a known hash is downloaded.
    Raises DatasetError or UsageError. `auto` uses the demo dataset only if the download fails,
    never if the folder that was named lacks the data.
    """
    reading, splitting = options
    if reading.columns and data_dir is None:
        raise UsageError("--columns names the columns of your own table: add --data-dir FILE")
    if name == "demo":
        if data_dir is not None:
            raise UsageError("--data-dir has no effect on demo, which is built in; omit one")
        _check_demo(reading)
        return _demo(home, splitting)
    if source := find_originals.find_source(name, data_dir, home, reading, report):
        if data_dir is None:
            talk(f"{source.name} from {source.place}")
        return _opened(source, home, splitting, report)
    release = RELEASES.get("ml-100k" if name == "auto" else name)
    if release is None:
        known = ", ".join(dict.fromkeys(["auto", *(row.name for row in known_datasets(home))]))
        raise UsageError(
            f"--dataset {name}: expected one of {known}; name your own folder with --data-dir"
        )
    if release.sha256 is None and not accept_unverified:
        raise UsageError(
            f"--dataset {name}: no hash of {release.archive} is known here, so the download cannot "
            f"be checked; add --accept-unverified to fetch it from {release.url} anyway, or put a "
            f"zip that you trust into {datasets_dir(home)}"
        )
    try:
        folder = _download(release, home, talk, report)
    except NoNetwork as error:
        if name != "auto":
            raise DatasetError(
                f"{name} is not on this machine and {error}; download {release.url} elsewhere and "
                f"put the zip into {datasets_dir(home)}, or unpack it and name the folder with "
                "--data-dir"
            ) from error
        _check_demo(reading)
        return _demo(home, splitting).with_notice(
            f"demo data: {error}; simulated users instead of ml-100k "
            "(or name a dataset's folder with --data-dir)"
        )
    return _opened(sources_in(folder, reading)[0], home, splitting, report)


def prepare_again(
    fingerprint: str, name: str, home: Path, source: str, options: DataOptions = DataOptions()
) -> Dataset | None:
    """Return the dataset of this fingerprint, prepared from its original files; None without them.

    They are looked for at `source`, where a run found them, and then everywhere else. A home that
    this account may only read stays as it is.
    """
    reading, splitting = options
    own = home_to_write(home)
    if name == "demo":
        made = _demo(own, splitting)
        return made if made.fingerprint == fingerprint else None
    for found in find_originals.originals(name, home, source, reading):
        # Files that cannot be read in this way are not those that were used.
        with suppress(DatasetError, UsageError):
            made = _opened(found, own, splitting)
            if made.fingerprint == fingerprint:
                return made
    return None


def reopen(data: Dataset, home: Path, source: str, report: Report = silent) -> Reopened | None:
    """Return how to split the original files of a prepared dataset again; None if none are found.

    Those files give the same users, items and pairs with the dataset's own options; which of them
    are held out may differ, as version 0.1.0 had another rule for equal times. `source` is where a
    run found them; they are looked for there, and then everywhere else.
    """
    reading, splitting = data.options
    own = home_to_write(home)
    if data.name == "demo":
        return lambda other: _demo(own, other)
    for found in find_originals.originals(data.name, home, source, reading):
        opened = partial(_opened, found, own, report=report)
        with suppress(DatasetError, UsageError):  # these are not the files that were used
            if has_same_interactions(opened(splitting), data):
                return opened
    return None


def known_datasets(home: Path) -> list[DatasetEntry]:
    """Return what can be trained on, without downloading or unpacking anything."""
    places: dict[str, str] = {}
    for source in [*find_originals.sources_in_env(), *find_originals.known_sources(home)]:
        places.setdefault(source.name, str(source.place))
    entries = []
    for name, release in RELEASES.items():
        archive = datasets_dir(home) / release.archive
        where = places.pop(name, str(archive) if archive.exists() else "")
        entries.append(DatasetEntry(name, where or _how_to_get(release), bool(where)))
    entries += [DatasetEntry(name, place, True) for name, place in places.items()]
    return [*entries, DatasetEntry("demo", SOURCE, True)]


def _how_to_get(release: Release) -> str:
    if folder := find_originals.env_dir():
        return f"NEUMF_TUI_DATA {folder}: holds no dataset {release.name}"
    size = f", {release.size / 1e6:,.0f} MB" if release.size else ""
    when = "when first used"
    if release.sha256 is None:
        when = "with --accept-unverified: its hash is not known"
    return f"{release.about}; fetched from GroupLens{size} {when}"


def _download(release: Release, home: Path, talk: Talk, report: Report) -> Path:
    folder = datasets_dir(home)
    size = f" ({release.size / 1e6:,.1f} MB)" if release.size else ""
    talk(f"fetching {release.name}{size} from files.grouplens.org")
    download(release, folder, report)
    archive = folder / release.archive
    if release.sha256 is None:
        size = f"{archive.stat().st_size:,} bytes"
        talk(f"{archive}: unverified, {size}, SHA-256 {sha256_of(archive, report)}")
    unpack(release, archive, folder / release.name, report)
    talk(CITATION)
    return folder / release.name


def _check_demo(reading: ReadOptions) -> None:
    """Raise UsageError for options of files, since the demo dataset has none."""
    if flags := DataOptions(reading).flags:
        raise UsageError(
            f"{flags[0]} has no effect on demo, which is built in; leave it out, or name your own "
            "files with --data-dir"
        )


def _demo(home: Path | None, splitting: SplitOptions) -> Dataset:
    here = Path(__file__).parent
    paths, options = [here / "demo.py", here / "demo_films.tsv"], DataOptions(splitting=splitting)
    return _cached(home, SOURCE, paths, options, partial(make_demo, options))


def _opened(
    source: Source, home: Path | None, splitting: SplitOptions, report: Report = silent
) -> Dataset:
    read, options = partial(source.read, splitting, report), DataOptions(source.reading, splitting)
    return _cached(home, source.text, source.files, options, read, report)


def _cached(
    home: Path | None,
    source: str,
    paths: list[Path],
    options: DataOptions,
    make: Callable[[], Dataset],
    report: Report = silent,
) -> Dataset:
    """Return what `make` returns, kept under `home` until one of the files or `options` changes.

    Without a home it is only in memory.
    """
    key = _key(paths, options)
    if key is None or home is None:
        return make()  # its error says what is wrong with the files
    folder = prepared_dir(home)
    with suppress(FileNotFoundError, files.UnusableFileError, DatasetError):  # prepare it again
        kept = prepared.load(folder, files.read_text(folder, f"sources/{key}"))
        # Files at another place can have the same fingerprint but other titles.
        if (kept.source, kept.options) == (source, options):
            return kept
    made = make()
    if _key(paths, options) != key:
        raise DatasetError(f"{source}: the files changed while they were read; run again")
    prepared.save(made, folder, report)
    files.make_folder(folder, "sources")
    files.remove_scratch(folder, "sources")
    files.replace(folder, f"sources/{key}", made.fingerprint.encode(), to_disk=False)
    try:
        return prepared.load(folder, made.fingerprint)  # memory-mapped, so `made` can be freed
    except DatasetError:  # another process has just put the same data of other files in its place
        return made


def _key(paths: list[Path], options: DataOptions) -> str | None:
    """Return a name that changes when a file is changed or replaced; None if one is missing."""
    try:
        state = [(str(path), files.identity(path)) for path in paths]
    except OSError:
        return None
    text = f"{_READ_AS}\0{msgspec.json.encode(options).decode()}\0{state}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
