"""What the new-user screen says of its list: of which films it is, how it came about, and what changed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.tui.guest.moves_table import entered
from neumf_tui.tui.guest.picks import Picks

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import UserRanking

STEADY = 3
"""Films from which on a list hangs less on each of them."""


@dataclass(frozen=True, eq=False)
class Listed:
    """A list, and what it is of."""

    picks: Picks
    ranking: "UserRanking"


def story(shown: Listed, before: Listed | None, num_users: int, drawn: bool) -> Text:
    """Two lines; `before` is the list that moves are told against, `drawn` whether negatives were.

    What matters most stands first, for narrow screens.
    """
    picks, count = shown.picks, len(shown.picks.items)
    if not count:
        return Text.assemble(
            f"the mean of all {num_users:,} users’ vectors, for now\n",
            (f"pick {STEADY} or more films, here or on the left", "bold"),
        )
    how = (
        f"folded in, the rest frozen · seed {picks.seed}"
        if drawn
        else "their vectors, the latest counts most"
    )
    text = Text.assemble((f"{count} picked", "bold"), f" · {how}\n")
    if count < STEADY:
        text.append(f"{STEADY} or more are steadier", "bold")
    if before is not None:
        text.append(" · " if count < STEADY else "")
        seed = (
            f", seed {before.picks.seed}"
            if before.picks.seed != picks.seed and before.picks.items
            else ""
        )
        text.append(
            f"{entered(shown.ranking, before.ranking)} new in the top 50 · ▲▼ since {whose(before.picks)}{seed}"
        )
    return text


def behind(shown: Listed, wanted: Picks, working: bool) -> Text:
    """Two lines for a list that is not yet, or will not be, the one of the films picked."""
    if not working:
        first = f"could not be folded in: {films(len(wanted.items))}"
    else:
        first = (
            f"folding in {films(len(wanted.items))} …"
            if wanted.items
            else "back to the mean user …"
        )
    return Text(
        f"{first}\nbelow is still the list of {whose(shown.picks)}, seed {shown.picks.seed}", "bold"
    )


def whose(picks: Picks) -> str:
    return films(len(picks.items)) if picks.items else "the mean user"


def films(count: int) -> str:
    return f"{count} film{'' if count == 1 else 's'}"
