"""How far a held-out item is from the top 50, and what each item of the history does to that."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.evaluation.ranks import rank_among
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.runs.events import CUTOFF

BATCH = 32  # items left out between two results


@dataclass(frozen=True)
class Margin:
    """The held-out item beside the item at place 50."""

    rank: float
    item: int  # the item at place 50
    score: float  # score of the held-out item less that item's: positive for a hit
    deviations: float
    """The same in standard deviations of this person's scores, whose scale is arbitrary."""


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Ranks of the held-out item without single items of the history; no model is trained again."""

    base: float
    """Rank after folding in the whole history, which the others are compared with; it differs from
    the trained rank unless the model makes users' vectors of their histories."""
    items: NDArray[np.int64]  # items left out so far, in the order of the history
    ranks: NDArray[np.float32]  # the held-out item's rank without each of them
    total: int  # items of the history

    @property
    def best_first(self) -> NDArray[np.intp]:
        """Positions in `items`; the item without which the rank is best comes first."""
        return np.argsort(self.ranks, kind="stable")


def margin(ranking: UserRanking) -> Margin | None:
    """Return None where nothing is held out, every rank is a hit, or one of both has no score."""
    if not ranking.heldout_is_known or ranking.known < CUTOFF or len(ranking.items) <= CUTOFF:
        return None
    at = CUTOFF - 1
    difference = float(ranking.scores[ranking.heldout]) - float(ranking.scores[at])
    spread = float(ranking.scores[: ranking.known].std(dtype=np.float64))
    return Margin(
        rank=float(ranking.ranks[ranking.heldout]),
        item=int(ranking.items[at]),
        score=difference,
        deviations=difference / spread if spread else 0.0,
    )


def leave_out(ranker: Ranker, ranking: UserRanking) -> Iterator[LeftOut]:
    """Fold the person in without each item of their history, and yield after each batch of items.

    Raises RunError for a history of one item: nothing is left to fold in. Raises CannotError where
    the model has no scores for newcomers.
    """
    person = ranking.person
    history, held = person.history, int(ranking.items[ranking.heldout])
    if len(history) < 2:
        raise RunError(
            f"{person.label} has one {ranker.dataset.noun.singular} in the history: without it "
            "there is nothing to fold in; choose another user"
        )

    ranks: list[float] = []
    for scores in ranker.scorer.without_each(person.profile):
        scores[:, history] = np.nan
        ranks += rank_among(scores, scores[:, held]).tolist()  # the whole history's comes first
        done = len(ranks) - 1
        if done % BATCH == 0 or done == len(history):
            without = np.array(ranks[1:], np.float32)
            yield LeftOut(ranks[0], history[:done], without, len(history))
