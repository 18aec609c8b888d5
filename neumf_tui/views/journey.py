"""The rank of one user's held-out item over all epochs, as a sheet."""

import numpy as np

from neumf_tui.explore.journey import journey
from neumf_tui.explore.users import Users
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import dataset_keys

COLUMNS = ("epoch", "rank", "hit@50", "loss")


def journey_sheet(users: Users, user: int, snapshot: Snapshot) -> Sheet:
    """Return what `journey --json` prints: one row for each evaluated epoch."""
    dataset, found = users.dataset, journey(users, user, snapshot)
    item = int(dataset.split.heldout[user])
    heldout = {
        "item_id": dataset.catalogue.item_ids[item],
        "title": dataset.catalogue.item_title(item),
    }
    about = {
        "run": users.info.name,
        **dataset_keys(dataset),
        "protocol": protocol_of(users.info),
        "user": dataset.user_ids[user],
        "heldout": heldout if item >= 0 else None,
        "popularity_rank": users.popularity_rank(user) if item >= 0 else None,
    }
    rows = [
        {
            "epoch": int(epoch),
            "rank": None if np.isnan(rank) else float(rank),
            "hit@50": None if np.isnan(rank) else bool(rank <= CUTOFF),
            "loss": None if np.isnan(loss) else float(loss),
        }
        for epoch, rank, loss in zip(found.epochs, found.ranks, found.losses, strict=True)
    ]
    return Sheet(f"user-{about['user']}-epochs", about, "epochs", rows, COLUMNS, ("user",))
