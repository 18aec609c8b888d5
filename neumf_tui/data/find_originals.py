"""Find a dataset's files: --data-dir, NEUMF_TUI_DATA, <home>/datasets, folders of earlier runs."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from neumf_tui.data.download import unpack
from neumf_tui.data.formats import (
    EXPECTED,
    Source,
    only_table,
    source_at,
    source_of,
    sources_below,
    sources_in,
)
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepared import kept_sources
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.text_open import is_file, is_zip
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError
from neumf_tui.home import datasets_dir, expanded
from neumf_tui.text import clean

_MOST_NAMES = 10_000
"""Names of a folder that are compared with one that is missing."""


def find_source(
    name: str,
    data_dir: Path | None,
    home: Path,
    reading: ReadOptions = ReadOptions(),
    report: Report = silent,
) -> Source | None:
    """Return the files of dataset `name`, or None if they are not found.

    `auto` is the dataset in `data_dir` or NEUMF_TUI_DATA (ml-100k if subfolders hold several), else
    ml-100k. A MovieLens release is unpacked if its zip is in `<home>/datasets`. Raises DatasetError
    if the folder that was named does not hold the dataset.
    """
    origin = "NEUMF_TUI_DATA" if data_dir is None else "--data-dir"
    folder = env_dir() if data_dir is None else expanded(data_dir)
    if folder is not None:
        if found := _in_named(origin, folder, name, reading):
            return found
        if data_dir is not None or name == "auto":
            raise _nothing_in(origin, folder, name)
    wanted = "ml-100k" if name == "auto" else name
    if release := RELEASES.get(wanted):
        archive = datasets_dir(home) / release.archive
        if archive.exists() and not sources_in(archive.with_suffix("")):
            unpack(release, archive, archive.with_suffix(""), report)
    found = next((source for source in known_sources(home) if source.name == wanted), None)
    if found is None and folder is not None:
        raise _nothing_in(origin, folder, name)
    return found.read_with(reading) if found else None


def env_dir() -> Path | None:
    """Return the folder that NEUMF_TUI_DATA names."""
    named = os.environ.get("NEUMF_TUI_DATA")
    return expanded(Path(named)) if named else None


def sources_in_env() -> list[Source]:
    """Return the datasets in the folder that NEUMF_TUI_DATA names, and in its subfolders."""
    folder = env_dir()
    return [*sources_in(folder), *sources_below(folder)] if folder else []


def known_sources(home: Path) -> list[Source]:
    """Return the datasets in `<home>/datasets`, then those that earlier runs found elsewhere.

    The latter newest first, as far as their files still exist.
    """
    found = sources_below(datasets_dir(home), tables=True)
    for source, reading in kept_sources(home):
        if Path(source).is_absolute():  # the demo dataset's is not a path
            found += source_of(source, reading)
    return list(dict.fromkeys(found))


def originals(
    name: str, home: Path, source: str, reading: ReadOptions = ReadOptions()
) -> list[Source]:
    """Return files that the prepared dataset `name` may be made of: those at `source` first."""
    named = sources_in_env()
    places = [*source_of(source, reading), *named, *known_sources(home)]
    found = [one for one in places if one.name == name]
    # The folder of NEUMF_TUI_DATA may have another name than the one that the run used.
    found += [one for one in named if one.place == env_dir()]
    return list(dict.fromkeys(found))


def _near(missing: Path) -> str:
    """Return what to say of the names in the folder where a file or folder is missing."""
    from rapidfuzz import fuzz, process

    try:
        names = [path.name for path in islice(missing.parent.iterdir(), _MOST_NAMES)]
    except OSError:
        return f"; expected {EXPECTED}"
    near = process.extractOne(missing.name, names, scorer=fuzz.ratio, score_cutoff=60)
    if near is None:
        return f"; expected {EXPECTED}"
    return f"; did you mean {clean(str(missing.parent / near[0]))}?"


def _in_named(origin: str, folder: Path, name: str, reading: ReadOptions) -> Source | None:
    """Return the dataset `name` in that folder or file; raise DatasetError if it is ambiguous."""
    if is_file(folder) and not is_zip(folder):
        source = source_at(folder, reading)
        return source if name in ("auto", source.name) else None
    if not folder.exists():
        raise DatasetError(f"{origin} {folder}: there is no such file or folder{_near(folder)}")
    if not os.access(folder, os.R_OK | (os.X_OK if folder.is_dir() else 0)):
        raise DatasetError(f"{origin} {folder}: no permission to read it; expected {EXPECTED}")
    found = next((choice for choice in _choices(folder, name, reading) if choice), [])
    if len(found) > 1:
        raise DatasetError(
            f"{origin} {folder}: holds {' and '.join(map(str, found))}; expected one dataset; "
            f"choose one, for example with --data-dir {found[0].interactions[0]}"
        )
    return found[0] if found else None


def _choices(folder: Path, name: str, reading: ReadOptions) -> Iterator[list[Source]]:
    """Yield what `name` may mean in `folder`: first datasets in it, then those in subfolders."""
    here = sources_in(folder, reading)
    yield here if name == "auto" else [source for source in here if source.name == name]
    below = sources_below(folder, reading)
    yield [source for source in below if source.name == ("ml-100k" if name == "auto" else name)]
    yield below if name == "auto" else []
    tables = sources_below(folder, reading, tables=True)
    yield tables if name == "auto" else [source for source in tables if source.name == name]
    # Not a table as far as its start shows, so its reader says what is wrong with it.
    yield only_table(folder, reading) if name == "auto" else []


def _nothing_in(origin: str, folder: Path, name: str) -> DatasetError:
    what = "dataset" if name == "auto" else f"dataset {name}"
    found = ", ".join(map(str, [*sources_in(folder), *sources_below(folder)]))
    only = f", only {found}" if found else ""
    return DatasetError(
        f"{origin} {folder}: holds no {what}, nor do its subfolders{only}; expected {EXPECTED}"
    )
