"""Name the items of a dataset by a table of items: titles, years, genres, further columns."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.nouns import noun_in
from neumf_tui.data.prepare import Content
from neumf_tui.data.readers.item_names import genres_of, split_year, year_of
from neumf_tui.data.readers.item_roles import ItemRoles, item_roles
from neumf_tui.data.readers.item_table import ItemTable, as_id, as_text, open_items
from neumf_tui.errors import DatasetError

How = Literal["named", "known", "found"]
"""A person has named the file, the format has it, or it was found beside the interactions."""
_LONGEST = 500
"""Letters of a text in a further column that are kept."""
_ENOUGH = 0.5
"""Share of the items that a file has to hold if nobody has named it."""


def name_items(
    content: Content,
    path: Path,
    how: How,
    item_column: str = "",
    ids: Sequence[str] | None = None,
) -> Content:
    """Return the content with what the table at `path` says of its items.

    `item_column`: what their ids are called in the interactions. `ids`: what the table calls the
    items, where that is not their id.
    """
    table = open_items(path)
    roles = item_roles(table.header, noun_in(path.stem), item_column)
    if roles is None:
        raise DatasetError(
            f"{path}, line 1: no column with the ids of items; expected one that is called "
            f"{item_column or 'item_id'} or id; found {', '.join(table.header)[:120]}; fix the "
            "header, or name another file with --items"
        )
    item_ids = content.catalogue.item_ids
    names = _Names(content.catalogue, item_ids if ids is None else ids, table.header, roles)
    for values in table.rows:
        names.add(values)
    sides = (
        f"its {table.header[roles.item]} is {_examples(names.first_ids)}, "
        f"{item_column or 'the item'} of the interactions is {_examples(item_ids)}"
    )
    if how == "named" and not names.found:
        raise DatasetError(
            f"{path}: has none of the {len(item_ids):,} items: {sides}; expected the same ids in "
            "both; name another file with --items, or give its column of ids the name of the "
            "interactions'"
        )
    if how != "named" and len(names.found) < _ENOUGH * len(item_ids):
        found = f"{path.name} has {len(names.found):,} of {len(item_ids):,} items"
        notice = f"{found}, so it is not used: {sides}; --items {path} uses it nevertheless"
        return content.with_notices(notice)
    untitled = len(item_ids) - len(names.found)
    columns = {role: table.header[place] for role, place in roles}
    notices = _notices(table, names, untitled)
    if how == "found":
        told = ", ".join(f"{role} in {column}" for role, column in columns.items())
        notices.insert(0, f"items from {path.name}, found beside the interactions: {told}")
    facts = msgspec.structs.replace(
        content.facts,
        files=(*content.facts.files, path.name),
        columns=content.facts.columns | columns,
        untitled=untitled,
    )
    return replace(content, catalogue=names.catalogue(), facts=facts).with_notices(*notices)


class _Names:
    """Titles, years, genres and further columns of the items, filled row by row."""

    def __init__(
        self, items: Catalogue, ids: Sequence[str], header: list[str], roles: ItemRoles
    ) -> None:
        self._items, self._header, self._roles = items, header, roles
        self._places = defaultdict(list)
        for place, one in enumerate(ids):
            self._places[one].append(place)
        self._titles, self._years = list(items.titles), list(items.years)
        self._genres = list(items.genres)
        known = {place for _, place in roles}
        self._columns = {
            column: (place, [""] * len(ids))
            for place, column in enumerate(header)
            if place not in known
        }
        self.found: set[int] = set()
        self.repeated = 0
        self.first_ids: list[str] = []

    def add(self, values: list[Any]) -> None:
        """Add a row of the table; of several with the same id, the first counts."""
        value = values[self._roles.item]
        item_id = as_text(value)
        if len(self.first_ids) < 2:
            self.first_ids.append(item_id)
        places = self._places.get(item_id) or self._places.get(as_id(value)) or []
        self.repeated += any(place in self.found for place in places)
        for place in places:
            if place not in self.found:
                self.found.add(place)
                self._set(place, values)

    def _set(self, place: int, values: list[Any]) -> None:
        roles = self._roles
        if roles.title is not None and (text := as_text(values[roles.title]).strip()):
            self._titles[place], self._years[place] = split_year(text)
        if roles.year is not None and (found := year_of(values[roles.year])):
            self._years[place] = found
        if roles.genres is not None:
            self._genres[place] = genres_of(values[roles.genres], self._header[roles.genres])
        for column, texts in self._columns.values():
            texts[place] = as_text(values[column]).strip()[:_LONGEST]

    def catalogue(self) -> Catalogue:
        columns = {name: texts for name, (_, texts) in self._columns.items() if any(texts)}
        return replace(
            self._items,
            titles=self._titles,
            years=self._years,
            genres=self._genres,
            columns=columns,
        )


def _notices(table: ItemTable, names: _Names, untitled: int) -> list[str]:
    file, notices = table.path.name, []
    if table.encoding != "UTF-8":
        notices.append(f"{file} is not UTF-8; it is read as {table.encoding}")
    if untitled:
        notices.append(f"{untitled:,} items are not in {file}; their ids are used as titles")
    if names.repeated:
        notices.append(
            f"{names.repeated:,} rows of {file} repeat an item; the first of each counts"
        )
    if table.bad_rows:
        rows = f"{len(table.bad_rows):,} rows of {file}"
        notices.append(f"{rows} cannot be read; the first is {table.bad_rows[0]}")
    return notices


def _examples(ids: Sequence[str]) -> str:
    return " or ".join(repr(one[:40]) for one in ids[:2]) or "missing"
