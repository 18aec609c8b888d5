"""An item as table cells."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset


def item_cells(dataset: "Dataset", item: int) -> tuple[str, str, str, str]:
    """Return title, year, genres, and how many users have the item in their history."""
    catalogue = dataset.catalogue
    year, genres = catalogue.years[item], " ".join(catalogue.genres[item])
    return catalogue.titles[item], str(year or ""), genres, f"{dataset.seen_by[item]:,}"
