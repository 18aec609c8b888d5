"""Titles in a form in which they can be compared: without case, accents, articles or years."""

import re
import unicodedata

_LEADING_ARTICLES = frozenset(["the", "a", "an", "le", "la", "les", "l", "el", "il"])
"""Articles that a query may omit; without `die` and `un`, which also start English titles."""
_TRAILING_ARTICLES = _LEADING_ARTICLES | {
    "der", "die", "das", "un", "une", "una", "los", "las", "lo", "gli", "i", "o", "os", "as",
    "den", "det", "de",
}  # fmt: skip
"""Articles that may stand at the end of a title, after a comma."""
_TRAILING_ARTICLE = re.compile(r"(.+),\s*(\w+)['’]?\s*", re.DOTALL)
_YEAR = re.compile(r"(.*\S)\s*\((\d{4})\)\s*", re.DOTALL)
_BRACKETS = re.compile(r"\(([^()]*)\)")
_ALIAS = re.compile(r"a\.?k\.?a\.?\s+", re.IGNORECASE)
_REPLACED = {
    "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "&": " and ",
}  # fmt: skip


class _Folding(dict[int, str]):
    """The replacement of each character, by its code; filled when a character first occurs."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        # Marks with a combining class are accents; others (vowels of Indic scripts) are letters.
        if unicodedata.combining(character) or kind == "Cf" or character in "'’`´":
            folded = ""
        else:
            folded = _REPLACED.get(character, character if kind[0] in "LNM" else " ")
        self[code] = folded
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """Return the words of `text` in lower case without accents: `Amélie!` becomes `amelie`."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return " ".join(text.casefold().translate(_FOLDING).split())


def article_first(title: str) -> str:
    """Return `Matrix, The` as `The Matrix`."""
    match = _TRAILING_ARTICLE.fullmatch(title) if "," in title else None
    if match and fold(match[2]) in _TRAILING_ARTICLES:
        return f"{match[2]} {match[1]}"
    return title


def folded_forms(text: str) -> tuple[str, str]:
    """Return `text` folded with its article first, and the same without the article."""
    whole = fold(article_first(text))
    first, _, rest = whole.partition(" ")
    return whole, rest if first in _LEADING_ARTICLES and rest else whole


def split_year(text: str) -> tuple[str, str]:
    """Return `Alien (1979)` as (`Alien`, `1979`); the year is empty if there is none."""
    match = _YEAR.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")


def names_of(title: str) -> list[str]:
    """Return the folded names of an item: its title, that without brackets, and each in brackets.

    Each also without its leading article; `(1995)` and `(V)` are not names.
    """
    parts = [title]
    if "(" in title:
        inside = [_ALIAS.sub("", text.strip()) for text in _BRACKETS.findall(title)]
        parts.append(_BRACKETS.sub(" ", title).strip())
        parts += [text for text in inside if len(text) > 2 and not text.isdigit()]
    forms = [form for part in parts for form in folded_forms(part) if form]
    return list(dict.fromkeys([fold(article_first(title)), *forms])) if forms else []
