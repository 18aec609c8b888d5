"""Shared by the readers of item files: titles with years, genres, and each id only once."""

import re

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.columns import normalized
from neumf_tui.errors import DatasetError

_COLUMN_NAMES = {
    "item": ("movieid", "item", "itemid", "productid", "bookid", "trackid", "asin"),
    "title": ("title", "movietitle", "name", "itemname", "booktitle", "trackname"),
    "year": ("year", "releaseyear", "publicationyear"),
    "genres": ("genres", "genre", "class", "category", "categories"),
}
"""Known names of columns in a file of items, normalized."""
_NO_GENRES = "(no genres listed)"


def item_columns(header: list[str]) -> dict[str, list[int]]:
    """Return the places of the columns that may be item, title, year and genres, in this order."""
    names = [normalized(column) for column in header]
    return {
        role: [place for place, name in enumerate(names) if name in known]
        for role, known in _COLUMN_NAMES.items()
    }


def split_year(title: str) -> tuple[str, int | None]:
    """Return `Kolya (1996)` as (`Kolya`, 1996), for a series its first year."""
    match = re.fullmatch(r"(.*\S)\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*", title, flags=re.DOTALL)
    return (match[1], int(match[2])) if match else (title, None)


def split_genres(text: str, separator: str) -> list[str]:
    if text.strip() == _NO_GENRES:
        return []
    genres = [genre.strip() for genre in text.split(separator)]
    return [genre for genre in genres if genre not in ("", _NO_GENRES)]


class CatalogueBuilder:
    """A catalogue in the order of its file."""

    def __init__(self) -> None:
        self.catalogue = Catalogue([], [], [], [])
        self._lines: dict[str, str] = {}

    def add(
        self, where: str, column: str, item_id: str, title: str, year: int | None, genres: list[str]
    ) -> None:
        """Add an item; raise DatasetError, naming `where`, for an empty field or a repeated id."""
        if not item_id or not title.strip():
            raise DatasetError(f"{where}: {'title' if item_id else column} is empty; fix the line")
        if item_id in self._lines:
            raise DatasetError(
                f"{where}: {column} {item_id!r} is already in {self._lines[item_id]}; remove one"
            )
        self._lines[item_id] = where.rpartition(", ")[2]
        self.catalogue.item_ids.append(item_id)
        self.catalogue.titles.append(title)
        self.catalogue.years.append(year)
        self.catalogue.genres.append(genres)
