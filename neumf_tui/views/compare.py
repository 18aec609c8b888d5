"""Two models side by side for one person, as a sheet and as text."""

from dataclasses import asdict
from typing import Any

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.nouns import Noun
from neumf_tui.explore.compare import HeldoutChange, PartChange, PersonComparison
from neumf_tui.explore.ranker import Ranker
from neumf_tui.runs.events import CUTOFF
from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import rank_text
from neumf_tui.views.beyond import beyond_text
from neumf_tui.views.compare_lists import mover_rows, mover_text, side_texts
from neumf_tui.views.compare_users import about_models, print_protocols
from neumf_tui.views.moves import move_text, signed
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.parts import part_name
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import item_keys, label_of, who_keys, who_stamp

SMALL = 0.05  # a change of a part, in standard deviations, that is shown as 0.0
MOVERS = 5  # number of items printed that enter or leave the top list


def compare_person_sheet(
    a: Ranker, b: Ranker, comparison: PersonComparison, top: int | None = None
) -> Sheet:
    """Return both lists, one row for each place, at most `top`; moves are places won in B."""
    dataset, c = a.dataset, comparison
    person = c.a.person
    about = about_models(c.label_a, c.label_b, a.info, b.info) | {
        **who_keys(dataset, person.who),
        "history_size": len(person.history),
        "num_candidates": len(c.a.items),
        "cutoff": c.count,
        "in_both": c.in_both,
        "overlap": c.overlap,
        "heldout": _heldout_object(dataset, c.heldout),
        "entered": [_mover(dataset, c.b.items[row], *c.ranks_of_b(row)) for row in c.entered()],
        "left": [_mover(dataset, c.a.items[row], *c.ranks_of_a(row)) for row in c.left()],
    }
    rows = [_row(dataset, c, row) for row in range(len(c.a.items))[:top]]
    name = f"compare-{c.label_a}-{c.label_b}-{person.file_stem}"
    stamp = ("a", "b", who_stamp(person.who))
    return Sheet(name, about, "places", rows, tuple(rows[0]), stamp, dataset.noun)


def _row(dataset: Dataset, c: PersonComparison, row: int) -> Row:
    item_a, item_b = (item_keys(dataset, int(ranking.items[row])) for ranking in (c.a, c.b))
    a_rank, a_rank_in_b = c.ranks_of_a(row)
    b_rank_in_a, b_rank = c.ranks_of_b(row)
    return {
        "place": row + 1,
        **{f"a_{key}": value for key, value in item_a.items()},
        "a_rank": a_rank,
        "a_rank_in_b": a_rank_in_b,
        "a_move": a_rank - a_rank_in_b,
        "a_left": row < c.count <= int(c.row_in_b[row]),
        **{f"b_{key}": value for key, value in item_b.items()},
        "b_rank": b_rank,
        "b_rank_in_a": b_rank_in_a,
        "b_move": b_rank_in_a - b_rank,
        "b_new": row < c.count <= int(c.row_in_a[row]),
    }


def _mover(dataset: Dataset, item: int, rank_a: float, rank_b: float) -> Row:
    names = {"item_id": dataset.catalogue.item_ids[item], "title": dataset.catalogue.titles[item]}
    return names | {"rank_a": rank_a, "rank_b": rank_b}


def _heldout_object(dataset: Dataset, held: HeldoutChange | None) -> dict[str, Any] | None:
    if held is None:
        return None
    changes = {SCORE: held.score, **held.parts}
    parts = {name: asdict(part) | {"change": part.change} for name, part in changes.items()}
    mover = _mover(dataset, held.item, held.score.rank_a, held.score.rank_b)
    return mover | {"parts": parts, "words": cause_text(held, dataset.noun)}


def cause_text(held: HeldoutChange, noun: Noun) -> str:
    """Return which part moved the held-out item; its rank depends on the other items, too."""
    whole = held.score.change
    if held.score.length_a is not None or held.score.length_b is not None:
        return "how far its score moved is not known: it stands beyond a list"
    parts = {part_name(name): part.change for name, part in held.parts.items()}
    if whole is None or None in parts.values():
        alike = f"a model gives all {noun.plural} the same score, or this {noun.singular} none"
        return f"no part can be named: {alike}"
    unit = "standard deviations of this user's scores"
    climb = held.score.rank_a - held.score.rank_b
    changes = {name: change or 0.0 for name, change in parts.items()}
    named = [f"{name} {signed(change)}" for name, change in changes.items()]
    figures = f"{', '.join(named) or f'score {signed(whole)}'} {unit}"
    if climb == 0:
        return f"its rank is the same: {figures}"
    if abs(whole) < SMALL:
        others = "dropped" if climb > 0 else "rose"
        return f"its score barely changed; competing {noun.plural} {others}: {figures}"
    if (whole > 0) != (climb > 0):
        way = "rose" if whole > 0 else "dropped"
        return f"its score {way}, but competing {noun.plural} {way} more: {figures}"
    if len(changes) < 2:
        return f"its score {'rose' if whole > 0 else 'dropped'}: {figures}"
    if max(map(abs, changes.values())) < SMALL:
        return f"neither part changed noticeably: {figures}"
    if min(change / whole for change in changes.values()) >= 1 / 3:
        return f"both parts moved it: {figures}"
    most = max(changes, key=lambda name: changes[name] / whole)
    rest = (f", {name} {signed(change)}" for name, change in changes.items() if name != most)
    return f"{most} moved it: {signed(changes[most])} {unit}{''.join(rest)}"


def person_words(comparison: PersonComparison, noun: Noun) -> list[str]:
    """Return what changed between the two lists, one line for each fact; titles are not in it."""
    c = comparison
    lines = []
    if held := c.heldout:
        ranks = held.score.rank_a, held.score.rank_b
        before, after = ("hit" if rank <= CUTOFF else "miss" for rank in ranks)
        lines = [
            f"rank {_arrow(held.score)}{_move(held.score)} · "
            f"{before if before == after else f'{before} → {after}'}"
            + "".join(
                f" · {part_name(name)} alone {_arrow(part)}" for name, part in held.parts.items()
            ),
            cause_text(held, noun),
        ]
    new = c.count - c.in_both
    shared = f"{c.in_both} in both, {new} new in B; overlap@{c.count} {c.overlap:.2f}"
    return [*lines, f"first {c.count}: {shared}"]


def _arrow(part: PartChange) -> str:
    ends = (part.rank_a, part.length_a), (part.rank_b, part.length_b)
    return " → ".join(
        rank_text(rank) if length is None else beyond_text(length) for rank, length in ends
    )


def _move(part: PartChange) -> str:
    """Return how far a rank moved, with a space before it; empty where that is not known."""
    is_known = part.length_a is None and part.length_b is None
    return f" {move_text(part.rank_a, part.rank_b)}" if is_known else ""


def print_person(sheet: Sheet, comparison: PersonComparison) -> None:
    """Print the sheet of `compare_person_sheet` for people."""
    about, person = sheet.about, comparison.a.person
    print_line(
        f"A {about['a']}  B {about['b']}  {label_of(about)}  {person.label}  "
        f"{sheet.noun.in_history(about['history_size'])}"
    )
    print_protocols(sheet)
    held = about["heldout"]
    print_line(f"held out: {held['title']}" if held else f"no held-out {sheet.noun.singular}")
    for line in person_words(comparison, sheet.noun):
        print_line(line)
    titles = [row["title"] for row in (*about["entered"], *about["left"])]
    for name, side in (("in", "b"), ("out", "a")):
        rows = mover_rows(comparison, side)
        if rows:
            moves = (mover_text(comparison, side, row) for row in rows[:MOVERS])
            named = (f"{title} {move}" for title, move in zip(titles, moves, strict=False))
            print_line(f"{name}: {'; '.join(named)}{' …' if len(rows) > MOVERS else ''}")
            titles = titles[len(rows) :]
    print_rows(
        sheet.rows,
        number("#", "place"),
        column("A", lambda row: row["a_title"] if row["place"] <= comparison.a.known else ""),
        number("in B", lambda row: side_texts(comparison, "a", row["place"] - 1)[0], str),
        number("move", lambda row: side_texts(comparison, "a", row["place"] - 1)[1], str),
        column("", lambda row: "left" if row["a_left"] else ""),
        column("B", lambda row: row["b_title"] if row["place"] <= comparison.b.known else ""),
        number("in A", lambda row: side_texts(comparison, "b", row["place"] - 1)[0], str),
        number("move", lambda row: side_texts(comparison, "b", row["place"] - 1)[1], str),
        column("", lambda row: "new" if row["b_new"] else ""),
    )
