"""The forms that a dataset's files may have: how a folder is known to hold one, what it is called, and its reader."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.data.dataset import Dataset
from neumf_tui.text import clean


@dataclass(frozen=True)
class Form:
    """One form; a folder that holds the first of its files is taken to hold a dataset in it."""

    files: tuple[str, ...]
    read: Callable[[Path, str], Dataset]
    """From the folder and the name of the dataset; raises DatasetError."""
    name: str = ""
    """Of the dataset, where there is but one of this form; else the folder's."""


# pandas takes 0.3 s to import: only when there is something to parse.


def _ml100k(folder: Path, _name: str) -> Dataset:
    from neumf_tui.data.movielens import read_ml100k

    return read_ml100k(folder)


def _movielens_csv(folder: Path, name: str) -> Dataset:
    from neumf_tui.data.movielens_csv import read_movielens_csv

    return read_movielens_csv(folder, name)


FORMS = (
    Form(("u.data", "u.item"), _ml100k, "ml-100k"),
    Form(("ratings.csv", "movies.csv"), _movielens_csv),
)
EXPECTED = "a folder with " + ", or with ".join(" and ".join(form.files) for form in FORMS)
RESERVED = ("auto", "demo", *(form.name for form in FORMS if form.name))
"""Names that a folder cannot give."""


@dataclass(frozen=True)
class Source:
    """A dataset's original files."""

    folder: Path
    form: Form

    @property
    def name(self) -> str:
        return self.form.name or _name_of(self.folder)

    @property
    def files(self) -> list[Path]:
        return [self.folder / file for file in self.form.files]

    def read(self) -> Dataset:
        """Raises DatasetError."""
        return self.form.read(self.folder, self.name)

    def __str__(self) -> str:
        return f"{self.name} ({self.form.files[0]})"


def sources_in(folder: Path) -> list[Source]:
    """The datasets that lie in `folder` itself; more than one where it holds files of several forms."""
    return [Source(folder.absolute(), form) for form in FORMS if _is_there(folder / form.files[0])]


def sources_below(folder: Path) -> list[Source]:
    """The datasets in the folders of `folder`, hidden ones apart, by the folders' names."""
    try:
        places = sorted(folder.iterdir())
    except OSError:
        return []
    return [source for place in places if not place.name.startswith(".") for source in sources_in(place)]


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a folder that one may not look into
        return False


def _name_of(folder: Path) -> str:
    """The folder's name as one harmless word, and no other dataset's."""
    whole = folder.resolve() if folder.name == ".." else folder
    name = "-".join(clean(whole.name).split()) or "unnamed"
    return f"{name}-files" if name in RESERVED else name
