"""Neighbours of an item or a person, as sheets: one row a place, one neighbour a table."""

from collections.abc import Callable, Sequence
from typing import Any

from neumf_tui.explore.guests import Who
from neumf_tui.explore.neighbours import KINDS, Neighbours, similar_items, similar_users
from neumf_tui.explore.ranker import Ranker
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys, who_keys, who_stamp

ITEM_COLUMNS = ("item_id", "title", "year", "cosine", "both", "seen_by")
USER_COLUMNS = ("user", "cosine", "both", "history_size")


def similar_items_sheet(ranker: Ranker, item: int, count: int) -> Sheet:
    """Return what `similar FILM --json` prints."""
    data = ranker.dataset

    def cells(row: int) -> Row:
        return item_keys(data, row) | {"seen_by": int(data.seen_by[row])}

    about = model_keys(ranker.info, ranker.epoch) | cells(item)
    name = f"item-{data.catalogue.item_ids[item]}-neighbours"
    found = similar_items(ranker, item, count)
    return _sheet(name, about, found, cells, ITEM_COLUMNS, ("item_id",))


def similar_users_sheet(ranker: Ranker, who: Who, count: int) -> Sheet:
    """Return what `similar --user --json` prints; one of `user` and `guest` is null."""
    data, person = ranker.dataset, ranker.person(who)

    def cells(row: int) -> Row:
        return {"user": data.user_ids[row], "history_size": len(data.history(row))}

    about = model_keys(ranker.info, ranker.epoch) | who_keys(data, who)
    about["history_size"] = len(person.history)
    name = f"{person.file_stem}-neighbours"
    found = similar_users(ranker, who, count)
    return _sheet(name, about, found, cells, USER_COLUMNS, (who_stamp(who),))


def _sheet(
    name: str,
    about: dict[str, Any],
    found: dict[str, Neighbours],
    cells: Callable[[int], Row],
    columns: Sequence[str],
    stamp: tuple[str, ...],
) -> Sheet:
    """Cells of an embedding table that has fewer neighbours than the other are None."""
    rows = []
    for place in range(max(len(one.rows) for one in found.values())):
        row: Row = {"place": place + 1}
        for kind, one in found.items():
            values: Row = dict.fromkeys(columns)
            if place < len(one.rows):
                cosine, both = float(one.cosines[place]), int(one.both[place])
                values = cells(int(one.rows[place])) | {"cosine": cosine, "both": both}
            row |= {f"{kind}_{key}": values[key] for key in columns}
        rows.append(row)
    about = about | {f"{kind}_close": one.close for kind, one in found.items()}
    about["zero_vectors"] = [kind for kind, one in found.items() if one.zero]
    header = ("place", *(f"{kind}_{key}" for kind in KINDS for key in columns))
    return Sheet(name, about, "neighbours", rows, header, stamp)
