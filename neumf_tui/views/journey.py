"""The rank of one user's held-out item over all epochs, as a sheet and as text."""

from collections.abc import Mapping

import numpy as np

from neumf_tui.explore.journey import journey
from neumf_tui.explore.users import Users
from neumf_tui.runs.events import CUTOFF
from neumf_tui.runs.protocol import protocol_line, protocol_of, why_nothing_held_out
from neumf_tui.text import rank_text
from neumf_tui.views.beyond import beyond_text
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import run_keys, run_line

COLUMNS = ("epoch", "rank", "hit@50", "loss")


def journey_sheet(users: Users, user: int, losses: Mapping[int, float]) -> Sheet:
    """Return what `journey --json` prints: one row for each evaluated epoch."""
    dataset, found = users.dataset, journey(users, user, losses)
    item, catalogue = int(dataset.split.heldout[user]), dataset.catalogue
    heldout = {"item_id": catalogue.item_ids[item], "title": catalogue.item_title(item)}
    about = {
        **run_keys(users.info),
        "protocol": protocol_of(users.info),
        "user": dataset.user_ids[user],
        "heldout": heldout if item >= 0 else None,
        "popularity_rank": users.popularity_rank(user) if item >= 0 else None,
    }
    rows: list[Row] = [
        {
            "epoch": int(epoch),
            "rank": None if np.isnan(rank) else float(rank),
            "hit@50": None if np.isnan(rank) else bool(rank <= CUTOFF),
            "loss": None if np.isnan(loss) else float(loss),
        }
        for epoch, rank, loss in zip(found.epochs, found.ranks, found.losses, strict=True)
    ]
    columns: tuple[str, ...] = COLUMNS
    if users.list_size is not None:
        columns = (*COLUMNS, "beyond")
        for row in rows:
            row["beyond"] = users.beyond(user, row["rank"]) if row["rank"] else None
    return Sheet(
        f"user-{about['user']}-epochs", about, "epochs", rows, columns, ("user",), dataset.noun
    )


def _rank_text(row: Row) -> str | None:
    if row.get("beyond") is not None:
        return beyond_text(row["beyond"])
    return None if row["rank"] is None else rank_text(row["rank"])


def print_journey(sheet: Sheet) -> None:
    """Print the sheet of `journey_sheet` for people."""
    about = sheet.about
    print_line(f"{run_line(about)}  user {about['user']}")
    if about["heldout"] is None:
        why = why_nothing_held_out(about["protocol"])
        print_line(f"no held-out {sheet.noun.singular}: {why}")
        return
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    popular = rank_text(about["popularity_rank"])
    print_line(f"held out: {about['heldout']['title']}; rank by popularity alone {popular}")
    print_rows(
        sheet.rows,
        number("epoch", "epoch", str),
        number("rank", _rank_text, str),
        column("hit", lambda row: "✓" if row["hit@50"] else ""),
        number("loss", "loss", ".4f"),
    )
