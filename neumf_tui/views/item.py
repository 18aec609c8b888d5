"""How one item ranks for all users, as a sheet and as text."""

import numpy as np

from neumf_tui.explore.item import ItemRanks
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import rank_text
from neumf_tui.views.items import further_columns
from neumf_tui.views.output import column, item_label, number, print_line, print_rows
from neumf_tui.views.person import finite
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys, run_line

COLUMNS = ("place", "user", "rank", "num_candidates", "history_size", "heldout")


def item_sheet(ranker: Ranker, found: ItemRanks, count: int | None = None) -> Sheet:
    """Return what `film --json` prints: one row for each user, best rank first, at most `count`.

    `num_asked` users were ranked or had seen it, `num_ranked` of them had not seen it: `top10`,
    `top50`, `median_rank` and `spread` count these.
    """
    data, item = ranker.dataset, found.item
    heldout = np.asarray(data.split.heldout)
    about = {
        **model_keys(ranker.info, ranker.epoch),
        **item_keys(data, item),
        "genres": data.catalogue.genres[item],
        "columns": further_columns(data, item),
        "num_users": data.num_users,
        "seen_by": int(data.seen_by[item]),
        "heldout_for": int((heldout == item).sum()),
        "num_asked": int(found.asked.sum()),
        "sampled": found.sampled,
        "num_ranked": len(found.best),
        "top10": found.within(10),
        f"top{CUTOFF}": found.within(CUTOFF),
        "median_rank": None if found.median is None else finite(found.median),
        **({"num_beyond": len(found.beyond)} if len(found.beyond) else {}),
        "spread": [{"first": b.first, "last": b.last, "users": b.count} for b in found.bins()],
    }
    rows = [
        {
            "place": place,
            "user": data.user_ids[user],
            "rank": float(found.ranks[user]),
            "num_candidates": data.num_items - len(data.history(user)),
            "history_size": len(data.history(user)),
            "heldout": bool(heldout[user] == item),
        }
        for place, user in enumerate(found.best[:count].tolist(), start=1)
    ]
    name = f"item-{data.catalogue.item_ids[item]}-users"
    return Sheet(name, about, "users", rows, COLUMNS, ("item_id",), data.noun)


def print_item(sheet: Sheet) -> None:
    """Print the sheet of `item_sheet` for people."""
    about = sheet.about
    model = f"{run_line(about)}  epoch {about['epoch']}"
    print_line(f"{model}  {item_label(about)}")
    users = f"{about['seen_by']:,} of {about['num_users']:,} users"
    print_line(f"seen by {users}, held out for {about['heldout_for']:,}")
    for name, text in about["columns"].items():
        print_line(f"{name}: {text}")
    if about["sampled"]:
        print_line(f"random sample of {about['num_asked']:,} users; --everyone takes all")
    beyond = about.get("num_beyond", 0)
    if about["median_rank"] is None and not beyond:
        print_line("all these users have seen it, so it has no ranks")
        return
    median = "beyond most lists"
    if about["median_rank"] is not None:
        median = rank_text(about["median_rank"])
    asked = about["num_ranked"] + beyond
    print_line(
        f"median rank {median}; in {about['top50']:,} top 50s and "
        f"{about['top10']:,} top 10s of {asked:,} users who have not seen it"
    )
    if beyond:
        print_line(f"beyond the lists of {beyond:,} of them, for whom it has no rank")
    if not sheet.rows:
        return
    print_rows(
        about["spread"],
        number("ranks", lambda step: f"{step['first']:,}–{step['last']:,}", str),
        number("users", "users"),
    )
    print_line("")
    print_rows(
        sheet.rows,
        number("#", "place"),
        number("rank", lambda row: f"{rank_text(row['rank'])} of {row['num_candidates']:,}", str),
        column("", lambda row: "★" if row["heldout"] else ""),
        column("user", "user"),
        number(sheet.noun.of_history, "history_size"),
    )
