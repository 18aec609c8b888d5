"""Where a dataset's original files lie: `--data-dir`, NEUMF_TUI_DATA, `<home>/datasets`, or where an earlier run had them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from neumf_tui.data import fetch
from neumf_tui.data.forms import EXPECTED, Source, source_at, source_of, sources_below, sources_in
from neumf_tui.data.layout import Columns
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError
from neumf_tui.home import datasets_dir


def prepared_dir(home: Path) -> Path:
    return datasets_dir(home) / "prepared"


def find_source(
    name: str,
    data_dir: Path | None,
    home: Path,
    columns: Columns | None = None,
    report: Report = silent,
) -> Source | None:
    """The files of dataset `name`, None where they are nowhere to be found.

    `auto` is whatever a folder that was named holds (of several in its folders ml-100k), and without one ml-100k. A release of
    MovieLens is unpacked from its zip in `<home>/datasets`, if that is there.
    Raises DatasetError for a folder that was named and does not hold what is meant.
    """
    origin, folder = (
        ("--data-dir", data_dir.expanduser())
        if data_dir is not None
        else ("NEUMF_TUI_DATA", env_dir())
    )
    if folder is not None:
        if found := _in_named(origin, folder, name, columns):
            return found
        if data_dir is not None or name == "auto":
            raise _nothing_in(origin, folder, name)
    wanted = "ml-100k" if name == "auto" else name
    if release := RELEASES.get(wanted):
        archive = datasets_dir(home) / release.archive
        if archive.exists() and not sources_in(archive.with_suffix("")):
            fetch.unpack(release, archive, archive.with_suffix(""), report)
    found = next((source for source in at_hand(home) if source.name == wanted), None)
    if found is None and folder is not None:
        raise _nothing_in(origin, folder, name)
    return found


def env_dir() -> Path | None:
    """The folder that NEUMF_TUI_DATA names."""
    named = os.environ.get("NEUMF_TUI_DATA")
    return Path(named).expanduser() if named else None


def at_hand(home: Path) -> list[Source]:
    """The datasets in `<home>/datasets`, then those that were prepared from other places and still lie there, newest first."""
    earlier: list[tuple[float, str]] = []
    for file in prepared_dir(home).glob("*/dataset.json"):
        try:
            earlier.append(
                (file.stat().st_mtime, str(json.loads(file.read_text("utf-8"))["source"]))
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue  # damaged: to whom it matters `load` tells so
    # The demo set is from nowhere.
    places = [place for _, place in sorted(earlier, reverse=True) if Path(place).is_absolute()]
    return list(
        dict.fromkeys(
            [
                *sources_below(datasets_dir(home), tables=True),
                *(one for place in places for one in source_of(place)),
            ]
        )
    )


def originals(name: str, home: Path, source: str) -> list[Source]:
    """Files that the prepared dataset `name` may have been made of, the likeliest first: those at `source`."""
    folder = env_dir()
    named = [*sources_in(folder), *sources_below(folder)] if folder else []
    found = [*source_of(source), *named, *at_hand(home)]
    # A folder that was named for it may be called otherwise than at the time of the run.
    return list(
        dict.fromkeys(
            [one for one in found if one.name == name]
            + [one for one in named if one.place == folder]
        )
    )


def _in_named(origin: str, folder: Path, name: str, columns: Columns | None) -> Source | None:
    """The one dataset that is meant in `folder`, or the one in that file; raises DatasetError where that cannot be told."""
    if folder.is_file() and (one := source_at(folder, columns)):
        return one if name in ("auto", one.name) else None
    if not folder.is_dir():
        raise DatasetError(
            f"{origin} {folder}: is not a folder or file of data; expected {EXPECTED}"
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise DatasetError(f"{origin} {folder}: may not be read; expected {EXPECTED}")
    found = next((choice for choice in _choices(folder, name, columns) if choice), [])
    if len(found) > 1:
        raise DatasetError(
            f"{origin} {folder}: holds {' and '.join(map(str, found))}; expected one dataset; choose with --dataset NAME, or "
            "name a folder with one of them alone"
        )
    return found[0] if found else None


def _choices(folder: Path, name: str, columns: Columns | None) -> Iterator[list[Source]]:
    """What `name` may mean in `folder`: one of its own datasets before one in its folders."""
    here = sources_in(folder, columns)
    yield here if name == "auto" else [source for source in here if source.name == name]
    below = sources_below(folder)
    yield [source for source in below if source.name == ("ml-100k" if name == "auto" else name)]
    yield below if name == "auto" else []


def _nothing_in(origin: str, folder: Path, name: str) -> DatasetError:
    what = "dataset" if name == "auto" else f"dataset {name}"
    there = ", ".join(map(str, [*sources_in(folder), *sources_below(folder)]))
    holds = f"holds no {what}, neither itself nor in a folder of it" + (
        f", only {there}" if there else ""
    )
    return DatasetError(f"{origin} {folder}: {holds}; expected {EXPECTED}")
