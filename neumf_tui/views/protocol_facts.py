"""The protocol of a run in words for people."""

from collections.abc import Mapping
from typing import Any

_LABELS = {
    "split": "split",
    "cut": "cut",
    "validation_cut": "cut of validation",
    "equal_times": "equal times",
    "tied_heldout": "held-out items with equal times",
    "future": "later interactions",
    "filters": "filters",
    "candidates": "candidates",
    "num_candidates": "number of candidates",
    "ties": "equal scores",
    "beyond": "beyond a list",
    "negatives": "negatives",
    "validation": "validation items",
    "chosen_by": "epoch chosen by",
    "seed": "seed",
}
_SAID_BY_OTHERS = ("split_name", "tied_share", "exclude_heldout", "chosen")


def protocol_facts(protocol: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of a protocol by names for people, numbers rounded, in its order."""
    facts = {}
    for key, value in protocol.items():
        if value is None or key in _SAID_BY_OTHERS:
            continue
        label = _LABELS.get(key, key.replace("_", " "))  # another version may have more keys
        if key == "chosen_by" and protocol.get("chosen") == "settings":
            label = "settings chosen by"
        facts[label] = _text(key, value, protocol)
    return facts


def _text(key: str, value: Any, protocol: Mapping[str, Any]) -> str:
    match key:
        case "split":
            name, _, what = str(value).partition(": ")
            return f"{what} ({name})" if what else name
        case "tied_heldout":
            share = protocol.get("tied_share")
            return f"{value:,}" + (f" ({share:.1%})".replace("%", " %") if share else "")
        case "num_candidates":
            low, high = value
            return f"{low:,} to {high:,}" if low < high else f"{high:,}"
        case _:
            return str(value)
