"""How far a held-out item is from the top 50, and the effect of each history item."""

from neumf_tui.explore.near_miss import LeftOut, margin
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.runs.protocol import protocol_line
from neumf_tui.scorers.scorer import NewcomersBy
from neumf_tui.text import number_text, rank_text
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.person import about_ranking, heldout_rank, model_line
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys

_METHODS: dict[NewcomersBy, str] = {
    "fold-in": "fold-in: user embeddings fitted anew",
    "history vectors": "user vectors computed again from the history",
    "history": "scores summed over the history",
}
COLUMNS = ("item_id", "title", "year", "rank_without", "change")


def near_miss_sheet(
    ranker: Ranker, ranking: UserRanking, left_out: LeftOut | None, why_not: str = ""
) -> Sheet:
    """Return what `near-miss --json` prints: one row for each item of the history left out.

    The item without which the held-out item ranks best comes first. `why_not` is why the model
    cannot leave any out.
    """
    dataset, found, by = ranker.dataset, margin(ranking), ranker.scorer.newcomers_by
    left_open = f"without the {dataset.noun.singular}, all else frozen; not a training without it"
    about = about_ranking(ranker, ranking) | {
        "margin": found
        and {
            "score": found.score,
            "deviations": found.deviations,
            "at_50": item_keys(dataset, found.item),
        },
        "why_not": why_not or None,
        "method": f"{_METHODS[by]} {left_open}",
        "rank_by_fold_in": left_out and left_out.base,
    }
    rows = []
    if left_out:
        for row in left_out.best_first.tolist():
            rank = float(left_out.ranks[row])
            change = {"rank_without": rank, "change": rank - left_out.base}
            rows.append(item_keys(dataset, int(left_out.items[row])) | change)
    name = f"{ranking.person.file_stem}-near-miss"
    return Sheet(name, about, "history", rows, COLUMNS, ("user",), dataset.noun)


def print_near_miss(sheet: Sheet, top: int) -> None:
    """Print the sheet of `near_miss_sheet` for people, with at most `top` items of the history."""
    about = sheet.about
    held, margin = about["heldout"], about["margin"]
    print_line(f"{model_line(about)}  user {about['user']}")
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    print_line(f"held out: {held['title']}, {heldout_rank(about)}")
    if held.get("beyond") is not None:
        print_line("it has no score, so nobody knows how far it is from place 50")
    elif margin is None:
        print_line("no more than 50 candidates: every rank is a hit")
    else:
        way = "above" if margin["score"] >= 0 else "below"
        print_line(
            f"its score is {abs(margin['score']):.3f} {way} that of {margin['at_50']['title']} at "
            f"place 50 ({abs(margin['deviations']):.2f} standard deviations of this user's scores)"
        )
    if about["rank_by_fold_in"] is None:
        if about["why_not"]:
            print_line(about["why_not"])
        return
    how = "by fold-in" if about["method"].startswith("fold-in") else "from the history"
    print_line(f"rank {rank_text(about['rank_by_fold_in'])} {how}, without training again;")
    print_line(f"rank without one {sheet.noun.singular} of the history:")
    print_rows(
        sheet.rows[:top],
        number("rank", "rank_without", rank_text),
        number("change", lambda row: number_text(row["change"], "+,.1f").removesuffix(".0"), str),
        column("without", "title"),
    )
