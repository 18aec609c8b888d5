"""The lines above a person's lists: the held-out item, its rank, and its rank after each epoch."""

import math
from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of, why_nothing_held_out
from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import clean, rank_text
from neumf_tui.views.beyond import tape_rank_text, way_text
from neumf_tui.views.parts import part_name
from neumf_tui.views.ruler import ruler, sparkline

if TYPE_CHECKING:
    from neumf_tui.explore.guests import Guest, Who
    from neumf_tui.explore.ranker import UserRanking
    from neumf_tui.explore.users import Users
    from neumf_tui.scorers.scorer import NewcomersBy


def story(
    users: "Users",
    who: "Who",
    ranking: "UserRanking | None",
    rank: float,
    newcomers_by: "NewcomersBy",
    width: int,
) -> Text:
    """Return at most three lines of `width` cells about a person.

    `rank` is the held-out item's rank in the rank tape, shown until there is a `ranking`.
    """
    if not isinstance(who, int):
        return _guest_story(users, who, newcomers_by)
    title = clean(users.heldout_title(who))
    if not title:
        noun, why = users.dataset.noun, why_nothing_held_out(protocol_of(users.info))
        return Text(f"No held-out {noun.singular}: {why}.")
    last = users.dataset.num_items - int(users.history_sizes[who])
    ranks = ranking.heldout_ranks if ranking else {}
    shown = ranks.get("score", rank)
    is_known = not math.isnan(shown)
    text = Text.assemble("held out: ", (title, "bold"))
    way = way_text(users, who)
    if way and text.cell_len + 2 + len(way) <= width:
        tape = [float(rank) for rank in users.tape[:, who]]
        room = min(20, width - text.cell_len - len(way) - 10)
        text.append(f"  {way}")
        text.append(f" {sparkline(tape, last, room)}" if room >= 5 else "")
    beyond = users.beyond(who, shown)
    in_list = is_known and beyond is None
    text.append(f"\n{ruler(shown if in_list else None, last, width)}\n")
    if is_known:
        verdict = ("hit ✓", "bold green") if shown <= CUTOFF else ("miss ✗", "bold red")
        place = tape_rank_text(users, who, shown)
        parts = [name for name in ranks if name != SCORE]
        others = {f"{part_name(part)} alone": ranks[part] for part in parts if len(parts) > 1}
        others["popularity"] = users.popularity_rank(who)
        long = "".join(f" · {name} {rank_text(r)}" for name, r in others.items())
        short = long.replace(" alone", "").replace("popularity", "pop.")
        whole = f"rank {place} of {last:,}"
        forms = ((whole, long), (whole, short), (f"rank {place}", short))
        lines = [Text.assemble(f"{figure} · ", verdict, rest) for figure, rest in forms]
        text.append(next((line for line in lines if line.cell_len <= width), lines[-1]))
    return text


def _guest_story(users: "Users", guest: "Guest", newcomers_by: "NewcomersBy") -> Text:
    titles, noun = users.dataset.catalogue.titles, users.dataset.noun
    picked = ", ".join(clean(titles[item]) for item in guest.history(users.dataset))
    return Text.assemble(
        "guest, folded in from: " if newcomers_by == "fold-in" else "guest, who picked: ",
        (picked, "bold"),
        f"\nno held-out {noun.singular} · f edits the guest's {noun.plural} · "
        "←→ changes the model's epoch",
    )
