"""Where the files of a dataset are, and what it is called."""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import msgspec

from neumf_tui.data.columns import Columns
from neumf_tui.data.items_beside import items_beside
from neumf_tui.data.nouns import Noun
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.readers.table_files import SUFFIXES, has_suffix, parts_of
from neumf_tui.data.readers.text_open import entries, file_on_disk, is_file, plain_name
from neumf_tui.text import clean

_RESERVED = ("auto", "demo", "ml-100k")
"""Names that a folder cannot give its dataset unless its format has the name."""


@dataclass(frozen=True)
class Format:
    """How a dataset's files are named and read."""

    reader: str
    """Module of `readers/`, imported when it is used: pyarrow takes 0.1 s."""
    files: tuple[str, ...] = ()
    """Files of a folder: the interactions, the items, and which of their ids belong together."""
    suffixes: tuple[str, ...] = ()
    """Endings of the one file's name, if there is no folder."""
    pattern: str = ""
    """What that name has to match as a whole, if its ending does not say enough."""
    positions: tuple[str, ...] = ()
    """Roles of the columns of a table without header; empty for those that are not used."""
    name: str = ""
    """The dataset's name, if there is only one in this format; else the folder's or file's."""
    has_columns: bool = True
    """Whether `--columns` can name the columns."""
    noun: Noun | None = None
    """What its items are, if the format says so."""

    @property
    def reads_items(self) -> bool:
        """Whether the reader reads the file of items, too, since it has a form of its own."""
        return bool(self.files) and self.reader != "table"

    def fits(self, file: Path) -> bool:
        """Return whether the file has the right name."""
        if self.pattern:
            return re.fullmatch(self.pattern, plain_name(file), re.IGNORECASE) is not None
        return has_suffix(file, self.suffixes)


@dataclass(frozen=True)
class SourceFiles:
    """A dataset's original files."""

    place: Path
    """The folder, or the one file; of a dataset that comes split, the file of the training part."""
    format: Format
    reading: ReadOptions = ReadOptions()
    parts: tuple[tuple[int, Path], ...] = ()
    """The files of a dataset that comes split, each with its value of `Interactions.parts`."""
    split_name: str = ""
    """What the names of these files have in common."""
    passed_over: tuple[str, ...] = ()
    """Tables beside it that could be a dataset as well."""

    @property
    def name(self) -> str:
        if self.format.name:
            return self.format.name
        if self.format.files or not (self.parts or is_file(self.place)):
            is_table = has_suffix(self.place, SUFFIXES)  # the folder that Spark writes
            return _name_of(self.place.with_suffix("") if is_table else self.place)
        if self.parts and not self.split_name:
            return _name_of(self.place.parent)
        return _name_of(self.place.with_name(self.split_name or stem_of(self.place)))

    @property
    def interactions(self) -> list[Path]:
        """The files of interactions: several if they come split, or are parts of one table."""
        if self.parts:
            return [file for _, file in self.parts]
        if self.format.files:
            return [file_called(self.place, self.format.files[0])]
        return [self.place] if is_file(self.place) else parts_of(self.place)

    @property
    def items(self) -> Path | None:
        """The file of items, if it is not the format's reader that reads one."""
        if self.reading.items:
            return Path(self.reading.items)
        if self.format.files:
            name = self.format.files[1]
            return None if self.format.reads_items else file_called(self.place, name)
        column = Columns.of(self.reading)
        own = {self.place, *self.interactions}
        beside = [file for file in entries(self.place.parent) if file not in own]
        stem = self.split_name or stem_of(self.place)
        return items_beside(self.place, stem, beside, column.item if column else "")

    @property
    def links(self) -> Path | None:
        """The file that says what the file of items calls each item of the interactions."""
        named = self.format.files[2:]
        return file_called(self.place, named[0]) if named and not self.reading.items else None

    @property
    def files(self) -> list[Path]:
        """All files that are read; those in a zip stand for the zip."""
        found = [*self.interactions, self.items, self.links]
        if self.format.reads_items:
            found.append(file_called(self.place, self.format.files[1]))
        return [file_on_disk(file) for file in found if file is not None]

    @property
    def text(self) -> str:
        """Where the data is, for people, and for `source_of`.

        Bytes of a path that are not UTF-8 are written as `\\xff`.
        """
        return os.fsencode(self.place).decode("utf-8", "backslashreplace")

    def read_with(self, reading: ReadOptions) -> Self:
        """Return the source with those options of `reading` that are given."""
        given = msgspec.to_builtins(reading)  # without defaults
        return replace(self, reading=msgspec.structs.replace(self.reading, **given))

    def __str__(self) -> str:
        return f"{self.name} ({self.format.files[0] if self.format.files else self.place.name})"


def file_called(folder: Path, name: str) -> Path:
    """Return the file of this name, compressed or not, even if it does not exist."""
    packed = (file for file in entries(folder) if plain_name(file) == name)
    return folder / name if is_file(folder / name) else next(packed, folder / name)


def stem_of(file: Path) -> str:
    """Return the name of a file without the endings of its format and compression."""
    return Path(plain_name(file)).stem


def _name_of(place: Path) -> str:
    """Return the name of a folder as one word, safe for a terminal and not reserved."""
    whole = place.resolve() if place.name == ".." else place
    name = "-".join(clean(whole.name.removesuffix(".zip")).split()) or "unnamed"
    return f"{name}-files" if name in _RESERVED else name
