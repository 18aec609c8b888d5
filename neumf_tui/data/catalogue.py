"""The items of a dataset: their ids, titles, years and genres."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from neumf_tui.data.nouns import FILM, Noun


@dataclass(frozen=True)
class Catalogue:
    """Ids, titles, years and genres of items; every list has one entry per item index."""

    item_ids: list[str]
    titles: list[str]
    years: list[int | None]
    genres: list[list[str]]
    noun: Noun = FILM
    """What one of the items is called, and several."""
    columns: dict[str, list[str]] = field(default_factory=dict)
    """Further columns of the file of items by name: texts as in the file, empty where it has none.
    """

    @cached_property
    def has_years(self) -> bool:
        """Whether the year of any item is known."""
        return any(self.years)

    @property
    def has_eras(self) -> bool:
        """Whether decades say something of the items: they do of films."""
        return self.noun == FILM and self.has_years

    @cached_property
    def has_genres(self) -> bool:
        """Whether the genre of any item is known."""
        return any(self.genres)

    def item_title(self, item: int) -> str:
        """Return the title with the year, if it is known: `Alien (1979)`."""
        year = self.years[item]
        return f"{self.titles[item]} ({year})" if year else self.titles[item]

    def with_untitled(self, item_ids: list[str]) -> "Catalogue":
        """Return the catalogue with more items at its end, whose titles are their ids."""
        return replace(
            self,
            item_ids=self.item_ids + item_ids,
            titles=self.titles + item_ids,
            years=self.years + [None] * len(item_ids),
            genres=self.genres + [[] for _ in item_ids],
            columns={name: texts + [""] * len(item_ids) for name, texts in self.columns.items()},
        )

    def select(self, rows: Iterable[int]) -> "Catalogue":
        """Return a catalogue of the items at `rows`, in that order."""
        rows = list(rows)
        return replace(
            self,
            item_ids=[self.item_ids[row] for row in rows],
            titles=[self.titles[row] for row in rows],
            years=[self.years[row] for row in rows],
            genres=[self.genres[row] for row in rows],
            columns={name: [texts[row] for row in rows] for name, texts in self.columns.items()},
        )
