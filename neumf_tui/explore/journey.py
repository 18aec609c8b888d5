"""The rank of one user's held-out film over all epochs, beside the loss: from the rank tape and the events, without a model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.explore.users import Users
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.views.sheet import Sheet


@dataclass(frozen=True, eq=False)
class Journey:
    """Arrays have one entry an evaluated epoch."""

    epochs: NDArray[np.int64]
    ranks: NDArray[np.float32]
    losses: NDArray[np.float64]
    """Mean training loss of the epoch, NaN where the events do not say."""


def journey(users: Users, user: int, snapshot: Snapshot) -> Journey:
    """`user` is an index; `snapshot` of the same run."""
    losses = {epoch.epoch: epoch.loss for epoch in snapshot.epochs}
    return Journey(
        np.array(users.epochs, dtype=np.int64),
        users.tape[: len(users.epochs), user],
        np.array([losses.get(epoch, np.nan) for epoch in users.epochs]),
    )


def journey_sheet(users: Users, user: int, snapshot: Snapshot) -> Sheet:
    """What `journey --json` prints."""
    found = journey(users, user, snapshot)
    item = int(users.dataset.split.heldout[user])
    about = {
        "run": users.info.name,
        "dataset": users.dataset.label,
        "protocol": protocol_of(users.info),
        "user": users.dataset.user_ids[user],
        "heldout": {
            "item_id": users.dataset.catalogue.item_ids[item],
            "title": users.dataset.catalogue.item_title(item),
        }
        if item >= 0
        else None,
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
    return Sheet(
        f"user-{about['user']}-epochs",
        about,
        "epochs",
        rows,
        ("epoch", "rank", "hit@50", "loss"),
        ("dataset", "user"),
    )
