"""The protocol behind a run's metrics: split, candidates, ties, negatives, choice of the epoch."""

from collections.abc import Mapping
from typing import Any

from neumf_tui.runs.events import BY_VALIDATION, Kind, RunInfo

PROTOCOL = {
    "split": (
        "leave-one-out, latest interaction of each user; equal timestamps: first in file order"
    ),
    "candidates": "every item not in the user's training history",
    "ties": "rank = 1 + scored higher + equal / 2",
}
"""The part that is the same for every model."""
VALIDATION = (
    "second latest interaction of each user, not learned from; "
    "ranked among every item not in the history before it"
)

SETTINGS_CHOSEN = {
    "validation": f"{VALIDATION}; by a fit with the same settings that has not seen them",
    "chosen_by": BY_VALIDATION,
    "chosen": "settings",
    "negatives": "as the method draws them, held-out items included; most methods draw none",
}
"""What the protocol of a baseline has instead: there are no epochs to choose from."""
BEYOND = "items beyond a user's list share one rank, as equal ones"
"""The part for models of which only each user's best items are known."""
UNKNOWN = "unknown: trained elsewhere, so held-out items may have been learned from"


def make_protocol(
    settings: Mapping[str, Any], num_candidates: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return the protocol of a run with these settings.

    `num_candidates`: the smallest and largest number of candidates of a held-out item.
    """
    leaks, validation = bool(settings.get("exclude_heldout")), bool(settings.get("validation"))
    return PROTOCOL | {
        "num_candidates": list(num_candidates) if num_candidates else None,
        "exclude_heldout": leaks,
        "negatives": "never the user's held-out item, so Hit@50 is optimistic"
        if leaks
        else "any item not learned from, including held-out items",
        "validation": VALIDATION if validation else "none",
        "chosen_by": BY_VALIDATION
        if validation
        else "none: last epoch; `best` is chosen by the held-out items, which is optimistic",
        "seed": settings.get("seed"),
    }


def protocol_of_kind(
    kind: Kind, settings: Mapping[str, Any], num_candidates: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Return the protocol of a new run; `settings` are those of a trained one, else ignored.

    Nobody knows what a model that was trained elsewhere has learned from, held-out items included.
    """
    protocol = make_protocol(settings if kind == "trained" else {}, num_candidates)
    if kind != "trained":
        del protocol["seed"]
    if kind in ("adopted", "logged"):
        del protocol["exclude_heldout"]
        chosen_by = "none: last epoch; its maker may have chosen by held-out items"
        protocol |= {"negatives": UNKNOWN, "chosen_by": chosen_by}
    return protocol


def with_validation(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol of which its maker says that the validation items choose the epoch."""
    return {**protocol, "validation": VALIDATION, "chosen_by": BY_VALIDATION}


def protocol_of(info: RunInfo) -> dict[str, Any]:
    """Return the protocol of a run; what its run.json lacks follows from kind and settings."""
    protocol = protocol_of_kind(info.kind, info.settings) | info.protocol
    return protocol | {"beyond": BEYOND} if info.model == "top_k" else protocol


def is_optimistic(protocol: Mapping[str, Any]) -> bool:
    """Return whether held-out items are never negatives, so that training never lowers them."""
    return bool(protocol.get("exclude_heldout"))


def protocol_line(protocol: Mapping[str, Any], width: int | None = None, before: str = "") -> str:
    """Return the protocol in one line, shortened to at most `width` cells if possible.

    `before` is the first part and is not shortened.
    """
    low, high = protocol["num_candidates"] or (0, 0)
    candidates = f"full ranking of {low:,}–{high:,}" if low < high else f"full ranking of {high:,}"
    warnings = [
        "Hit@50 is optimistic: held-out items are never drawn as negatives",
        "Hit@50 is optimistic: held-out items never negatives",
        "Hit@50 is optimistic",
        "optimistic",
    ]
    unseen = ["held-out items unseen", "held-out unseen", ""]
    if is_optimistic(protocol):
        unseen = [""]
    elif protocol["negatives"] == UNKNOWN:
        unseen = ["held-out items may have been learned from", "trained elsewhere"]
    # The texts of each part, longest first. Parts with a lower number are shortened first.
    what = "settings" if protocol.get("chosen") == "settings" else "best"
    chosen = [f"{what} by validation", "by validation", ""]
    parts = [
        (9, [before]),
        (8, warnings if is_optimistic(protocol) else [""]),
        (1, ["leave-one-out", ""]),
        (2, [candidates, "full ranking", ""] if high else ["full ranking", ""]),
        (5, unseen),
        (6, [protocol.get("beyond", ""), "beyond a list: ties"] if "beyond" in protocol else [""]),
        (4, chosen if protocol["chosen_by"] == BY_VALIDATION else ["no validation", ""]),
    ]
    while True:
        line = " · ".join(texts[0] for _, texts in parts if texts[0])
        longer = [part for part in parts if len(part[1]) > 1]
        if width is None or len(line) <= width or not longer:
            return line
        min(longer)[1].pop(0)
