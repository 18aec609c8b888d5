"""The contents of the tables on the compare screen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.table import Column, Table, id_column
from neumf_tui.views.beyond import beyond_text, ending_text
from neumf_tui.views.compare_lists import mover_rows, mover_text, side_texts
from neumf_tui.views.moves import move_text

if TYPE_CHECKING:
    from neumf_tui.data.catalogue import Catalogue
    from neumf_tui.explore.compare import PersonComparison
    from neumf_tui.explore.compare_users import AllComparison
    from neumf_tui.explore.users import Users

MOST_NAMED = 6
"""Titles named as the biggest movers, as far as they fit."""


def show_list(table: Table, catalogue: "Catalogue", found: "PersonComparison", side: str) -> None:
    """Show a person's list in the model of `side`, `a` or `b`, with each rank in the other."""
    is_a = side == "a"
    if is_a:
        label, ranking, ranks, other_rows = found.label_a, found.a, found.ranks_of_a, found.row_in_b
    else:
        label, ranking, ranks, other_rows = found.label_b, found.b, found.ranks_of_b, found.row_in_a

    def is_only_here(row: int) -> bool:
        """Return whether an item of the top is not in the top of the other list."""
        return row < found.count <= int(other_rows[row])

    def cells(row: int) -> list[str]:
        item = int(ranking.items[row])
        other_rank, move = side_texts(found, side, row)
        return [
            f"{row + 1:,}",
            ("★ " if row == ranking.heldout else "") + catalogue.titles[item],
            str(catalogue.years[item] or ""),
            other_rank,
            move,
            ("left" if is_a else "new") if is_only_here(row) else "",
        ]

    def sign(row: int, column: int) -> int:
        if column == 4:
            return gain_sign(ranks(row)) if side_texts(found, side, row)[1] else 0
        return (-1 if is_a else 1) if column == 5 and is_only_here(row) else 0

    table.columns = [
        Column("#", 4, right=True),
        Column(f"{side.upper()} {clean(label)}", 17, flex=True),
        Column("year", 4 if catalogue.has_years else 0, drop=3),
        Column("in B" if is_a else "in A", 5, right=True, drop=1),
        Column("move", 6, right=True),
        Column("", 4, drop=2),
    ]
    table.sign = sign
    table.scroll_to(y=0, animate=False)
    ending = ending_text(ranking, catalogue.noun)
    table.show_rows(ranking.known, cells, marked=ranking.heldout, ending=ending)


def gain_sign(ranks: Sequence[float]) -> int:
    """Return 1 if a rank is better (lower) after than before, -1 if it is worse, otherwise 0."""
    before, after = ranks
    return int(after < before) - int(after > before)


def mover_lines(catalogue: "Catalogue", found: "PersonComparison") -> list[str]:
    """Return a line about the items that entered the top, and one about those that left it."""
    lines = []
    for name, side, ranking in (("in ", "b", found.b), ("out", "a", found.a)):
        titles = [
            f"{catalogue.titles[int(ranking.items[row])]} {mover_text(found, side, row)}"
            for row in mover_rows(found, side)[:MOST_NAMED]
        ]
        if titles:
            lines.append(f"{name} {clean(' · '.join(titles))}")
    return lines


def show_users(
    table: Table, users: "Users", found: "AllComparison", order: NDArray[np.int64], sort: str
) -> None:
    """Show users with their ranks in both models; `order` has rows of the comparison."""

    def ranks(row: int) -> tuple[float, float]:
        at = int(order[row])
        return float(found.rank_a[at]), float(found.rank_b[at])

    def rank(value: float, beyond: int | None) -> str:
        return rank_text(value) if beyond is None else beyond_text(beyond, short=True)

    def is_known(row: int) -> bool:
        """Return whether the item stands in the lists of both models."""
        return found.beyond(int(order[row])) == (None, None)

    def cells(row: int) -> list[str]:
        at, (before, after) = int(order[row]), ranks(row)
        user = int(found.users[at])
        return [
            users.dataset.user_ids[user],
            users.heldout_title(user),
            *map(rank, (before, after), found.beyond(at)),
            move_text(before, after) if is_known(row) else "",
            {-1: "lost", 0: "", 1: "won"}[int(found.side[at])],
        ]

    def sign(row: int, column: int) -> int:
        if column == 4:
            return gain_sign(ranks(row)) if is_known(row) else 0
        return int(found.side[order[row]]) if column == 5 else 0

    table.columns = [
        id_column("user", users.dataset.user_ids),
        Column(sort, 8, flex=True),
        Column("A", 5, right=True),
        Column("B", 5, right=True),
        Column("move", 6, right=True, drop=1),
        Column("", 4),
    ]
    table.sign = sign
    table.show_rows(len(order), cells)
