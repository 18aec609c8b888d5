"""Ranks as text, also those of items that a user's list of best items does not have."""

from typing import TYPE_CHECKING

from neumf_tui.data.nouns import Noun
from neumf_tui.text import rank_text

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import UserRanking
    from neumf_tui.explore.users import Users

NONE = "–"


def beyond_text(length: int, short: bool = False) -> str:
    """Say that an item stands beyond a list of so many items."""
    return f">{length:,}" if short else f"beyond {length:,}"


def tape_rank_text(users: "Users", user: int, rank: float, short: bool = False) -> str:
    """Return a rank from the rank tape of a user as text."""
    if rank != rank:
        return NONE
    length = users.beyond(user, rank)
    return rank_text(rank) if length is None else beyond_text(length, short)


def way_text(users: "Users", user: int) -> str:
    """Return the ranks after the first and the last epoch that have one, and which these are.

    `epochs 1→20: 329→92`; empty where fewer than two epochs have a rank.
    """
    known = [
        (epoch, float(rank))
        for epoch, rank in zip(users.epochs, users.tape[:, user], strict=False)
        if rank == rank
    ]
    if len(known) < 2:
        return ""
    (first, before), (last, after) = known[0], known[-1]
    ranks = "→".join(tape_rank_text(users, user, rank, short=True) for rank in (before, after))
    return f"epochs {first:,}→{last:,}: {ranks}"


def place_text(ranking: "UserRanking", row: int, short: bool = False) -> str:
    """Return the rank of the item at `row` of a person's list as text."""
    if row >= ranking.known:
        return beyond_text(ranking.known, short)
    return rank_text(float(ranking.ranks[row]))


def ending_text(ranking: "UserRanking", noun: Noun) -> str:
    """Say what comes after the items that have a score; empty where all have one."""
    rest = len(ranking.items) - ranking.known
    if not rest:
        return ""
    is_heldout = ranking.heldout >= ranking.known
    which = f"★ and {rest - 1:,} more {noun.plural}" if is_heldout else noun.counted(rest)
    return f"beyond {ranking.known:,}: {which} without a score"
