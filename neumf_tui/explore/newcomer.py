"""The list that somebody gets before they have picked an item."""

from neumf_tui.explore.guests import Guest
from neumf_tui.explore.ranker import Person, Ranker, UserRanking

UNSAVED = "new"  # name of a guest who has none yet


def average_ranking(ranker: Ranker) -> UserRanking:
    """Rank every item for the mean of all users' vectors; the person is a guest without items.

    Fold-in starts there, and stays nearer to it the less a history says. Raises RunError where a
    score is not a number, CannotError where the model has no such vectors.
    """
    who, label = Guest("", ()), "the average user"
    return ranker.rank_person(Person(who, label, -1, ranker.scorer.average()))
