"""A held-out item's distance from the top 50, and what each item of the history does to it."""

from neumf_tui.explore.near_miss import LeftOut, margin
from neumf_tui.explore.ranker import Ranker, UserRanking
from neumf_tui.views.person import about_ranking
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys

_METHOD = "without the film, all else frozen; not a training without it"
BY_FOLD_IN = f"fold-in: user embeddings fitted anew {_METHOD}"
BY_HISTORY = f"user vectors computed again from the history {_METHOD}"
COLUMNS = ("item_id", "title", "year", "rank_without", "change")


def near_miss_sheet(ranker: Ranker, ranking: UserRanking, left_out: LeftOut | None) -> Sheet:
    """Return what `near-miss --json` prints: one row for each item of the history left out.

    The item without which the held-out item ranks best comes first.
    """
    dataset, found = ranker.dataset, margin(ranking)
    about = about_ranking(ranker, ranking) | {
        "margin": found
        and {
            "score": found.score,
            "deviations": found.deviations,
            "at_50": item_keys(dataset, found.item),
        },
        "method": BY_HISTORY if ranker.by_history else BY_FOLD_IN,
        "rank_by_fold_in": left_out and left_out.base,
    }
    rows = []
    if left_out:
        for row in left_out.best_first.tolist():
            rank = float(left_out.ranks[row])
            change = {"rank_without": rank, "change": rank - left_out.base}
            rows.append(item_keys(dataset, int(left_out.items[row])) | change)
    name = f"{ranking.person.file_stem}-near-miss"
    return Sheet(name, about, "history", rows, COLUMNS, ("user",))
