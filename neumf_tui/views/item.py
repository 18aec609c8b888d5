"""How one item fares with all users, as a sheet."""

import numpy as np

from neumf_tui.explore.item import ItemRanks
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys

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
        "num_users": data.num_users,
        "seen_by": int(data.seen_by[item]),
        "heldout_for": int((heldout == item).sum()),
        "num_asked": int(found.asked.sum()),
        "sampled": found.sampled,
        "num_ranked": len(found.best),
        "top10": found.within(10),
        f"top{CUTOFF}": found.within(CUTOFF),
        "median_rank": found.median,
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
    return Sheet(name, about, "users", rows, COLUMNS, ("item_id",))
