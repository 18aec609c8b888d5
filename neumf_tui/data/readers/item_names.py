"""Shared by the readers of item files: titles with years, genres, and each id only once."""

import ast
import re
from contextlib import suppress
from typing import Any

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.columns import normalized
from neumf_tui.errors import DatasetError

_NO_GENRES = "(no genres listed)"
_NAME_KEYS = ("name", "title", "description")
"""Keys of the name in a genre that is an object: `{'id': 18, 'name': 'Drama'}`."""


_QUOTED = re.compile(r"(?:^|[\s,])'([^']+)'(?=\s*(?:,|$))")
"""Genres as some atomic files have them: `'Toys', 'Board Games'`."""


def split_year(title: str) -> tuple[str, int | None]:
    """Return `Kolya (1996)` as (`Kolya`, 1996), for a series its first year."""
    match = re.fullmatch(r"(.*\S)\s*\((\d{4})(?:[-–](?:\d{4})?)?\)\s*", title, flags=re.DOTALL)
    return (match[1], int(match[2])) if match else (title, None)


def split_genres(text: str, separator: str) -> list[str]:
    if text.strip() == _NO_GENRES:
        return []
    genres = [genre.strip() for genre in text.split(separator)]
    return [genre for genre in genres if genre not in ("", _NO_GENRES)]


def genres_of(value: Any, column: str) -> list[str]:
    """Return the genres in a field: a list, text that looks like one, or a text with separators.

    Words are separated by `|` or `;`, in a column of genres or with a plural name by commas, and in
    one that is of RecBole's type token_seq by spaces.
    """
    if isinstance(value, list):
        parts = ([one.strip()] if isinstance(one, str) else genres_of(one, column) for one in value)
        return list(dict.fromkeys(name for part in parts for name in part if name))
    if isinstance(value, dict):
        return genres_of([value[key] for key in _NAME_KEYS if key in value][:1], column)
    if not isinstance(value, str):
        return [] if value is None else [str(value)]
    text = value.strip()
    if text[:1] == "[":
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return genres_of(ast.literal_eval(text), column)
    if "'" in text and (quoted := _QUOTED.findall(text)):
        return [name.strip() for name in quoted]
    separator = next((one for one in "|;" if one in text), "")
    if not separator and column.endswith(":token_seq"):
        separator = " "
    elif not separator and normalized(column).endswith(("s", "genre")):
        separator = ","
    return split_genres(text, separator or "|")


def year_of(value: Any) -> int | None:
    """Return the year in a date, a number or a text."""
    match = re.search(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)", "" if value is None else str(value))
    return int(match[1]) if match else None


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
