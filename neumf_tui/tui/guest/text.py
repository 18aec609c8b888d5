"""The lines above a new user's list: which items it is made from, and what changed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.data.nouns import Noun
from neumf_tui.explore.rank_changes import count_entered
from neumf_tui.tui.guest.picks import Picks

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.ranker import UserRanking
    from neumf_tui.scorers.scorer import NewcomersBy

ENOUGH = 3
"""With fewer items picked, one more changes the list a lot."""


@dataclass(frozen=True, eq=False)
class PicksRanking:
    """A ranking and the picks that it was made from."""

    picks: Picks
    ranking: "UserRanking"


def summary(
    shown: PicksRanking, before: PicksRanking | None, data: "Dataset", newcomers_by: "NewcomersBy"
) -> Text:
    """Return two lines about a list, the important facts first.

    `before` is the list that moves are counted from.
    """
    picks, count = shown.picks, len(shown.picks.items)
    if not count:
        return Text.assemble(
            f"the mean of all {data.num_users:,} users’ vectors, for now\n",
            (f"pick {ENOUGH} or more {data.noun.plural}, here or on the left", "bold"),
        )
    how = {
        "fold-in": f"seed {picks.seed} · folded in, model unchanged",
        "history vectors": "sum of vectors, latest weighs most",
        "history": "scored exactly, nothing is fitted",
    }[newcomers_by]
    text = Text.assemble((f"{count} picked", "bold"), f" · {how}\n")
    if count < ENOUGH:
        text.append(f"{ENOUGH} or more give a steadier list", "bold")
    if before is not None:
        text.append(" · " if count < ENOUGH else "")
        is_other_seed = before.picks.seed != picks.seed and before.picks.items
        seed = f", seed {before.picks.seed}" if is_other_seed else ""
        entered = count_entered(shown.ranking, before.ranking)
        text.append(
            f"{entered} new in the top 50 · ▲▼ since {source(before.picks, data.noun)}{seed}"
        )
    return text


def outdated_summary(
    shown: PicksRanking, wanted: Picks, problem: str, newcomers_by: "NewcomersBy", noun: Noun
) -> Text:
    """Return two lines about a list that is not that of the picks `wanted`.

    `problem` is why theirs could not be computed; empty while it is.
    """
    picked = noun.counted(len(wanted.items))
    work = f"folding in {picked}" if newcomers_by == "fold-in" else f"ranking for {picked}"
    first = problem or (f"{work} …" if wanted.items else "back to the average user …")
    old = f"below is still the list of {source(shown.picks, noun)}, seed {shown.picks.seed}"
    return Text(f"{first}\n{old}", "bold")


def source(picks: Picks, noun: Noun) -> str:
    return noun.counted(len(picks.items)) if picks.items else "the average user"
