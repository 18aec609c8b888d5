"""The two lists of a comparison for one person: ranks in the other one, moves, what came and went.

`side` is `a` or `b`, the list that a row belongs to.
"""

from typing import TYPE_CHECKING

from neumf_tui.text import rank_text
from neumf_tui.views.beyond import place_text
from neumf_tui.views.moves import move_text

if TYPE_CHECKING:
    from neumf_tui.explore.compare import PersonComparison


def side_texts(c: "PersonComparison", side: str, row: int) -> tuple[str, str]:
    """Return the rank in the other model of an item of the list `side`, and the move from A to B.

    Where one of the lists ends before it, the move is not known.
    """
    here, other, rows = (c.a, c.b, c.row_in_b) if side == "a" else (c.b, c.a, c.row_in_a)
    there = int(rows[row])
    ranks = c.ranks_of_a(row) if side == "a" else c.ranks_of_b(row)
    if row >= here.known:
        return "", ""
    is_known = there < other.known
    return place_text(other, there, short=True), move_text(*ranks) if is_known else ""


def mover_rows(c: "PersonComparison", side: str) -> list[int]:
    """Return the rows of a list that are not in the top of the other one, the farthest first."""
    return c.left() if side == "a" else c.entered()


def mover_text(c: "PersonComparison", side: str, row: int) -> str:
    """Return the ranks in A and in B of the item at `row` of the list `side`: `3 → 120`."""
    here = rank_text(float((c.a if side == "a" else c.b).ranks[row]))
    there, _ = side_texts(c, side, row)
    return f"{here} → {there}" if side == "a" else f"{there} → {here}"
