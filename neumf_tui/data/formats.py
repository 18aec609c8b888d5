"""The file formats of datasets: how a folder or a file is recognised."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from neumf_tui.data.columns import Columns
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.given_parts import find_parts
from neumf_tui.data.items_beside import describes_items
from neumf_tui.data.nouns import FILM, noun_in
from neumf_tui.data.options import DataOptions, ReadOptions, SplitOptions
from neumf_tui.data.prepare import prepare_content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.table_files import SUFFIXES, is_table, parts_of
from neumf_tui.data.readers.text_open import entries, is_file, plain_name
from neumf_tui.data.source import Format, SourceFiles, stem_of
from neumf_tui.data.split import TRAIN
from neumf_tui.errors import UsageError

_CHECKINS = ("user", "time", "", "", "item")
FOLDERS = (
    Format("ml100k", ("u.data", "u.item"), name="ml-100k", has_columns=False, noun=FILM),
    Format("table", ("ratings.csv", "movies.csv"), noun=FILM),
    Format("movielens_dat", ("ratings.dat", "movies.dat"), has_columns=False, noun=FILM),
    Format("table", ("rating.csv", "movie.csv"), noun=FILM),
    Format("table", ("ratings.csv", "movies_metadata.csv", "links.csv"), noun=FILM),
    Format("table", ("ratings_small.csv", "movies_metadata.csv", "links_small.csv"), noun=FILM),
    Format("table", ("user_ratedmovies-timestamps.dat", "movies.dat"), noun=FILM),
    Format("table", ("user_taggedartists-timestamps.dat", "artists.dat")),
    Format("table", ("user_taggedbookmarks-timestamps.dat", "bookmarks.dat")),
)
"""MovieLens of GroupLens and of Kaggle, and HetRec 2011. Where a folder fits two that share the
file of items, the first counts."""
KNOWN_FILES = (
    Format("table", suffixes=(".inter",)),
    Format("table", suffixes=(".rating",), positions=("user", "item", "rating", "time")),
    Format(
        "table", pattern=r"loc-.*_totalCheckins\.txt", positions=_CHECKINS, noun=noun_in("place")
    ),
    Format("table", pattern=r"steam-200k\.csv", positions=("user", "item"), noun=noun_in("game")),
)
"""RecBole; the files of the NCF papers; check-ins of Gowalla and Brightkite; Kaggle's Steam."""
TABLE = Format("table", suffixes=SUFFIXES)
EXPECTED = (
    "a folder with "
    + ", or with ".join(" and ".join(form.files[:2]) for form in FOLDERS[:3])
    + ", or a file of RecBole (.inter), or a table of interactions (text, JSON Lines or Parquet)"
)
_MAIN_TABLE = re.compile(
    r"(.*[\W_])?(rating|interaction|review|purchase|order|transaction|event|checkin|play)s?",
    re.IGNORECASE | re.DOTALL,
)
"""Name of the table that counts where others (tags, wishes) have users and items as well."""


@dataclass(frozen=True)
class Source(SourceFiles):
    """A dataset's original files, and how to read them."""

    def read(self, splitting: SplitOptions = SplitOptions(), report: Report = silent) -> Dataset:
        """Read the files and split the interactions.

        Raises DatasetError naming file and line of the first fault, UsageError for options that do
        not fit the data.
        """
        from neumf_tui.data.read_source import read_content

        options = DataOptions(self.reading, splitting)
        return prepare_content(self.name, self.text, read_content(self, report), options, report)


def sources_in(
    folder: Path, reading: ReadOptions = ReadOptions(), tables: bool = True
) -> list[Source]:
    """Return the datasets whose files are in `folder` itself: several if it has several formats.

    `folder` may be a zip. Other tables count only if nothing else is found, and only with `tables`.
    """
    place = folder.absolute()
    visible = entries(place)
    found = _folders(place, visible, reading)
    if not found:
        found = [one for form in KNOWN_FILES for one in _sources(visible, form, reading)]
    if not found and tables:
        files = parts_of(place)
        found = [Source(place, TABLE, reading)] if files else _sources(visible, TABLE, reading)
        found = _main_of([one for one in found if _has_interactions(one)])
    return found


def only_table(folder: Path, reading: ReadOptions) -> list[Source]:
    """Return the one file of a folder whose name is that of a table, whatever is in it."""
    found = _sources(entries(folder.absolute()), TABLE, reading)
    return found if len(found) == 1 else []


def source_at(file: Path, reading: ReadOptions = ReadOptions()) -> Source:
    """Return the dataset that `file` is or belongs to; one of an unknown format is a table."""
    place = file.absolute()
    siblings = entries(place.parent)
    names = {plain_name(one) for one in siblings}
    for form in FOLDERS:
        if plain_name(place) == form.files[0] and names.issuperset(form.files):
            return Source(place.parent, form, reading)
    form = next((one for one in KNOWN_FILES if one.fits(place)), TABLE)
    found = _sources([place, *siblings], form, reading)
    found = [one for one in found if place in one.interactions]
    return found[0] if found else Source(place, form, reading)


def source_of(text: str, reading: ReadOptions = ReadOptions()) -> list[Source]:
    """Return the datasets that a `Source.text` names, as far as their files still exist.

    Version 0.1.0 wrote the columns behind the path: `PATH [user=…]`.
    """
    if match := re.fullmatch(r"(.*) \[(user=.*)\]", text, flags=re.DOTALL):
        with suppress(UsageError):  # the name of a folder can look like this
            Columns.parse(match[2])
            text, reading = match[1], ReadOptions(columns=match[2])
    if not text or "\0" in text:
        return []
    place = Path(text)
    if not os.path.lexists(place):
        escaped = rb"\\x([89a-f][0-9a-f])"
        path = re.sub(escaped, lambda byte: bytes.fromhex(byte[1].decode()), os.fsencode(text))
        place = Path(os.fsdecode(path))
    if is_file(place):
        return [source_at(place, reading)]
    return sources_in(place, reading)


def sources_below(
    folder: Path, reading: ReadOptions = ReadOptions(), *, tables: bool = False
) -> list[Source]:
    """Return the datasets in the visible subfolders of `folder`, sorted; `tables`: `sources_in`."""
    return [one for place in entries(folder) for one in sources_in(place, reading, tables)]


def _folders(place: Path, visible: list[Path], reading: ReadOptions) -> list[Source]:
    """Return the datasets of a folder with these files in the formats of folders."""
    found: dict[str, Source] = {}
    names = {plain_name(file): file for file in visible}
    for form in FOLDERS:
        first, items = form.files[:2]
        # A reader of its own says which file of items is missing.
        needed = {first} if form.reads_items else form.files
        if names.keys() >= set(needed) and is_file(names[first]):
            other = found.get(items)
            if other is None:
                found[items] = Source(place, form, reading)
            else:
                found[items] = replace(other, passed_over=(*other.passed_over, first))
    return list(found.values())


def _sources(files: list[Path], form: Format, reading: ReadOptions) -> list[Source]:
    """Return the datasets in the files of this format: one for the parts of a split dataset."""
    fitting = [file for file in dict.fromkeys(files) if form.fits(file) and is_file(file)]
    found, taken = [], set()
    for name, parts in find_parts(fitting).items():
        found.append(Source(parts[TRAIN], form, reading, tuple(parts.items()), name))
        taken |= set(parts.values())
    return found + [Source(file, form, reading) for file in fitting if file not in taken]


def _has_interactions(source: Source) -> bool:
    """Return whether a table is one of interactions; numbers of columns fit one of items, too."""
    first = source.interactions[0]
    return is_table(first, source.reading) and not describes_items(first)


def _main_of(tables: list[Source]) -> list[Source]:
    """Return the one of several tables whose name says that it is the main one; else all."""
    whole = [one for one in tables if not one.parts]
    main = [one for one in whole if _MAIN_TABLE.fullmatch(stem_of(one.place))]
    if len(main) != 1:
        return tables
    others = tuple(file.name for one in tables if one != main[0] for file in one.interactions)
    return [replace(main[0], passed_over=others)]
