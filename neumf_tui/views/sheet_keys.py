"""The keys that sheets of several views share."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neumf_tui.runs.events import DatasetRef, RunInfo
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.text import dataset_label
from neumf_tui.views.model_label import model_label

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.guests import Who


USUAL_SPLIT = "latest"


def dataset_keys(data: "Dataset | DatasetRef") -> dict[str, Any]:
    """Return the keys that name a dataset."""
    return {"dataset": data.name, "simulated": data.simulated}


def label_of(keys: Mapping[str, Any]) -> str:
    """Return the label of the dataset that `dataset_keys` name."""
    return dataset_label(keys["dataset"], keys["simulated"])


def label_with_split(facts: Mapping[str, Any]) -> str:
    """Return the label of a run's dataset, and its split unless that is the usual one.

    `facts`: an object of `run_facts`.
    """
    split = facts["split"]
    return label_of(facts) if split == USUAL_SPLIT else f"{label_of(facts)}, {split}"


def run_keys(info: RunInfo) -> dict[str, Any]:
    """Return the keys that say what a run is."""
    return {
        "run": info.name,
        "kind": info.kind,
        "model_label": model_label(info),
        **dataset_keys(info.dataset),
    }


def run_line(keys: Mapping[str, Any]) -> str:
    """Return run and dataset, and what the run is if our trainer did not make it."""
    what = "" if keys["kind"] == "trained" else f"  {keys['model_label']}"
    return f"run {keys['run']}  {label_of(keys)}{what}"


def model_keys(info: RunInfo, epoch: int) -> dict[str, Any]:
    """Return the keys that say which model a sheet is about."""
    return {
        **run_keys(info),
        "epoch": epoch,
        "protocol": protocol_of(info),
    }


def item_keys(dataset: "Dataset", item: int) -> dict[str, Any]:
    """Return the keys that name an item."""
    catalogue = dataset.catalogue
    return {
        "item_id": catalogue.item_ids[item],
        "title": catalogue.titles[item],
        "year": catalogue.years[item],
    }


def who_keys(dataset: "Dataset", who: "Who") -> dict[str, str | None]:
    """Return the keys that name a person; exactly one of `user` and `guest` is not None."""
    if isinstance(who, int):
        return {"user": dataset.user_ids[who], "guest": None}
    return {"user": None, "guest": who.name}


def who_stamp(who: "Who") -> str:
    """Return which key of `who_keys` names the person."""
    return "user" if isinstance(who, int) else "guest"
