"""What the tables of the compare screen show."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.movers import MoverTable
from neumf_tui.tui.widgets.table import Column

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Catalogue
    from neumf_tui.explore.compare import PersonComparison
    from neumf_tui.explore.compare_users import AllComparison
    from neumf_tui.explore.users import Users

MOVERS = 6
"""Titles named as the biggest movers, as far as they fit."""


def show_list(
    table: MoverTable, catalogue: "Catalogue", found: "PersonComparison", side: str
) -> None:
    """One person's list in A or in B, `side` `a` or `b`, and where each film stands in the other."""
    from neumf_tui.explore.compare import move_text

    is_a = side == "a"
    label, ranking, ranks = (
        (found.label_a, found.a, found.ranks_of_a)
        if is_a
        else (found.label_b, found.b, found.ranks_of_b)
    )
    rows, tag = (found.row_in_b, "left") if is_a else (found.row_in_a, "new")

    def cells(row: int) -> list[str]:
        item = int(ranking.items[row])
        before, after = ranks(row)
        return [
            f"{row + 1:,}",
            ("★ " if row == ranking.heldout else "") + catalogue.titles[item],
            str(catalogue.years[item] or ""),
            rank_text(after if is_a else before),
            move_text(before, after),
            tag if row < found.count <= rows[row] else "",
        ]

    table.columns = [
        Column("#", 4, right=True),
        Column(f"{side.upper()} {clean(label)}", 17, flex=True),
        Column("year", 4, drop=3),
        Column("in B" if is_a else "in A", 5, right=True, drop=1),
        Column("move", 6, right=True),
        Column("", 4, drop=2),
    ]
    table.moves = (4, 5)
    table.scroll_to(y=0, animate=False)
    table.show_rows(len(ranking.items), cells, marked=ranking.heldout)


def mover_lines(catalogue: "Catalogue", found: "PersonComparison") -> list[str]:
    """The biggest movers into and out of the top of the list, a line each."""
    lines = []
    for name, rows, ranking, ranks in (
        ("in ", found.entered(), found.b, found.ranks_of_b),
        ("out", found.left(), found.a, found.ranks_of_a),
    ):
        titles = [
            f"{catalogue.titles[int(ranking.items[row])]} {' → '.join(map(rank_text, ranks(row)))}"
            for row in rows[:MOVERS]
        ]
        if titles:
            lines.append(f"{name} {clean(' · '.join(titles))}")
    return lines


def show_users(
    table: MoverTable, users: "Users", found: "AllComparison", order: NDArray[np.int64], sort: str
) -> None:
    """Users with their ranks in both; `order` has rows of the comparison."""
    from neumf_tui.explore.compare import move_text

    sides = found.side

    def cells(row: int) -> list[str]:
        at = int(order[row])
        user, before, after = int(found.users[at]), float(found.rank_a[at]), float(found.rank_b[at])
        return [
            users.dataset.user_ids[user],
            users.heldout_title(user),
            rank_text(before),
            rank_text(after),
            move_text(before, after),
            ("lost", "", "won")[int(sides[at]) + 1],
        ]

    table.columns = [
        Column("user", min(16, max(4, *map(len, users.dataset.user_ids)))),
        Column(sort, 8, flex=True),
        Column("A", 5, right=True),
        Column("B", 5, right=True),
        Column("move", 6, right=True, drop=1),
        Column("", 4),
    ]
    table.moves = (4, 5)
    table.show_rows(len(order), cells)
