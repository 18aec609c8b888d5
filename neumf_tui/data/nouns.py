"""What an item is called: film, product, track; always with its plural."""

from typing import Annotated, NamedTuple

import msgspec

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"\A[\w][\w '’-]*\Z")]
"""One or two words, which a terminal shows as they are."""


class Noun(NamedTuple):
    """A noun in singular and plural, in lower case unless a person wrote it otherwise."""

    singular: Word
    plural: Word


FILM = Noun("film", "films")
ITEM = Noun("item", "items")
