"""An item as table cells."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


def further_columns(dataset: "Dataset", item: int) -> dict[str, str]:
    """Return what the file of items says besides, by column; without what is empty."""
    columns = dataset.catalogue.columns.items()
    return {name: texts[item] for name, texts in columns if texts[item]}


def item_cells(dataset: "Dataset", item: int) -> tuple[str, str, str, str]:
    """Return title, year, genres, and how many users have the item in their history."""
    catalogue = dataset.catalogue
    year, genres = catalogue.years[item], " ".join(catalogue.genres[item])
    return catalogue.titles[item], str(year or ""), genres, f"{dataset.seen_by[item]:,}"
