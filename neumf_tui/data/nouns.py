"""What an item is called: film, product, track; always with its plural."""

import re
from typing import Annotated, NamedTuple

import msgspec

from neumf_tui.errors import UsageError

_WORD = r"\w[\w '’-]{0,39}"
Word = Annotated[str, msgspec.Meta(pattern=rf"\A{_WORD}\Z")]
"""At most 40 letters, which a terminal shows as they are."""


class Noun(NamedTuple):
    """A noun in singular and plural."""

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
_IRREGULAR = {
    "child": "children", "man": "men", "woman": "women", "person": "people", "mouse": "mice",
    "foot": "feet", "tooth": "teeth", "goose": "geese", "hero": "heroes", "potato": "potatoes",
    "tomato": "tomatoes", "echo": "echoes", "knife": "knives", "life": "lives", "wife": "wives",
    "shelf": "shelves", "leaf": "leaves", "half": "halves", "loaf": "loaves", "wolf": "wolves",
    "quiz": "quizzes", "analysis": "analyses", "hypothesis": "hypotheses",
}  # fmt: skip
_UNCHANGED = {
    "series", "species", "news", "software", "music", "sheep", "fish", "anime", "manga",
    "equipment", "merchandise", "clothing", "content", "media", "data", "jewellery", "jewelry",
}  # fmt: skip
_KNOWN = (
    "item", "product", "good", "article", "track", "song", "artist", "album", "book", "news",
    "game", "app", "recipe", "video", "show", "series", "course", "restaurant", "business", "place",
    "venue", "hotel", "job", "post", "podcast", "episode", "anime", "manga", "beer", "wine", "dish",
    "store", "shop", "brand", "listing", "property", "event", "paper", "joke", "photo", "picture",
    "image", "clip", "playlist", "channel", "station", "toy", "document", "service", "offer", "ad",
    "coupon", "lecture", "story", "bookmark", "location", "ingredient", "meal", "drink", "gift",
    "comic", "magazine", "question", "repository", "film",
)  # fmt: skip
"""Words that the names of files and columns are searched for."""
_SAME = {"movie": "film", "sku": "product", "asin": "product", "isbn": "book", "poi": "place",
         "catalog": "item", "catalogue": "item", "metadata": "item", "meta": "item"}  # fmt: skip
"""Words that stand for a known one."""
_AROUND = {
    "meta", "metadata", "info", "data", "dataset", "catalog", "catalogue", "list", "table",
    "details", "features", "title", "titles", "name", "names", "all", "id", "ids", "parent",
}  # fmt: skip
"""Words that may come after the noun in the name of a file or column."""


def plural_of(word: str) -> str:
    """Return the plural of an English noun; of several words, that of the last."""
    first, gap, last = word.rpartition(" ")
    low = last.casefold()
    if low in _UNCHANGED:
        return word
    if low in _IRREGULAR:
        return first + gap + last[:1] + _IRREGULAR[low][1:]
    if re.search(r"(s|x|z|ch|sh)$", low):
        return f"{word}es"
    return f"{word[:-1]}ies" if re.search(r"[^aeiou]y$", low) else f"{word}s"


def parse_noun(text: str) -> Noun:
    """Return the noun that `--noun` names: a word, or a word and its plural, `WORD/PLURAL`."""
    words = [" ".join(word.split()) for word in text.split("/")]
    if len(words) > 2 or not all(re.fullmatch(_WORD, word) for word in words):
        raise UsageError(
            f"--noun {text}: expected a word such as product, or a word and its plural such as "
            "person/people; use letters, spaces and hyphens"
        )
    return Noun(words[0], words[-1] if len(words) == 2 else plural_of(words[0]))


def noun_in(name: str) -> Noun | None:
    """Return the noun that the name of a file or column ends with, None for no known one.

    `products`, `BX-Books`, `movies_metadata` and `trackId` have one.
    """
    apart = re.sub("([a-z])([A-Z])", r"\1 \2", name).casefold()
    words = re.findall("[a-z]+", apart)
    while len(words) > 1 and words[-1] in _AROUND:
        words.pop()
    last = words[-1] if words else ""
    return _NOUNS.get(last) or _NOUNS.get(last.removesuffix("id"))


def _known_nouns() -> dict[str, Noun]:
    nouns = {word: Noun(word, plural_of(word)) for word in _KNOWN}
    nouns |= {word: nouns[known] for word, known in _SAME.items()}
    return nouns | {plural_of(word): noun for word, noun in nouns.items()}


_NOUNS = _known_nouns()
