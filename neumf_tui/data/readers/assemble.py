"""Build a dataset from the rows of a file and the catalogue of its items."""

from pathlib import Path

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset, prepare
from neumf_tui.data.progress import Report
from neumf_tui.data.readers.rows import Rows, in_seconds, indices
from neumf_tui.data.readers.text_by_line import interaction_records
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError


def assemble(
    name: str,
    place: Path,
    rows: Rows,
    catalogue: Catalogue | None,
    report: Report,
    files: tuple[Path, Layout, Path] | None = None,
) -> Dataset:
    """Return the dataset of the interactions `rows`, whose lists are emptied.

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
    times, order, unit = in_seconds(rows.times, rows.units_per_second)
    interactions = Interactions(users, items, times)
    if order is not None:
        interactions = Interactions(users[order], items[order], times[order])
    del users, items, times, order  # free the memory before the split
    dataset = prepare(name, str(place), user_ids, catalogue, interactions, report=report)
    if unit:
        notices.append(f"timestamps are too large for seconds, and are read as {unit}")
    for notice in notices:
        dataset = dataset.with_notice(notice)
    return dataset


def _item_missing(path: Path, layout: Layout, items: Path, ids: set[str]) -> DatasetError:
    """Return the error that names the first line of `path` with one of these item `ids`."""
    for where, fields in interaction_records(path, layout):
        if fields[layout.item] in ids:
            return DatasetError(
                f"{where}: {layout.header[layout.item]} {fields[layout.item]!r} is not in {items}; "
                "add it there, or remove the line"
            )
    return DatasetError(f"{path}: the file changed while it was read; run again")
