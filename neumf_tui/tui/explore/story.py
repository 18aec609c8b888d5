"""The lines above one person's lists: who, where the held-out film landed, and how it came there."""

from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, rank_text
from neumf_tui.views.ruler import journey, ruler, sparkline

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import UserRanking, Who
    from neumf_tui.explore.users import Users


def story(
    users: "Users", who: "Who", ranking: "UserRanking | None", rank: float, width: int
) -> Text:
    """Three lines of at most `width` cells; `rank` is the tape's, what is known until the model has answered."""
    text = Text()
    if not isinstance(who, int):
        titles = [users.dataset.catalogue.titles[item] for item in who.history(users.dataset)]
        text.append("a guest, folded in: ")
        text.append(", ".join(map(clean, titles)), "bold")
        text.append(
            "\nnothing is held out; f opens the guest's films, ←→ another epoch of the model"
        )
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
        way = journey(tape)
        room = min(20, width - text.cell_len - len(way) - 10)
        line = f"{sparkline(tape, last, room)} " if room >= 5 else ""
        text.append(f"  epochs {line}{way}")
    text.append("\n")
    text.append(ruler(shown if known else None, last, width) + "\n")
    if known:
        hit = shown <= CUTOFF
        figures = Text(f"rank {rank_text(shown)} of {last:,} · ")
        figures.append("hit ✓" if hit else "miss ✗", "bold green" if hit else "bold red")
        others = {
            "GMF alone": ranks.get("gmf"),
            "MLP alone": ranks.get("mlp"),
            "popularity": users.popularity_rank(who),
        }
        told = "".join(
            f" · {name} {rank_text(value)}" for name, value in others.items() if value is not None
        )
        short = told.replace(" alone", "").replace("popularity", "pop.")
        text.append(figures.append(told if figures.cell_len + len(told) <= width else short))
    return text
