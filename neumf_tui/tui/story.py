"""The lines above one person's lists: who, where the held-out film landed, and how it came there."""

from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.ruler import journey, ruler, sparkline

if TYPE_CHECKING:
    from neumf_tui.ranking.load import UserRanking, Who
    from neumf_tui.ranking.users import Users


def story(users: "Users", who: "Who", ranking: "UserRanking | None", rank: float, width: int) -> Text:
    """Three lines of at most `width` cells; `rank` is the tape's, what is known until the model has answered."""
    text = Text()
    if not isinstance(who, int):
        titles = [users.dataset.catalogue.titles[item] for item in who.history(users.dataset)]
        text.append("a guest, folded in: ")
        text.append(", ".join(map(clean, titles)), "bold")
        text.append("\nnothing is held out; f opens the guest's films, ←→ another epoch of the model")
        return text
    title = clean(users.heldout_title(who))
    if not title:
        text.append("nothing is held out: a single interaction")
        return text
    last = users.dataset.num_items - int(users.history_sizes[who])
    ranks = ranking.heldout_ranks if ranking else {}
    shown = ranks.get("score", rank)
    known = shown == shown
    text.append("held out: ")
    text.append(title, "bold")
    tape = [float(r) for r in users.tape[:, who]]
    if len(tape) > 1:
        text.append(f"  epochs {sparkline(tape, last, 20)} {journey(tape)}")
    text.append("\n")
    text.append(ruler(shown if known else None, last, width) + "\n")
    if known:
        hit = shown <= CUTOFF
        text.append(f"rank {rank_text(shown)} of {last:,} · ")
        text.append("hit ✓" if hit else "miss ✗", "bold green" if hit else "bold red")
        if ranks:
            text.append(f" · GMF alone {rank_text(ranks['gmf'])}, MLP alone {rank_text(ranks['mlp'])}")
        text.append(f" · popularity {rank_text(users.popularity_rank(who))}")
    return text
