"""What an item is called: film, product, track; always with its plural."""

from typing import Annotated, NamedTuple

import msgspec

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"\A[\w][\w '’-]*\Z")]
"""One or two words, which a terminal shows as they are."""


class Noun(NamedTuple):
    """A noun in singular and plural, in lower case unless a person wrote it otherwise."""

    singular: Word
    plural: Word

    def counted(self, number: int) -> str:
        """Return `1 film` or `1,682 films`."""
        return f"{number:,} {self.singular if number == 1 else self.plural}"

    def in_history(self, number: int) -> str:
        """Return how many of them a person has: `12 watched`, but `12 products`."""
        return f"{number:,} {self.of_history}" if self == FILM else self.counted(number)

    @property
    def of_history(self) -> str:
        """The title of a column with these numbers."""
        return "watched" if self == FILM else self.plural

    def fill(self, template: str) -> str:
        """Return the text with the noun for `{item}`, `{items}`, `{Item}` and `{Items}`.

        Templates have no indefinite article before it: whether it is `a` or `an` is not known.
        """
        for name, word in (("item", self.singular), ("items", self.plural)):
            template = template.replace(f"{{{name}}}", word)
            capital = word[:1].upper() + word[1:]
            template = template.replace(f"{{{name.capitalize()}}}", capital)
        return template


FILM = Noun("film", "films")
ITEM = Noun("item", "items")
