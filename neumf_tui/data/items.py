"""The names of items: `movies.csv`, `movies.dat`, RecBole's `.item`, or none."""

import re
from collections.abc import Sequence
from pathlib import Path

from neumf_tui.data.dataset import Catalogue
from neumf_tui.data.layout import first_line, folded, read_header
from neumf_tui.data.lines import records
from neumf_tui.errors import DatasetError

MOVIES = ("movieId", "title", "genres")
NO_GENRES = "(no genres listed)"
_ITEM = ("movieid", "item", "itemid", "productid", "bookid", "trackid", "asin")
_TITLE = ("title", "movietitle", "name", "itemname", "booktitle", "trackname")
_YEAR = ("year", "releaseyear", "publicationyear")
_GENRES = ("genres", "genre", "class", "category", "categories")


def split_year(title: str) -> tuple[str, int | None]:
    """`Kolya (1996)` as (`Kolya`, 1996), of a series its first year; a title without a year keeps all its text."""
    match = re.fullmatch(r"(.*\S)\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*", title, flags=re.DOTALL)
    return (match[1], int(match[2])) if match else (title, None)


class _Collector:
    """Items in the order of their file, each id once."""

    def __init__(self) -> None:
        self.catalogue = Catalogue([], [], [], [])
        self._seen: dict[str, str] = {}

    def add(
        self, where: str, column: str, item_id: str, title: str, year: int | None, genres: list[str]
    ) -> None:
        if not item_id or not title.strip():
            raise DatasetError(f"{where}: {'title' if item_id else column} is empty; mend the line")
        if item_id in self._seen:
            raise DatasetError(
                f"{where}: {column} {item_id!r} stands already in {self._seen[item_id]}; remove one"
            )
        self._seen[item_id] = where.rpartition(", ")[2]
        self.catalogue.item_ids.append(item_id)
        self.catalogue.titles.append(title)
        self.catalogue.years.append(year)
        self.catalogue.genres.append(genres)


def read_movies_csv(path: Path) -> Catalogue:
    """`movieId,title,genres` with the year at the end of the title. Raises DatasetError."""
    header = read_header(path, ",")
    places = []
    for column, known in zip(MOVIES, (_ITEM, _TITLE, _GENRES), strict=True):
        found = [place for place, name in enumerate(header) if folded(name) in known]
        if len(found) != 1:
            raise DatasetError(
                f"{path}, line 1: {'more than one' if found else 'no'} column {column}; expected {', '.join(MOVIES)}, separated "
                f"by commas; found {', '.join(header)[:120]}; mend the header"
            )
        places.append(found[0])
    result = _Collector()
    for where, fields in records(path, ",", len(header)):
        item_id, title, genres = (fields[place] for place in places)
        result.add(where, header[places[0]], item_id, *split_year(title), _genres(genres, "|"))
    return result.catalogue


def read_movies_dat(path: Path) -> Catalogue:
    """`id::title (year)::genres`, UTF-8 as in MovieLens 10M, or else Latin-1 as in 1M. Raises DatasetError."""
    first_line(path)
    result = _Collector()
    for where, (item_id, title, genres) in records(
        path, "::", 3, has_header=False, quoted=False, encoding=_encoding(path)
    ):
        result.add(where, "item id", item_id, *split_year(title), _genres(genres, "|"))
    return result.catalogue


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        try:
            for line in file:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "latin-1"  # of which every byte is a letter
    return "utf-8-sig"


def read_recbole_items(path: Path) -> Catalogue:
    """RecBole's `.item`: tabs, a header of `name:type`, words of a list separated by blanks. Raises DatasetError."""
    header = read_header(path, "\t", quoted=False)

    def place(known: tuple[str, ...]) -> int | None:
        return next((place for place, name in enumerate(header) if folded(name) in known), None)

    item, title, year, genres = (place(known) for known in (_ITEM, _TITLE, _YEAR, _GENRES))
    if item is None:
        raise DatasetError(
            f"{path}, line 1: no column item_id:token; expected one, separated by tabs; found "
            f"{', '.join(header)[:120]}; mend the header"
        )
    result = _Collector()
    for where, fields in records(path, "\t", len(header), quoted=False):
        name, named_year = (
            split_year(fields[title])
            if title is not None and fields[title].strip()
            else (fields[item], None)
        )
        given = re.fullmatch(r"\s*(\d{4})(?:\.0)?\s*", fields[year]) if year is not None else None
        listed = (
            _genres(fields[genres], "|" if "|" in fields[genres] else " ")
            if genres is not None
            else []
        )
        result.add(
            where, header[item], fields[item], name, int(given[1]) if given else named_year, listed
        )
    return result.catalogue


def nameless(item_ids: Sequence[str]) -> Catalogue:
    """Items called by their ids."""
    return Catalogue([*item_ids], [*item_ids], [None] * len(item_ids), [[] for _ in item_ids])


def _genres(text: str, separator: str) -> list[str]:
    if text.strip() == NO_GENRES:
        return []
    return [
        genre.strip() for genre in text.split(separator) if genre.strip() not in ("", NO_GENRES)
    ]
