"""Bring the rows of a file and the catalogue of its items together."""

from pathlib import Path

import numpy as np

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.prepare import Content
from neumf_tui.data.readers.rows import Rows, indices, whole_times
from neumf_tui.data.readers.text_by_line import interaction_records
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.split import Interactions, Ties
from neumf_tui.errors import DatasetError


def assemble(
    rows: Rows,
    catalogue: Catalogue | None,
    files: tuple[Path, Layout, Path] | None = None,
    ties: Ties = "hash",
) -> Content:
    """Return the interactions `rows`, whose lists are emptied, with users and items by number.

    Items that are not in `catalogue` use their id as title. With `files` (ratings, their layout,
    items) they raise DatasetError. Items without interactions are left out.
    """
    user_ids, users = indices(rows.users)
    item_ids, items = indices(rows.items)
    notices = []
    if catalogue is None:
        catalogue = Catalogue([], [], [], []).with_untitled(item_ids)
    else:
        known = set(catalogue.item_ids)
        missing = [item_id for item_id in item_ids if item_id not in known]
        if missing and files is not None:
            raise _item_missing(*files, set(missing))
        if missing:
            notices.append(
                f"{len(missing):,} items are not in the file of items; their ids are used as titles"
            )
            catalogue = catalogue.with_untitled(missing)
        places = {item_id: place for place, item_id in enumerate(catalogue.item_ids)}
        catalogue = catalogue.select(places[item_id] for item_id in item_ids)
    times, units_per_second, unit = whole_times(rows.times, rows.units_per_second)
    if unit:
        notices.append(f"timestamps are too large for seconds, and are read as {unit}")
    ratings = np.concatenate(rows.ratings) if rows.ratings else None
    rows.ratings.clear()
    facts = ReadFacts(rows=len(users), notices=tuple(notices))
    interactions = Interactions(users, items, times, ratings, None, units_per_second)
    return Content(user_ids, catalogue, interactions, ties, facts=facts)


def _item_missing(path: Path, layout: Layout, items: Path, ids: set[str]) -> DatasetError:
    """Return the error that names the first line of `path` with one of these item `ids`."""
    for where, fields in interaction_records(path, layout):
        if fields[layout.item] in ids:
            return DatasetError(
                f"{where}: {layout.header[layout.item]} {fields[layout.item]!r} is not in {items}; "
                "add it there, or remove the line"
            )
    return DatasetError(f"{path}: the file changed while it was read; run again")
