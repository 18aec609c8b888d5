"""Search items by title: partly typed, misspelt, without accents or articles, in any word order."""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.strings import INSIDE, START, WHOLE, Strings
from neumf_tui.data.titles import article_first, fold, folded_forms, names_of, split_year
from neumf_tui.errors import RunError, UnknownNameError
from neumf_tui.text import clean, shortened

_NEAR = 80
"""Similarity of titles (0 to 100) at which a misspelt one is accepted.

"blade runer" and "blade runner" have 96."""
_MARGIN = 4
"""How much more similar the accepted title must be than the next one."""
_CACHED_WORDS = 20
"""Query words whose result (one array each) is cached."""
# Scores of a whole title or its start, then of one word. A title's score is the mean of its words.
# Those of an id and of its start are above all of them. A query inside an id is less: titles that
# start with "300" are meant more often than one of the many ids that contain it.
_EXACT_NAME, _EXACT, _WHOLE_PREFIX, _PREFIX = 5.0, 4.0, 3.0, 2.0
_WORD, _WORD_START, _WORD_PART, _MISSPELT = 1.0, 0.9, 0.7, 0.6
_YEAR = 0.5
"""Share of these scores that a year has, so that titles with the number come first."""
_ID, _ID_START, _ID_PART = 7.0, 6.0, 1.5
_LAST = "\U0010ffff"  # sorts after every letter


@dataclass(frozen=True)
class TitleMatch:
    """The item that a person named."""

    item: int
    note: str
    """How the name was understood, safe for a terminal; empty if it was exact."""


class TitleSearch:
    """A search index of the titles of a dataset: building it takes about a second for 87,000."""

    def __init__(self, catalogue: Catalogue, seen_by: NDArray[np.int64], label: str) -> None:
        """Build the index; `seen_by`, shape (num_items,), orders equally good results.

        `label` names the dataset in messages.
        """
        self.catalogue = catalogue
        self._label = label
        self._hint = f"give the id{', or title and year' * catalogue.has_years}"
        num_items = len(catalogue.titles)
        self._years = [str(year) if year else "" for year in catalogue.years]
        self._known_years, self._year_of = np.unique(np.array(self._years), return_inverse=True)
        self._ids = Strings.of(catalogue.item_ids)
        self._keys = [fold(article_first(title)) for title in catalogue.titles]
        self._by_popularity = np.lexsort((np.arange(num_items), -seen_by))
        self._place = np.empty_like(self._by_popularity)
        self._place[self._by_popularity] = np.arange(num_items)
        # All names without blanks, sorted: those that start with a query are one slice.
        names = [
            (name.replace(" ", ""), item, name)
            for item, title in enumerate(catalogue.titles)
            for name in names_of(title)
        ]
        names.sort()
        self._squeezed = [squeezed for squeezed, _, _ in names]
        self._named = [(item, name) for _, item, name in names]
        # Words of titles as numbers of a sorted vocabulary; item i's start at starts[i].
        words = [key.split() or [""] for key in self._keys]
        self._vocabulary = sorted({word for row in words for word in row})
        numbers = {word: number for number, word in enumerate(self._vocabulary)}
        sizes = np.array([len(row) for row in words], dtype=np.int64)
        self._starts = np.concatenate(([0], np.cumsum(sizes)))[:-1]
        self._words = np.array([numbers[word] for row in words for word in row], dtype=np.int32)
        # Cached, because while a person types only the last word of the query changes.
        self._word_scores = lru_cache(_CACHED_WORDS)(self._score_word)

    def search(self, query: str, count: int = 50) -> list[int]:
        """Return at most `count` item indices for a partly typed query, best first.

        Order: the item with this id, ids that start with it; exact titles (article before, after or
        omitted; with or without the year), titles that start with the query, ids that contain it,
        then titles with all its words: whole, started, inside another word, or misspelt; then
        years. Equal ones are ordered by number of users, then by item index. An empty query returns
        the items with the most users.
        """
        words, wanted = fold(query).split(), query.strip()
        if words:
            score = self._by_words(words, misspelt=False)
        else:
            titles = self.catalogue.titles
            score = np.array([_WORD_PART if wanted in title else 0.0 for title in titles])
        for item, name_score in self._by_name(query):
            score[item] = max(score[item], name_score)
        if words and np.count_nonzero(score) < count:
            np.maximum(score, self._by_words(words, misspelt=True), out=score)
        if wanted:
            of_ids = self._ids.matches(wanted)
            for match, level in ((INSIDE, _ID_PART), (START, _ID_START), (WHOLE, _ID)):
                np.maximum(score, level, out=score, where=of_ids == match)
        found = np.flatnonzero(score)
        if not len(found):
            return [item for item, _ in self._most_similar("".join(words), count, cutoff=60)]
        order = np.lexsort((self._place[found], -score[found]))
        return [int(item) for item in found[order[:count]]]

    def _by_name(self, query: str) -> Iterable[tuple[int, float]]:
        """Yield items whose name equals the query or starts with it, and their score."""
        text, year = split_year(query)
        whole, bare = folded_forms(text)
        for form in dict.fromkeys((whole, bare)):
            squeezed = form.replace(" ", "")
            for item, name in self._starting_with(squeezed):
                if name.replace(" ", "") == squeezed:
                    if not year or self._years[item] == year:
                        exact = form == whole and name == self._keys[item]
                        yield item, _EXACT_NAME if exact else _EXACT
                elif not year:
                    yield item, _WHOLE_PREFIX if name.startswith(f"{form} ") else _PREFIX
        rest, _, last = fold(query).rpartition(" ")
        if rest and not year and re.fullmatch(r"\d{4}", last):  # "alien 1979"
            yield from self._by_name(f"{rest} ({last})")

    def _starting_with(self, squeezed: str) -> list[tuple[int, str]]:
        """Return (item, name) of the names that start with `squeezed`, ignoring blanks."""
        if not squeezed:
            return []
        first = bisect_left(self._squeezed, squeezed)
        return self._named[first : bisect_left(self._squeezed, squeezed + _LAST)]

    def _by_words(
        self, words: list[str], misspelt: bool, year: float = _YEAR
    ) -> NDArray[np.float64]:
        """Return the mean score of the words, weighted by length, shape (num_items,).

        It is 0 for items that lack one of the words; the year counts `year` as much as the title.
        """
        sizes = [len(word) for word in words]
        scores = [
            np.maximum(self._word_scores(word, misspelt), year * self._score_years(word))
            for word in words
        ]
        total = np.sum([size * score for size, score in zip(sizes, scores, strict=True)], axis=0)
        has_all = np.all([score > 0 for score in scores], axis=0)
        return np.where(has_all, total / sum(sizes), 0)

    def _score_word(self, word: str, misspelt: bool) -> NDArray[np.float64]:
        """Return the score of each item's best match for `word`, shape (num_items,)."""
        score = self._misspelt(word) if misspelt else np.zeros(len(self._vocabulary))
        inside = [number for number, known in enumerate(self._vocabulary) if word in known]
        score[inside] = _WORD_PART
        first = bisect_left(self._vocabulary, word)
        score[first : bisect_left(self._vocabulary, word + _LAST)] = _WORD_START
        if first < len(score) and self._vocabulary[first] == word:
            score[first] = _WORD
        best: NDArray[np.float64] = np.maximum.reduceat(score[self._words], self._starts)
        return best

    def _score_years(self, word: str) -> NDArray[np.float64]:
        """Return the score of each item's year as a word, shape (num_items,)."""
        scores = [
            _WORD
            if word == year
            else _WORD_START
            if year.startswith(word)
            else _WORD_PART
            if word in year
            else 0.0
            for year in self._known_years.tolist()
        ]
        found: NDArray[np.float64] = np.array(scores)[self._year_of]
        return found

    def _misspelt(self, word: str) -> NDArray[np.float64]:
        """Return the score of words that differ from `word` by one letter, shape (vocabulary,).

        From eight letters on by two. A missing, extra or wrong letter counts as one, and so do two
        swapped neighbours (optimal string alignment).
        """
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import cdist

        score = np.zeros(len(self._vocabulary))
        if len(word) < 4 or word.isdigit():  # a different number is not a misspelling
            return score
        limit = 1 if len(word) < 8 else 2
        distance = cdist([word], self._vocabulary, scorer=OSA.distance, score_cutoff=limit)[0]
        near = distance <= limit
        score[near] = _MISSPELT * (1 - distance[near] / (2 * len(word)))
        return score

    def _most_similar(self, name: str, count: int, cutoff: float = 0) -> list[tuple[int, float]]:
        """Return the items with the names most similar to `name`, and the similarity (0-100).

        `name` is folded and without blanks.
        """
        from rapidfuzz import fuzz
        from rapidfuzz.process import extract

        best: dict[int, float] = {}
        # An item has up to a handful of names, and only the best one counts.
        for _, similarity, row in extract(
            name, self._squeezed, scorer=fuzz.ratio, score_cutoff=cutoff, limit=4 * count
        ):
            best.setdefault(self._named[row][0], similarity)
        return sorted(best.items(), key=lambda pair: (-pair[1], self._place[pair[0]]))[:count]

    def look_up(self, wanted: str) -> TitleMatch:
        """Return the one item that `wanted` names, e.g. on a command line.

        The first that applies: an item id (even if another item has this title: add the year to
        name that one); an exact title, ignoring case and accents, then also ignoring articles, the
        year, or all but an alternative title in brackets; the only title with all these words; the
        only title that is very similar.
        Raises RunError that lists the nearest five items if none is near, or all candidates if
        there are several.
        """
        if not wanted.strip():
            noun = self.catalogue.noun
            raise RunError(f"the title is empty: give the id or the title of one {noun.singular}")
        item_id = wanted.strip()
        if item_id in self.catalogue.item_ids:
            item = self.catalogue.item_ids.index(item_id)
            return TitleMatch(item, self._note_on_id(item, item_id))
        for level in self._exact_levels(wanted):
            if len(level) > 1:
                several = f"{_quoted(wanted)} matches several {self.catalogue.noun.plural}"
                raise RunError(f"{several}: {self._listed(level)}; {self._hint}")
            if level:
                return TitleMatch(level[0], "")
        item = self._near(wanted)
        title = self.catalogue.item_title(item)
        return TitleMatch(item, clean(f"{_quoted(wanted)} understood as {title}"))

    def _note_on_id(self, item: int, item_id: str) -> str:
        titled = [other for other in self._titled(item_id) if other != item]
        if not titled:
            return ""
        title = clean(self.catalogue.item_title(item))
        return (
            f"{_quoted(item_id)} understood as the id of {title}; "
            f"{self.catalogue.noun.plural} with that title: {self._listed(titled)}"
        )

    def _titled(self, text: str) -> list[int]:
        """Return the items whose title is `text`, ignoring only letter case."""
        wanted = text.strip().casefold()
        titles = self.catalogue.titles
        return [item for item, title in enumerate(titles) if title.strip().casefold() == wanted]

    def _exact_levels(self, wanted: str) -> Iterable[list[int]]:
        """Yield lists of items that `wanted` names exactly, in the strictest sense first."""
        text, year = split_year(wanted)
        if year:
            yield [item for item in self._titled(text) if self._years[item] == year]
        yield self._titled(wanted)
        by_score: dict[float, dict[int, None]] = {_EXACT_NAME: {}, _EXACT: {}}
        for item, score in self._by_name(wanted):
            if score in by_score:
                by_score[score][item] = None
        yield from map(list, by_score.values())

    def _near(self, wanted: str) -> int:
        """Return the only item that is near `wanted`; raise RunError otherwise."""
        words = fold(wanted).split()
        with_all = []
        if words:
            exact = self._by_words(words, misspelt=False, year=1) == _WORD
            with_all = np.flatnonzero(exact).tolist()
        if len(with_all) == 1:
            return int(with_all[0])
        whole, _ = folded_forms(wanted)
        similarity = dict(self._most_similar(whole.replace(" ", ""), 20))
        # Words in another order count as much as similar letters.
        for item in [*self.search(wanted, 20), *with_all[:20]]:
            similarity[item] = max(similarity.get(item, 0.0), self._similarity(whole, item))
        order = sorted(similarity, key=lambda item: (-similarity[item], self._place[item]))
        # "Rocky 6" is not a misspelt "Rocky 5", nor "Psycho (1999)" a misspelt "Psycho (1998)".
        numbers = {word for word in words if word.isdigit()}
        near = [
            item
            for item in order
            if similarity[item] >= _NEAR
            and numbers <= {*self._keys[item].split(), self._years[item]}
        ]
        rivals = [item for item in near if similarity[item] > similarity[near[0]] - _MARGIN]
        if len(rivals) == 1:
            return rivals[0]
        if rivals:
            problem = f"{_quoted(wanted)} may be any of {self._listed(rivals)}"
        elif with_all:
            popular = sorted(with_all, key=lambda item: int(self._place[item]))
            problem = (
                f"{_quoted(wanted)} is in {len(with_all):,} titles, "
                f"the most seen: {self._listed(popular)}"
            )
        else:
            missing = f"no {self.catalogue.noun.singular} {_quoted(wanted)} in {self._label}"
            problem = f"{missing}; nearest: {self._listed(order)}; {self._hint}"
            raise UnknownNameError(problem, wanted, is_user=False)
        raise RunError(f"{problem}; {self._hint}")

    def _similarity(self, whole: str, item: int) -> float:
        """Return the similarity (0 to 100) of the item's best name, in any word order."""
        from rapidfuzz import fuzz

        names = names_of(self.catalogue.titles[item])
        if self._years[item]:
            names += [f"{name} {self._years[item]}" for name in names]
        return max((float(fuzz.token_sort_ratio(whole, name)) for name in names), default=0.0)

    def _listed(self, items: list[int]) -> str:
        """Return at most five items with their ids, for a message."""
        return ", ".join(
            f"{shortened(self.catalogue.item_title(item))} "
            f"[id {clean(self.catalogue.item_ids[item])}]"
            for item in items[:5]
        )


def _quoted(text: str) -> str:
    return f"'{shortened(text)}'"
