"""The file formats of datasets: how a folder or file is recognised, and what its dataset is called.

`readers/` has one module per format.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from neumf_tui.data.columns import Columns
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions, ReadOptions, SplitOptions
from neumf_tui.data.prepare import Content, prepare_content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.table_files import SUFFIXES, has_suffix, is_table, parts_of
from neumf_tui.data.readers.text_open import entries, is_file, plain_name
from neumf_tui.errors import UsageError
from neumf_tui.text import clean


@dataclass(frozen=True)
class Format:
    """A folder that holds the first of `files`, or any file with one of `suffixes`."""

    reader: str
    """Module of `readers/`, imported when it is used: pyarrow takes 0.1 s."""
    files: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    optional_suffixes: tuple[str, ...] = ()
    """Suffixes of files of the same name that belong to the dataset if they exist."""
    name: str = ""
    """The dataset's name, if there is only one in this format; else the folder's or file's."""
    has_columns: bool = True
    """Whether `--columns` can name the columns."""


FOLDERS = (
    Format("ml100k", ("u.data", "u.item"), name="ml-100k", has_columns=False),
    Format("movielens_csv", ("ratings.csv", "movies.csv")),
    Format("movielens_dat", ("ratings.dat", "movies.dat"), has_columns=False),
)
RECBOLE = Format("recbole", suffixes=(".inter",), optional_suffixes=(".item",))
TABLE = Format("table", suffixes=SUFFIXES)
EXPECTED = (
    "a folder with "
    + ", or with ".join(" and ".join(form.files) for form in FOLDERS)
    + ", or a file of RecBole (.inter), or a table of interactions (text, JSON Lines or Parquet)"
)
_RESERVED = ("auto", "demo", *(form.name for form in FOLDERS if form.name))
"""Names that a folder of another format cannot give its dataset."""


@dataclass(frozen=True)
class Source:
    """A dataset's original files."""

    place: Path
    """The folder, or the one file."""
    format: Format
    reading: ReadOptions = ReadOptions()

    @property
    def name(self) -> str:
        is_one_file = not self.format.files and is_file(self.place)
        return self.format.name or _name_of(self.place, is_file=is_one_file)

    @property
    def files(self) -> list[Path]:
        if self.format.files:
            return [self.place / file for file in self.format.files]
        if not is_file(self.place):
            return parts_of(self.place)
        optional = [self.place.with_suffix(suffix) for suffix in self.format.optional_suffixes]
        return [self.place, *(file for file in optional if file.exists())]

    @property
    def text(self) -> str:
        """Where the data is, for people, and for `source_of`.

        Bytes of a path that are not UTF-8 are written as `\\xff`.
        """
        return os.fsencode(self.place).decode("utf-8", "backslashreplace")

    def read(self, splitting: SplitOptions = SplitOptions(), report: Report = silent) -> Dataset:
        """Read the files and split the interactions.

        Raises DatasetError naming file and line of the first fault, UsageError for options that do
        not fit the data.
        """
        reader = import_module(f"neumf_tui.data.readers.{self.format.reader}")
        content: Content = reader.read(self.place, self.reading, report)
        options = DataOptions(self.reading, splitting)
        return prepare_content(self.name, self.text, content, options, report)

    def __str__(self) -> str:
        return f"{self.name} ({self.format.files[0] if self.format.files else self.place.name})"


def sources_in(
    folder: Path, reading: ReadOptions = ReadOptions(), tables: bool = True
) -> list[Source]:
    """Return the datasets whose files are in `folder` itself: several if it has several formats.

    Other tables count only if nothing else is found, and only with `tables`. Raises UsageError if
    `reading` names columns for a format without a header.
    """
    place = folder.absolute()
    found = [Source(place, form, reading) for form in FOLDERS if _is_file(folder / form.files[0])]
    if not found:
        found = [Source(file, RECBOLE, reading) for file in _files_of(place, RECBOLE)]
    if not found and tables:
        parts = parts_of(place)
        candidates = [place] if parts else _files_of(place, TABLE)
        found = [
            Source(one, TABLE, reading)
            for one in candidates
            if is_table(parts[0] if parts else one, reading)
        ]
    return [_checked(source) for source in found]


def source_at(file: Path, reading: ReadOptions = ReadOptions()) -> Source | None:
    """Return the dataset that `file` is or belongs to, None for an unknown format.

    Raises UsageError if `reading` names columns for a format without a header.
    """
    place = file.absolute()
    for form in FOLDERS:
        source = Source(place.parent, form, reading)
        if place.name == form.files[0] and all(map(_is_file, source.files)):
            return _checked(source)
    return Source(place, RECBOLE if has_suffix(place, RECBOLE.suffixes) else TABLE, reading)


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
    if _is_file(place):
        found = source_at(place, reading)
        return [found] if found else []
    return sources_in(place, reading)


def sources_below(folder: Path, *, tables: bool = False) -> list[Source]:
    """Return the datasets in the visible subfolders of `folder`, sorted; `tables`: `sources_in`."""
    places = [place for place in _entries(folder) if not place.name.startswith(".")]
    return [source for place in places for source in sources_in(place, tables=tables)]


def _checked(source: Source) -> Source:
    if source.reading.columns and not source.format.has_columns:
        raise UsageError(f"--columns: {source} has no header with column names; omit --columns")
    return source


def _files_of(folder: Path, form: Format) -> list[Path]:
    return [file for file in entries(folder) if has_suffix(file, form.suffixes) and is_file(file)]


def _entries(folder: Path) -> list[Path]:
    """Return what is in the folder, sorted; nothing if it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # no permission to search the folder
        return False


def _name_of(place: Path, *, is_file: bool) -> str:
    """Return the folder's or file's name as one word, safe for a terminal and not reserved."""
    whole = place.resolve() if place.name == ".." else place
    name = (
        "-".join(clean(Path(plain_name(whole)).stem if is_file else whole.name).split())
        or "unnamed"
    )
    return f"{name}-files" if name in _RESERVED else name
