"""The protocol behind a run's metrics: split, candidates, ties, negatives, choice of the epoch."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from neumf_tui.data.facts import SplitFacts
from neumf_tui.data.options import SplitOptions
from neumf_tui.runs.events import BY_VALIDATION, CUTOFF, Kind, RunInfo

RANKING = {
    "candidates": "every item not in the user's training history",
    "ties": "rank = 1 + scored higher + equal / 2",
}
"""The part that is the same for every model and every split."""
_HELD_OUT = {
    "latest": "latest: each user's latest interaction is held out",
    "time": "time: each user's first interaction from the cut on is held out; nothing from the cut "
    "on is learned from",
    "random": "random: one interaction of each user, drawn by a fixed hash, is held out",
    "given": "given: each user's first interaction of the test files is held out",
}
_VALIDATED = {
    "latest": "second latest interaction of each user, not learned from",
    "time": "first interaction of each user from an earlier cut on; nothing from there on is "
    "learned from",
    "random": "another interaction of each user, drawn by the same hash, not learned from",
    "given": "first interaction of each user in the validation files, which are not learned from; "
    "without such files the latest one",
}
_EQUAL_TIMES = {
    "hash": "by a fixed hash of user and item",
    "file order": "first in file order is the latest",
}
_FUTURE_USED = "models learn from what other people did after a held-out interaction"
_FUTURE_UNUSED = "nothing after the cut is learned from"
_FUTURE_UNKNOWN = "as the files were split"
_NO_TIMES = "unknown: there are no times"
SETTINGS_CHOSEN = {
    "chosen_by": BY_VALIDATION,
    "chosen": "settings",
    "negatives": "as the method draws them, held-out items included; most methods draw none",
}
"""What the protocol of a baseline has instead: there are no epochs to choose from."""
BEYOND = "items beyond a user's list share one rank, as equal ones"
"""The part for models of which only each user's best items are known."""
UNKNOWN = "unknown: trained elsewhere, so held-out items may have been learned from"


def split_protocol(facts: SplitFacts, options: SplitOptions) -> dict[str, Any]:
    """Return the part of the protocol that is the same for every model on a dataset."""
    future = {"time": _FUTURE_UNUSED, "given": _FUTURE_UNKNOWN}.get(facts.split, _FUTURE_USED)
    future = future if facts.has_times else _NO_TIMES
    filters = {
        "rating": options.min_rating,
        "interactions of a user": options.min_user_count,
        "interactions of an item": options.min_item_count,
    }
    least = [f"{what} at least {value:g}" for what, value in filters.items() if value]
    return {
        "split": _HELD_OUT[facts.split],
        "split_name": facts.split,
        "cut": _moment(facts.cut),
        "validation_cut": _moment(facts.validation_cut),
        "equal_times": "not used: histories are in a drawn order"
        if facts.split == "random"
        else _EQUAL_TIMES[facts.ties],
        "tied_heldout": facts.tied_last,
        "tied_share": facts.tied_last / facts.heldout if facts.heldout else None,
        "future": future,
        "filters": ", ".join(least) or "none",
    }


def split_label(protocol: Mapping[str, Any]) -> str:
    """Return in a few words how a run's data is split, and what is left out of it."""
    name, filters = protocol["split_name"], protocol["filters"]
    cut = f"cut {_day(protocol)}" if name == "time" else ""
    return ", ".join(filter(None, (name, cut, "" if filters == "none" else filters)))


def validation_text(split: str) -> str:
    """Return what the validation items of a split are."""
    return f"{_VALIDATED[split]}; ranked among every item not in the history before it"


def why_nothing_held_out(protocol: Mapping[str, Any]) -> str:
    """Return why a user has no held-out item, as the end of a sentence."""
    return {
        "time": "the user has nothing from the cut on",
        "given": "the user is not in the test files",
    }.get(protocol["split_name"], "the user has a single interaction")


def split_name(protocol: Mapping[str, Any]) -> str:
    """Return the split with all that tells it from others, such as `time with the cut 2024-04-13`.

    Only what splits the same data in another way is said.
    """
    name, parts = str(protocol["split_name"]), []
    if name == "time":
        parts.append(f"the cut {protocol['cut']}")
    elif name == "latest":
        rule = "a hash" if protocol["equal_times"] == _EQUAL_TIMES["hash"] else "file order"
        parts.append(f"equal times by {rule}")
    if protocol["filters"] != "none":
        parts.append(str(protocol["filters"]))
    return f"{name} with {' and '.join(parts)}" if parts else name


def _moment(seconds: int | None) -> str | None:
    """Return a time in ISO 8601; the date alone at midnight."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")
    return text.removesuffix("T00:00:00")


def _day(protocol: Mapping[str, Any]) -> str:
    """Return the date of the cut."""
    return str(protocol["cut"])[:10]


def make_protocol(
    settings: Mapping[str, Any],
    num_candidates: tuple[int, int] | None = None,
    split: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the protocol of a run with these settings.

    `num_candidates`: the smallest and largest number of candidates of a held-out item. `split`: as
    `split_protocol` returns it; None for a run of version 0.1.0.
    """
    leaks, validation = bool(settings.get("exclude_heldout")), bool(settings.get("validation"))
    split = _SPLIT_OF_OLD_RUNS if split is None else split
    return {
        **split,
        **RANKING,
        "num_candidates": list(num_candidates) if num_candidates else None,
        "exclude_heldout": leaks,
        "negatives": "never the user's held-out item, so Hit@50 is optimistic"
        if leaks
        else "any item not learned from, including held-out items",
        "validation": validation_text(split["split_name"]) if validation else "none",
        "chosen_by": BY_VALIDATION
        if validation
        else "none: last epoch; the best one is chosen by the held-out items, which is optimistic",
        "seed": settings.get("seed"),
    }


def protocol_of_kind(
    kind: Kind,
    settings: Mapping[str, Any],
    num_candidates: tuple[int, int] | None = None,
    split: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the protocol of a new run; `settings` are those of a trained one, else ignored.

    Nobody knows what a model that was trained elsewhere has learned from, held-out items included.
    """
    protocol = make_protocol(settings if kind == "trained" else {}, num_candidates, split)
    if kind != "trained":
        del protocol["seed"]
    if kind in ("adopted", "logged"):
        del protocol["exclude_heldout"]
        chosen_by = "none: last epoch; its maker may have chosen by held-out items"
        protocol |= {"negatives": UNKNOWN, "chosen_by": chosen_by, "future": "unknown"}
    return protocol


def with_validation(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol of which its maker says that the validation items choose the epoch."""
    validation = validation_text(protocol["split_name"])
    return {**protocol, "validation": validation, "chosen_by": BY_VALIDATION}


def with_settings_chosen(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return the protocol of a baseline, whose settings are chosen, and no epoch."""
    validation = validation_text(protocol["split_name"])
    by = "by a fit with the same settings that has not seen them"
    return {**protocol, **SETTINGS_CHOSEN, "validation": f"{validation}; {by}"}


def protocol_of(info: RunInfo) -> dict[str, Any]:
    """Return the protocol of a run; what its run.json lacks follows from kind and settings."""
    protocol = protocol_of_kind(info.kind, info.settings) | info.protocol
    return protocol | {"beyond": BEYOND} if info.model == "top_k" else protocol


def always_hits(protocol: Mapping[str, Any]) -> bool:
    """Return whether everybody has so few candidates that Hit@50 is 1 whatever the model does."""
    return 0 < (protocol["num_candidates"] or (0, 0))[1] <= CUTOFF


def is_optimistic(protocol: Mapping[str, Any]) -> bool:
    """Return whether held-out items are never negatives, so that training never lowers them."""
    return bool(protocol.get("exclude_heldout"))


def protocol_line(protocol: Mapping[str, Any], width: int | None = None, before: str = "") -> str:
    """Return the protocol in one line, shortened to at most `width` cells if possible.

    `before` is the first part and is not shortened.
    """
    parts = _parts(protocol, before)
    for part in (*_SHORTENED, ""):
        line = " · ".join(texts[0] for texts in parts.values() if texts[0])
        if width is None or len(line) <= width:
            break
        if len(parts.get(part, ())) > 1:
            parts[part].pop(0)
    return line


_SHORTENED = (
    "candidates", "chosen", "chosen", "split", "split", "candidates", "warning", "beyond",
    "warning", "future", "unseen", "warning", "split", "split", "future", "always",
)  # fmt: skip
"""Which part of the line becomes shorter first, and next."""


def _parts(protocol: Mapping[str, Any], before: str) -> dict[str, list[str]]:
    """Return the texts of each part of the line, longest first."""
    low, high = protocol["num_candidates"] or (0, 0)
    candidates = f"full ranking of {low:,}–{high:,}" if low < high else f"full ranking of {high:,}"
    warning, unseen = [""], ["held-out unseen"]
    if is_optimistic(protocol):
        unseen = [""]
        warning = [
            "held-out never drawn as negatives: optimistic",
            "held-out never negatives: optimistic",
            "never negatives: optimistic",
            "optimistic",
        ]
    elif protocol["negatives"] == UNKNOWN:
        unseen = ["held-out items may have been learned from", "trained elsewhere"]
    what = "settings" if protocol.get("chosen") == "settings" else "best"
    chosen = [f"{what} by validation", "by validation", ""]
    return {
        "before": [before],
        "always": ["Hit@50 is always 1", "Hit@50 always 1"] if always_hits(protocol) else [""],
        "warning": warning,
        "split": _split_texts(protocol),
        "candidates": [*([candidates] if high else []), "full ranking", ""],
        "unseen": unseen,
        "future": _future_texts(protocol),
        "beyond": [protocol["beyond"], "beyond a list: ties"] if "beyond" in protocol else [""],
        "chosen": chosen if protocol["chosen_by"] == BY_VALIDATION else ["no validation", ""],
    }


def _split_texts(protocol: Mapping[str, Any]) -> list[str]:
    """Return the split and its ties in one part of a line, longest first."""
    name, day = protocol["split_name"], _day(protocol)
    long, short = {
        "latest": ("latest held out", "latest"),
        "time": (f"first from {day} on held out", f"cut {day}"),
        "random": ("one at random held out", "random"),
        "given": ("held out as given", "given"),
    }[name]
    ties = by = ""
    if name in ("latest", "time") and protocol.get("tied_share"):
        ties = f", {protocol['tied_share']:.0%} tied"
        by = f" by {'hash' if protocol['equal_times'] == _EQUAL_TIMES['hash'] else 'file order'}"
    return [f"{long}{ties}{by}", f"{short}{ties}{by}", f"{short}{ties}", short, ""]


def _future_texts(protocol: Mapping[str, Any]) -> list[str]:
    """Return what the line says of the use of later interactions, longest first."""
    if protocol["future"] == _FUTURE_USED:
        return ["others' future used", "others' future", ""]
    return ["no future used", ""] if protocol["future"] == _FUTURE_UNUSED else [""]


_SPLIT_OF_OLD_RUNS = split_protocol(SplitFacts(), SplitOptions()) | {
    "tied_heldout": None, "tied_share": None
}  # fmt: skip
"""Version 0.1.0 had no other split, and did not count ties."""
