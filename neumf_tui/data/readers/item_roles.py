"""Which columns of a table of items hold its ids, titles, years and genres, by their names.

Imports no pyarrow: the header alone decides whether a file beside the interactions is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from neumf_tui.data.columns import columns_named, normalized
from neumf_tui.data.nouns import Noun, noun_in

_TITLES = ("title", "name", "label", "headline", "prodname", "originaltitle")
_YEARS = (
    "year", "releaseyear", "publicationyear", "originalpublicationyear", "yearofpublication",
    "publishedyear", "yearpublished", "releasedate", "datereleased", "daterelease", "published",
    "publisheddate", "publicationdate", "date",
)  # fmt: skip
_GENRES = (
    "genres", "genre", "categories", "category", "categoryname", "maincategory", "class", "tags",
)  # fmt: skip


@dataclass(frozen=True)
class ItemRoles:
    """The places of the columns, counted from 0."""

    item: int
    title: int | None
    year: int | None
    genres: int | None

    @property
    def describes(self) -> bool:
        """Whether there is more than ids."""
        return len([*self]) > 1

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yield the roles that have a column."""
        roles = {"item id": self.item, "title": self.title, "year": self.year, "genre": self.genres}
        return ((role, place) for role, place in roles.items() if place is not None)


def item_roles(header: list[str], noun: Noun | None, item_column: str = "") -> ItemRoles | None:
    """Return the columns of each role; None without one of ids.

    noun: what the name of the file says. item_column: what holds the ids in the interactions.
    """
    names = [normalized(column) for column in header]

    def first_of(known: tuple[str, ...], *endings: str) -> int | None:
        """Return the place of the first name that is there, or else of a noun with an ending."""
        places = [names.index(name) for name in known if name in names]
        places += [
            place
            for ending in endings
            for place, name in enumerate(names)
            if name.endswith(ending) and noun_in(name.removesuffix(ending))
        ]
        return places[0] if places else None

    likely = [normalized(item_column)] if item_column else []
    likely += [f"{noun.singular}id", noun.singular] if noun else []
    likely += ["id", "itemid", "item", *map(normalized, columns_named(header, "item"))]
    item = first_of(tuple(likely), "id")
    if item is None:
        return None
    title = first_of(_TITLES, "title", "name")
    return ItemRoles(
        item,
        first_of(("description",), "description") if title is None else title,
        first_of(_YEARS),
        first_of(_GENRES, "genres", "genre", "categories", "category", "categoryname"),
    )
