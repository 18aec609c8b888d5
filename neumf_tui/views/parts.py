"""Names of the parts of a score, as people read them."""

from neumf_tui.scorers.scorer import SCORE

_LONG = {"gmf": "GMF", "mlp": "MLP"}


def part_name(part: str) -> str:
    """Return `GMF` for `gmf`, and other names as they are."""
    return _LONG.get(part, part)


def order_name(by: str) -> str:
    """Say what a ranking is ordered by: the score, or one of its parts alone."""
    return by if by == SCORE else f"{part_name(by)} part alone"
