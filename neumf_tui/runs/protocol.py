"""What stands behind a run's figures: split, candidates, ties, negatives, and what chose the epoch."""

from collections.abc import Mapping
from typing import Any

from neumf_tui.runs.events import RunInfo

PROTOCOL = {
    "split": "leave-one-out, latest interaction of each user; equal timestamps: first in file order",
    "candidates": "every item not in the user's training history",
    "ties": "rank = 1 + scored higher + equal / 2",
}
"""The same for every model."""
VALIDATION = "second latest interaction of each user, not learned from; ranked among every item not in the history before it"
BY_VALIDATION = "validation"


def make_protocol(
    settings: Mapping[str, Any], num_candidates: tuple[int, int] | None = None
) -> dict[str, Any]:
    """The protocol of a run with these settings. `num_candidates`: fewest and most that a held-out item is ranked among."""
    leaks, validation = bool(settings.get("exclude_heldout")), bool(settings.get("validation"))
    return PROTOCOL | {
        "num_candidates": list(num_candidates) if num_candidates else None,
        "exclude_heldout": leaks,
        "negatives": "never the user's held-out item, which flatters Hit@50"
        if leaks
        else "any item not learned from, held-out items too: leak-free",
        "validation": VALIDATION if validation else "none",
        "chosen_by": BY_VALIDATION
        if validation
        else "none: last epoch; `best` goes by held-out items, which flatters",
        "seed": settings.get("seed"),
    }


def protocol_of(info: RunInfo) -> dict[str, Any]:
    """The protocol of a run; what an older run did not write down is told from its settings."""
    return make_protocol(info.settings) | info.protocol


def is_flattered(protocol: Mapping[str, Any]) -> bool:
    """Whether held-out items were kept out of the negatives: then they are the ones that were never pushed down."""
    return bool(protocol["exclude_heldout"])


def by_validation(protocol: Mapping[str, Any]) -> bool:
    """Whether validation chooses the epoch."""
    return bool(protocol["chosen_by"] == BY_VALIDATION)


def protocol_line(protocol: Mapping[str, Any], width: int | None = None, before: str = "") -> str:
    """The protocol in one line of at most `width` cells, as far as it can be shortened; `before` stands first, whole."""
    low, high = protocol["num_candidates"] or (0, 0)
    many = f"full ranking of {low:,}–{high:,}" if low < high else f"full ranking of {high:,}"
    flattered = (
        "Hit@50 flattered: held-out items are never negatives",
        "Hit@50 flattered: held-out never negatives",
        "Hit@50 flattered",
        "flattered",
    )
    # What matters most to a reader is shortened last.
    parts = [
        (9, (before,)),
        (8, flattered if is_flattered(protocol) else ("",)),
        (1, ("leave-one-out", "")),
        (2, (many, "full ranking", "") if high else ("full ranking", "")),
        (5, ("",) if is_flattered(protocol) else ("leak-free", "")),
        (
            4,
            ("best by validation", "by validation", "")
            if by_validation(protocol)
            else ("no validation", ""),
        ),
    ]
    forms = [0] * len(parts)

    def line() -> str:
        return " · ".join(
            filter(None, (texts[form] for (_, texts), form in zip(parts, forms, strict=True)))
        )

    while width is not None and len(line()) > width:
        longer = [
            (weight, n) for n, (weight, texts) in enumerate(parts) if forms[n] + 1 < len(texts)
        ]
        if not longer:
            break
        forms[min(longer)[1]] += 1
    return line()
