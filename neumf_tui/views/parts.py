"""Names of the parts of a score, as people read them."""

from neumf_tui.scorers.scorer import SCORE

MEASURE = "cosine"
"""How near neighbours are, where a space has no other measure."""
FINE = 0.04
_LONG = {"gmf": "GMF", "mlp": "MLP"}


def part_name(part: str) -> str:
    """Return `GMF` for `gmf`, and other names as they are."""
    return _LONG.get(part, part)


def decimals(longest: float) -> int:
    """Return how many decimals tell values apart of which the largest is `longest`."""
    return 3 if longest >= FINE else 4


def tab_name(by: str) -> str:
    """Return the name of the tab of a ranking ordered by the score, or by a part alone."""
    return "ranking" if by == SCORE else f"{part_name(by)} alone"


def order_name(by: str) -> str:
    """Say what a ranking is ordered by: the score, or one of its parts alone."""
    return by if by == SCORE else f"{part_name(by)} part alone"
