"""The forms that a dataset's files may have: how a folder or a file is known to hold one, what it is called, and its reader."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.layout import Columns, choose, read_header, recognised
from neumf_tui.data.progress import Report, silent
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.text import clean

Read = Callable[[Path, str, Columns | None, Report], Dataset]
"""From the folder or file, the name of the dataset, and the columns that were named; raises DatasetError."""


@dataclass(frozen=True)
class Form:
    """One form: that of a folder that holds the first of `files`, or of any file with one of `suffixes`."""

    read: Read
    files: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """Suffixes of files that belong to one with `suffixes`, where they are there."""
    name: str = ""
    """Of the dataset, where there is but one of this form; else the folder's or file's."""
    by_columns: bool = True
    """Whether `--columns` may name the columns."""


# pyarrow takes 0.1 s to import: only when there is something to parse.


def _ml100k(folder: Path, _name: str, _columns: Columns | None, _report: Report) -> Dataset:
    from neumf_tui.data.movielens import read_ml100k

    return read_ml100k(folder)


def _movielens_csv(folder: Path, name: str, columns: Columns | None, report: Report) -> Dataset:
    from neumf_tui.data.readers import read_movielens_csv

    return read_movielens_csv(folder, name, columns, report)


def _movielens_dat(folder: Path, name: str, _columns: Columns | None, report: Report) -> Dataset:
    from neumf_tui.data.readers import read_movielens_dat

    return read_movielens_dat(folder, name, report)


def _recbole(path: Path, name: str, columns: Columns | None, report: Report) -> Dataset:
    from neumf_tui.data.readers import read_recbole

    return read_recbole(path, name, columns, report)


def _table(path: Path, name: str, columns: Columns | None, report: Report) -> Dataset:
    from neumf_tui.data.readers import read_table

    return read_table(path, name, columns, report)


def _parquet(path: Path, name: str, columns: Columns | None, report: Report) -> Dataset:
    from neumf_tui.data.readers import read_parquet

    return read_parquet(path, name, columns, report)


FOLDERS = (
    Form(_ml100k, ("u.data", "u.item"), name="ml-100k", by_columns=False),
    Form(_movielens_csv, ("ratings.csv", "movies.csv")),
    Form(_movielens_dat, ("ratings.dat", "movies.dat"), by_columns=False),
)
RECBOLE = Form(_recbole, suffixes=(".inter",), beside=(".item",))
TABLES = (Form(_table, suffixes=(".csv", ".tsv")), Form(_parquet, suffixes=(".parquet", ".pq")))
EXPECTED = (
    "a folder with "
    + ", or with ".join(" and ".join(form.files) for form in FOLDERS)
    + ", or one file of RecBole's (.inter) or with a table of interactions (.csv, .tsv, .parquet)"
)
RESERVED = ("auto", "demo", *(form.name for form in FOLDERS if form.name))
"""Names that a folder cannot give."""


@dataclass(frozen=True)
class Source:
    """A dataset's original files."""

    place: Path
    """The folder, or the one file."""
    form: Form
    columns: Columns | None = None

    @property
    def name(self) -> str:
        return self.form.name or _name_of(self.place, by_file=not self.form.files)

    @property
    def files(self) -> list[Path]:
        if self.form.files:
            return [self.place / file for file in self.form.files]
        return [
            self.place,
            *(
                other
                for suffix in self.form.beside
                if (other := self.place.with_suffix(suffix)).exists()
            ),
        ]

    @property
    def text(self) -> str:
        """Where it is, for people, and for `source_of`."""
        return str(self.place) if self.columns is None else f"{self.place} [{self.columns}]"

    def read(self, report: Report = silent) -> Dataset:
        """Raises DatasetError."""
        return self.form.read(self.place, self.name, self.columns, report)

    def __str__(self) -> str:
        return f"{self.name} ({self.form.files[0] if self.form.files else self.place.name})"


def sources_in(
    folder: Path, columns: Columns | None = None, *, tables: bool = True
) -> list[Source]:
    """The datasets that lie in `folder` itself; more than one where it holds files of several forms.

    Tables of unknown names are only looked at where nothing else is there, and only with `tables`. Raises UsageError where
    `columns` are named for a form that has none to choose from.
    """
    place = folder.absolute()
    found = [Source(place, form, columns) for form in FOLDERS if _is_there(folder / form.files[0])]
    if not found:
        found = [Source(file, RECBOLE, columns) for file in _with_suffix(place, RECBOLE)]
    if not found and tables:
        for form in TABLES:
            found += [
                Source(file, form, columns)
                for file in _with_suffix(place, form)
                if _is_table(file, columns)
            ]
    return [_checked(source) for source in found]


def source_at(file: Path, columns: Columns | None = None) -> Source | None:
    """The dataset that one file holds, or of which it is a part; None for a file of no known form. Raises UsageError."""
    place = file.absolute()
    for form in FOLDERS:
        if place.name == form.files[0] and all(
            _is_there(place.parent / other) for other in form.files
        ):
            return _checked(Source(place.parent, form, columns))
    for form in (RECBOLE, *TABLES):
        if place.suffix.lower() in form.suffixes:
            return Source(place, form, columns)
    return None


def source_of(text: str) -> list[Source]:
    """What `Source.text` told of, as far as it still lies there."""
    columns = None
    if match := re.fullmatch(r"(.*) \[(user=.*)\]", text, flags=re.DOTALL):
        with suppress(UsageError):  # a folder may be called so
            columns = Columns.parse(match[2])
            text = match[1]
    place = Path(text)
    if _is_there(place):
        found = source_at(place, columns)
        return [found] if found else []
    return sources_in(place, columns) if text else []


def sources_below(folder: Path, *, tables: bool = False) -> list[Source]:
    """The datasets in the folders of `folder`, hidden ones apart, by the folders' names; `tables` as in `sources_in`."""
    try:
        places = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        source
        for place in places
        if not place.name.startswith(".")
        for source in sources_in(place, tables=tables)
    ]


def _checked(source: Source) -> Source:
    if source.columns is not None and not source.form.by_columns:
        raise UsageError(
            f"--columns: {source} has no names of columns to choose from; leave it out"
        )
    return source


def _with_suffix(folder: Path, form: Form) -> list[Path]:
    try:
        return sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in form.suffixes and _is_there(file)
        )
    except OSError:
        return []


def _is_table(file: Path, columns: Columns | None) -> bool:
    """Whether its columns say who saw what when."""
    try:
        if file.suffix.lower() in (".parquet", ".pq"):
            from neumf_tui.data.parquet import header_of

            header = header_of(file)
        else:
            header = read_header(file, "\t" if file.suffix.lower() == ".tsv" else ",")
        if columns is None:
            return recognised(header)
        choose("", header, columns)
    except DatasetError:
        return False
    return True


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a folder that one may not look into
        return False


def _name_of(place: Path, *, by_file: bool) -> str:
    """The folder's or file's name as one harmless word, and no other dataset's."""
    whole = place.resolve() if place.name == ".." else place
    name = "-".join(clean(whole.stem if by_file else whole.name).split()) or "unnamed"
    return f"{name}-files" if name in RESERVED else name
