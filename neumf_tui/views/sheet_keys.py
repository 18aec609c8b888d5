"""The keys that sheets of several views share."""

from typing import Any

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.guests import Who
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.protocol import protocol_of


def model_keys(info: RunInfo, epoch: int) -> dict[str, Any]:
    """Return the keys that say which model a sheet is about."""
    return {
        "run": info.name,
        "dataset": info.dataset.label,
        "epoch": epoch,
        "protocol": protocol_of(info),
    }


def item_keys(dataset: Dataset, item: int) -> dict[str, Any]:
    """Return the keys that name an item."""
    catalogue = dataset.catalogue
    return {
        "item_id": catalogue.item_ids[item],
        "title": catalogue.titles[item],
        "year": catalogue.years[item],
    }


def who_keys(dataset: Dataset, who: Who) -> dict[str, str | None]:
    """Return the keys that name a person; exactly one of `user` and `guest` is not None."""
    if isinstance(who, int):
        return {"user": dataset.user_ids[who], "guest": None}
    return {"user": None, "guest": who.name}


def who_stamp(who: Who) -> str:
    """Return which key of `who_keys` names the person."""
    return "user" if isinstance(who, int) else "guest"
