"""The items of a dataset: their ids, titles, years and genres."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Catalogue:
    """Ids, titles, years and genres of items; every list has one entry per item index."""

    item_ids: list[str]
    titles: list[str]
    years: list[int | None]
    genres: list[list[str]]

    def item_title(self, item: int) -> str:
        """Return the title with the year, if it is known: `Alien (1979)`."""
        year = self.years[item]
        return f"{self.titles[item]} ({year})" if year else self.titles[item]

    def with_untitled(self, item_ids: list[str]) -> "Catalogue":
        """Return the catalogue with more items at its end, whose titles are their ids."""
        return Catalogue(
            self.item_ids + item_ids,
            self.titles + item_ids,
            self.years + [None] * len(item_ids),
            self.genres + [[] for _ in item_ids],
        )

    def select(self, rows: Iterable[int]) -> "Catalogue":
        """Return a catalogue of the items at `rows`, in that order."""
        rows = list(rows)
        return Catalogue(
            [self.item_ids[row] for row in rows],
            [self.titles[row] for row in rows],
            [self.years[row] for row in rows],
            [self.genres[row] for row in rows],
        )
