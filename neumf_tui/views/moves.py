"""Signed numbers and changes of ranks as text."""

from neumf_tui.text import number_text, rank_text


def signed(value: float, digits: int = 1) -> str:
    """Return a number with its sign; zero has a plus."""
    return number_text(value, f"+.{digits}f")


def move_text(before: float, after: float) -> str:
    """Return how far a rank moved: `▲271` up, `▼5` down, `=`; empty where one of them is NaN."""
    if before != before or after != after:
        return ""
    if before == after:
        return "="
    return f"{'▲' if after < before else '▼'}{rank_text(abs(before - after))}"
