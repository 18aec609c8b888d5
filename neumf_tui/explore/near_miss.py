"""How far a held-out film is from the top 50, and what each film of the history does to that, by fold-in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.runs.events import CUTOFF
from neumf_tui.views.person import about_ranking, film_keys
from neumf_tui.views.sheet import Sheet

BY_FOLD_IN = "fold-in: user embeddings fitted anew without the film, all else frozen; not a training without it"
BY_HISTORY = "user vectors computed again from the history without the film, all else frozen; not a training without it"
BATCH = 32
"""Histories folded in between two results."""


@dataclass(frozen=True)
class Margin:
    """The held-out film against the film that stands last in the top 50."""

    rank: float
    item: int
    """The film at place 50."""
    score: float
    """How much the held-out film's score is above (a hit) or below that film's."""
    deviations: float
    """The same in standard deviations of this person's scores, which are free in scale and origin."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What leaving out films of the history does to the held-out film's rank. Everything by fold-in, nothing trained again."""

    base: float
    """Rank after folding in the whole history: this is what the others are compared with, not the trained rank. (Of a model
    whose users' vectors are made of their histories, the two are one.)"""
    items: NDArray[np.int64]
    """Films left out so far, in the order of the history."""
    ranks: NDArray[np.float32]
    """The held-out film's rank without each."""
    total: int
    """Films of the history."""


def margin(ranking: UserRanking) -> Margin | None:
    """None where nothing is held out or there are not more candidates than the top 50 has places."""
    if ranking.heldout < 0 or len(ranking.items) <= CUTOFF:
        return None
    at = CUTOFF - 1
    apart = float(ranking.scores[ranking.heldout]) - float(ranking.scores[at])
    spread = float(ranking.scores.std(dtype=np.float64))
    return Margin(
        float(ranking.ranks[ranking.heldout]),
        int(ranking.items[at]),
        apart,
        apart / spread if spread else 0.0,
    )


def leave_out(ranker: Ranker, ranking: UserRanking) -> Iterator[LeftOut]:
    """Fold the person in without each film of their history in turn; yields what is known after each batch of films.

    Raises RunError for a history of one film: nothing is left to fold in.
    """
    person = ranking.person
    history, held = person.history, int(ranking.items[ranking.heldout])
    if len(history) < 2:
        raise RunError(
            f"{person.label} has one film in the history: without it there is nothing to fold in; choose another user"
        )
    fold_in = ranker.refit(person.who)
    whole = fold_in.fit([history])
    candidate = np.ones(ranker.dataset.num_items, dtype=bool)
    candidate[history] = False

    def ranks(gmf: NDArray[np.float32], mlp: NDArray[np.float32]) -> NDArray[np.float32]:
        first, second = ranker.scorer.embedded(torch.from_numpy(gmf), torch.from_numpy(mlp))
        scores = (first + second).numpy()
        target = scores[:, held, None]
        higher = ((scores > target) & candidate).sum(1)
        equal = ((scores == target) & candidate).sum(1) - 1
        found: NDArray[np.float32] = (1 + higher + equal / 2).astype(np.float32)
        return found

    base = float(ranks(whole.gmf, whole.mlp)[0])
    known = np.empty(0, dtype=np.float32)
    yield LeftOut(base, history[:0], known, len(history))
    for first in range(0, len(history), BATCH):
        without = [
            np.delete(history, row) for row in range(first, min(first + BATCH, len(history)))
        ]
        fitted = fold_in.fit(without, start=whole, spared=history)
        known = np.concatenate([known, ranks(fitted.gmf, fitted.mlp)])
        yield LeftOut(base, history[: len(known)], known, len(history))


def near_miss_sheet(ranker: Ranker, ranking: UserRanking, left: LeftOut | None) -> Sheet:
    """What `near-miss --json` prints: the margin, and the films whose absence would raise the held-out film most first."""
    found = margin(ranking)
    about = about_ranking(ranker, ranking) | {
        "margin": None
        if found is None
        else {
            "score": found.score,
            "deviations": found.deviations,
            "at_50": film_keys(ranker.dataset, found.item),
        },
        "method": BY_HISTORY if ranker.by_history else BY_FOLD_IN,
        "rank_by_fold_in": left.base if left else None,
    }
    rows = []
    if left is not None:
        for row in order_of(left).tolist():
            rank = float(left.ranks[row])
            rows.append(
                film_keys(ranker.dataset, int(left.items[row]))
                | {"rank_without": rank, "change": rank - left.base}
            )
    columns = ("item_id", "title", "year", "rank_without", "change")
    name = f"{ranking.person.label.replace(' ', '-')}-near-miss"
    return Sheet(name, about, "history", rows, columns, ("dataset", "user"))


def order_of(left: LeftOut) -> NDArray[np.intp]:
    """Positions in `left`, the film whose absence gives the best rank first."""
    return np.argsort(left.ranks, kind="stable")
