"""Films by their titles, as people type them: without accents, articles or order, half typed, or wrong by a letter."""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.text import clean

NEAR = 80
"""Likeness of titles, 0 to 100, from which a misspelt one is recognised ("blade runer" is 96 like "blade runner")."""
CLEARER = 4
"""By how much the film recognised must be more like it than the next."""
_KEPT = 20
"""Words of queries whose answers are kept, an array a word."""
_REMEDY = "give the id, or title and year"
_EXACT_NAME, _EXACT, _WHOLE_PREFIX, _PREFIX = 5.0, 4.0, 3.0, 2.0
# Quality of the word of a title that answers a word of the query.
_WHOLE, _BEGUN, _INSIDE, _MISSPELT = 1.0, 0.9, 0.7, 0.6
_LEADING = frozenset(["the", "a", "an", "le", "la", "les", "l", "el", "il"])
"""Articles that may be left out; `die` and `un` are not among them, for they begin English titles too."""
_TRAILING = _LEADING | {
    "der",
    "die",
    "das",
    "un",
    "une",
    "una",
    "los",
    "las",
    "lo",
    "gli",
    "i",
    "o",
    "os",
    "as",
    "den",
    "det",
    "de",
}
"""Articles that a title may end with after a comma."""
_MOVED = re.compile(r"(.+),\s*(\w+)['’]?\s*", re.DOTALL)
_YEAR = re.compile(r"(.*\S)\s*\((\d{4})\)\s*", re.DOTALL)
_LAST = "\U0010ffff"  # after any letter
_ASIDE = re.compile(r"\(([^()]*)\)")
_ALIAS = re.compile(r"a\.?k\.?a\.?\s+", re.IGNORECASE)
_LETTERS = {
    "ø": "o",
    "æ": "ae",
    "œ": "oe",
    "ł": "l",
    "đ": "d",
    "ð": "d",
    "þ": "th",
    "ı": "i",
    "&": " and ",
}


class _Folding(dict[int, str]):
    """What becomes of a character, by its code; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = unicodedata.category(character)
        # Marks with a combining class are accents; the others (vowels of Indic scripts) are letters of the word.
        if unicodedata.combining(character) or kind == "Cf" or character in "'’`´":
            folded = ""
        else:
            folded = _LETTERS.get(character, character if kind[0] in "LNM" else " ")
        self[code] = folded
        return folded


_FOLDING = _Folding()


def fold(text: str) -> str:
    """`text` as words of small letters and digits without accents, a blank between them: `Amélie!` is `amelie`."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return " ".join(text.casefold().translate(_FOLDING).split())


def film_title(dataset: Dataset, item: int) -> str:
    """Title and year as people say them."""
    year = dataset.catalogue.years[item]
    return f"{dataset.catalogue.titles[item]} ({year})" if year else dataset.catalogue.titles[item]


@dataclass(frozen=True)
class Found:
    """The film that was meant."""

    item: int
    note: str
    """What a person should be told of how it was taken, safe for a terminal; empty where there was nothing to decide."""


class Titles:
    """The titles of a dataset, made ready for search: about a second for 87,000."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._years = [str(year) if year else "" for year in dataset.catalogue.years]
        self._keys = [fold(_article_first(title)) for title in dataset.catalogue.titles]
        self._popular = np.lexsort((np.arange(dataset.num_items), -dataset.seen_by))
        """Item indices, most seen first."""
        self._place = np.empty_like(self._popular)
        self._place[self._popular] = np.arange(dataset.num_items)
        # Every name a film goes by, without blanks, sorted: what begins with a query is one slice.
        names = [
            (name.replace(" ", ""), item, name)
            for item in range(dataset.num_items)
            for name in self._names(item)
        ]
        names.sort()
        self._squeezed = [squeezed for squeezed, _, _ in names]
        self._named = [(item, name) for _, item, name in names]
        # The words of each film (title and year) as numbers of a sorted vocabulary; film i has those from starts[i] on.
        words = [
            f"{key} {year}".split() or [""]
            for key, year in zip(self._keys, self._years, strict=True)
        ]
        self._vocabulary = sorted({word for row in words for word in row})
        numbers = {word: number for number, word in enumerate(self._vocabulary)}
        sizes = np.array([len(row) for row in words], dtype=np.int64)
        self._starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
        self._kept: dict[tuple[str, bool], NDArray[np.float64]] = {}
        self._words = np.array([numbers[word] for row in words for word in row], dtype=np.int32)

    # Search, for a list that follows the typing.

    def search(self, query: str, count: int = 50) -> list[int]:
        """Item indices for a query half typed, best first, at most `count`; the most seen films for an empty one.

        First films of exactly that title (an article before or after it, or left out; with or without the year), then
        titles that begin so, then those with all its words in any order: whole, begun, inside another word, misspelt.
        Equals stand by how many users have seen them, then in dataset order.
        """
        words = fold(query).split()
        if not words:
            wanted = query.strip()
            titles = self.dataset.catalogue.titles
            return [
                item for item in self._popular.tolist() if not wanted or wanted in titles[item]
            ][:count]
        score = self._by_words(words, misspelt=False)
        for item, worth in self._by_name(query):
            score[item] = max(score[item], worth)
        if np.count_nonzero(score) < count:
            np.maximum(score, self._by_words(words, misspelt=True), out=score)
        found = np.flatnonzero(score)
        if not len(found):
            return [item for item, _ in self._alike("".join(words), count, cutoff=60)]
        order = np.lexsort((self._place[found], -score[found]))
        return [int(item) for item in found[order[:count]]]

    def _by_name(self, query: str) -> Iterable[tuple[int, float]]:
        """Films whose name is the query or begins with it, and what that is worth."""
        text, year = _split_year(query)
        whole, bare = _forms(text)
        for form in dict.fromkeys((whole, bare)):
            squeezed = form.replace(" ", "")
            for item, name in self._beginning(squeezed):
                if name.replace(" ", "") == squeezed:
                    if not year or self._years[item] == year:
                        yield (
                            item,
                            _EXACT_NAME if form == whole and name == self._keys[item] else _EXACT,
                        )
                elif not year:
                    yield item, _WHOLE_PREFIX if name.startswith(f"{form} ") else _PREFIX
        rest, _, last = fold(query).rpartition(" ")
        if rest and not year and re.fullmatch(r"\d{4}", last):  # "alien 1979"
            yield from ((item, worth) for item, worth in self._by_name(f"{rest} ({last})"))

    def _beginning(self, squeezed: str) -> list[tuple[int, str]]:
        """(item, name) of the names that begin with `squeezed`, blanks apart."""
        if not squeezed:
            return []
        return self._named[
            bisect_left(self._squeezed, squeezed) : bisect_left(self._squeezed, squeezed + _LAST)
        ]

    def _by_words(self, words: list[str], misspelt: bool) -> NDArray[np.float64]:
        """Shape (num_items,): mean quality of the words, weighted by their lengths; 0 where one of them is not there."""
        worths = [(len(word), self._best(word, misspelt)) for word in words]
        total = np.sum([size * best for size, best in worths], axis=0) / sum(
            size for size, _ in worths
        )
        everywhere = np.all([best > 0 for _, best in worths], axis=0)
        return np.where(everywhere, total, 0)

    def _best(self, word: str, misspelt: bool) -> NDArray[np.float64]:
        """Shape (num_items,): quality of each film's word that answers `word` best; kept, for of a query only its end changes."""
        if (known := self._kept.get((word, misspelt))) is not None:
            return known
        quality = self._misspelt(word) if misspelt else np.zeros(len(self._vocabulary))
        quality[[number for number, known in enumerate(self._vocabulary) if word in known]] = (
            _INSIDE
        )
        first = bisect_left(self._vocabulary, word)
        quality[first : bisect_left(self._vocabulary, word + _LAST)] = _BEGUN
        if first < len(quality) and self._vocabulary[first] == word:
            quality[first] = _WHOLE
        if len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)), None)
        best: NDArray[np.float64] = np.maximum.reduceat(quality[self._words], self._starts)
        self._kept[word, misspelt] = best
        return best

    def _misspelt(self, word: str) -> NDArray[np.float64]:
        """Shape (vocabulary,): quality of the words that differ from `word` by a letter, or by two from eight letters on.

        A letter too few, too many, wrong, or swapped with its neighbour each count one (optimal string alignment).
        """
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import cdist

        quality = np.zeros(len(self._vocabulary))
        if len(word) < 4 or word.isdigit():  # another number is another thing
            return quality
        limit = 1 if len(word) < 8 else 2
        for length in range(len(word) - limit, len(word) + limit + 1):
            numbers, known = self._by_length.get(length, ([], []))
            if known:
                wrong = cdist([word], known, scorer=OSA.distance, score_cutoff=limit)[0]
                near = wrong <= limit
                quality[np.array(numbers)[near]] = _MISSPELT * (1 - wrong[near] / (2 * len(word)))
        return quality

    @cached_property
    def _by_length(self) -> dict[int, tuple[list[int], list[str]]]:
        """The vocabulary's words of each length, and their numbers."""
        result: dict[int, tuple[list[int], list[str]]] = {}
        for number, word in enumerate(self._vocabulary):
            numbers, words = result.setdefault(len(word), ([], []))
            numbers.append(number)
            words.append(word)
        return result

    def _alike(self, squeezed: str, count: int, cutoff: float = 0) -> list[tuple[int, float]]:
        """Films with the names most like `squeezed` as a whole, blanks apart, and how like, 0 to 100."""
        from rapidfuzz import fuzz
        from rapidfuzz.process import extract

        best: dict[int, float] = {}
        # A film has up to a handful of names, of which only the best counts.
        for _, likeness, row in extract(
            squeezed, self._squeezed, scorer=fuzz.ratio, score_cutoff=cutoff, limit=4 * count
        ):
            best.setdefault(self._named[row][0], likeness)
        return sorted(best.items(), key=lambda pair: (-pair[1], self._place[pair[0]]))[:count]

    # One film, named on a command line.

    def look_up(self, wanted: str) -> Found:
        """The one film that `wanted` names, and what to tell of it.

        In this order: an item id as the file has it, even where a film is titled so (its year in brackets then names the
        film); a title, letter case and accents apart, then also articles, an alternative title in brackets, or the year
        apart; the one title that has all these words; the one title that is much like it.
        Raises RunError naming the nearest five films where none is near, or all that are meant where several are.
        """
        if not wanted.strip():
            raise RunError("an empty title: give a film's id or title")
        if (item := self.dataset.item_rows.get(wanted.strip())) is not None:
            return Found(item, self._note_on_id(item, wanted.strip()))
        for level in self._exact_levels(wanted):
            if len(level) > 1:
                raise RunError(
                    f"{_quoted(wanted)} is more than one film: {self._listed(level)}; {_REMEDY}"
                )
            if level:
                return Found(level[0], "")
        found = self._near(wanted)
        return Found(found, clean(f"{_quoted(wanted)} taken as {film_title(self.dataset, found)}"))

    def _note_on_id(self, item: int, item_id: str) -> str:
        titled = [other for other in self._titled(item_id) if other != item]
        if not titled:
            return ""
        film = clean(film_title(self.dataset, item))
        return f"{_quoted(item_id)} taken as the id of {film}; a film of that title: {self._listed(titled)}"

    def _titled(self, text: str) -> list[int]:
        """Films whose title is `text` as it stands, letter case apart."""
        return [item for item, title in enumerate(self._plain) if title == text.strip().casefold()]

    @cached_property
    def _plain(self) -> list[str]:
        return [title.strip().casefold() for title in self.dataset.catalogue.titles]

    def _exact_levels(self, wanted: str) -> Iterable[list[int]]:
        """Films that are exactly `wanted`, at first in the strictest sense."""
        text, year = _split_year(wanted)
        if year:
            yield [item for item in self._titled(text) if self._years[item] == year]
        yield self._titled(wanted)
        by_worth: dict[float, dict[int, None]] = {_EXACT_NAME: {}, _EXACT: {}}
        for item, worth in self._by_name(wanted):
            if worth in by_worth:
                by_worth[worth][item] = None
        yield from map(list, by_worth.values())

    def _near(self, wanted: str) -> int:
        """The one film that is near `wanted`; raises RunError."""
        words = fold(wanted).split()
        with_all = (
            np.flatnonzero(self._by_words(words, misspelt=False) == _WHOLE).tolist()
            if words
            else []
        )
        if len(with_all) == 1:
            return int(with_all[0])
        whole, _ = _forms(wanted)
        alike = dict(self._alike(whole.replace(" ", ""), 20))
        # Words in another order are no further away than the letters are.
        for item in [*self.search(wanted, 20), *with_all[:20]]:
            alike[item] = max(alike.get(item, 0.0), self._likeness(whole, item))
        order = sorted(alike, key=lambda item: (-alike[item], self._place[item]))
        # "Rocky 6" and "Psycho (1999)" are no misspelt "Rocky 5" and "Psycho (1998)".
        numbers = {word for word in words if word.isdigit()}
        near = [
            item
            for item in order
            if alike[item] >= NEAR and numbers <= {*self._keys[item].split(), self._years[item]}
        ]
        rivals = [item for item in near if alike[item] > alike[near[0]] - CLEARER]
        if len(rivals) == 1:
            return rivals[0]
        if rivals:
            what = f"{_quoted(wanted)} may be any of {self._listed(rivals)}"
        elif with_all:
            popular = sorted(with_all, key=lambda item: int(self._place[item]))
            what = f"{_quoted(wanted)} is in {len(with_all):,} titles, the most seen: {self._listed(popular)}"
        else:
            what = (
                f"no film {_quoted(wanted)} in {self.dataset.label}; nearest: {self._listed(order)}"
            )
        raise RunError(f"{what}; {_REMEDY}")

    def _likeness(self, whole: str, item: int) -> float:
        """0 to 100, of the best name of the film, in the order of the letters or of the words."""
        from rapidfuzz import fuzz

        names = self._names(item)
        names += [f"{name} {self._years[item]}" for name in names if self._years[item]]
        return max((float(fuzz.token_sort_ratio(whole, name)) for name in names), default=0.0)

    def _names(self, item: int) -> list[str]:
        """The folded names of a film: all of its title, the title without what stands in brackets, and that by itself."""
        title = self.dataset.catalogue.titles[item]
        parts = [title]
        if "(" in title:
            asides = [_ALIAS.sub("", aside.strip()) for aside in _ASIDE.findall(title)]
            # "(1995)" and "(V)" are no names.
            parts += [
                _ASIDE.sub(" ", title).strip(),
                *(aside for aside in asides if len(aside) > 2 and not aside.isdigit()),
            ]
        forms = [form for part in parts for form in _forms(part) if form]
        return list(dict.fromkeys([self._keys[item], *forms])) if forms else []

    def _listed(self, items: list[int]) -> str:
        """At most five films with their ids, for a message."""
        ids = self.dataset.catalogue.item_ids
        return ", ".join(
            f"{_cut(film_title(self.dataset, item))} [id {clean(ids[item])}]" for item in items[:5]
        )


def _article_first(title: str) -> str:
    """`Matrix, The` as `The Matrix`."""
    if "," in title and (match := _MOVED.fullmatch(title)) and fold(match[2]) in _TRAILING:
        return f"{match[2]} {match[1]}"
    return title


def _forms(text: str) -> tuple[str, str]:
    """`text` folded with its article in front, and without it where anything is left."""
    whole = fold(_article_first(text))
    first, _, rest = whole.partition(" ")
    return whole, rest if first in _LEADING and rest else whole


def _split_year(text: str) -> tuple[str, str]:
    """`Alien (1979)` as (`Alien`, `1979`); the year is empty where there is none."""
    match = _YEAR.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")


def _quoted(text: str) -> str:
    return f"'{_cut(text)}'"


def _cut(text: str) -> str:
    """`text` safe and short enough for a message."""
    text = clean(text)
    return text if len(text) <= 80 else text[:79] + "…"
