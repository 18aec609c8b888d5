"""Make text harmless for a terminal, and format numbers."""

import re
import unicodedata

_BIDI = {"RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI", "FSI", "PDI"}


def clean(text: str) -> str:
    """Return `text` without anything that a terminal would execute.

    Control characters (escape sequences, tabs, line ends) become a visible `·`. Overrides of the
    writing direction are removed, since an unclosed one reverses the rest of the line. Letters of
    any script stay.
    """
    return "".join(
        "·" if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") else c
        for c in text
        if unicodedata.bidirectional(c) not in _BIDI
    )


def shortened(text: str, width: int = 80) -> str:
    """Return `text` safe for a terminal, and cut to `width` characters."""
    text = clean(text)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def dataset_label(name: str, simulated: bool) -> str:
    """Return the name of a dataset for people: it says whether the data is simulated."""
    return f"{name} (simulated)" if simulated else name


def clock(seconds: float) -> str:
    """Return seconds as `mm:ss`, or as `h:mm:ss` from an hour on."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"


def epoch_text(done: int, planned: int | None) -> str:
    """Return the epochs done of those planned: 3/20, or only 3 if nobody knows how many."""
    return f"{done}/{planned}" if planned else str(done)


def counted(number: int, what: str) -> str:
    """Return `1 user` or `1,682 users`."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def number_text(value: float, form: str) -> str:
    """Return a number as `form` says, for people: a minus is −, and a zero has none."""
    text = format(value, form)
    if text.lstrip().startswith("-"):
        text = text.replace("-", "−", 1) if re.search("[1-9]", text) else format(0.0, form)
    return text


def rank_text(rank: float) -> str:
    """Return a rank with thousands separators; ties can add a half."""
    return f"{rank:,.0f}" if rank == int(rank) else f"{rank:,.1f}"


def si(value: float) -> str:
    """Return a rate with three digits: 812, 12.3 k, 1.24 M."""
    for limit, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.0f}"
