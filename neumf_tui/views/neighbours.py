"""Neighbours of an item or a person, as sheets (a row has one neighbour by each kind) and text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from neumf_tui.data.nouns import Noun
from neumf_tui.explore.guests import Who
from neumf_tui.explore.neighbours import Neighbours, similar_items, similar_users
from neumf_tui.explore.ranker import Ranker
from neumf_tui.scorers.nearest import CLOSE
from neumf_tui.views.output import Column, column, item_label, number, print_line, print_rows
from neumf_tui.views.parts import MEASURE, part_name
from neumf_tui.views.sheet import Row, Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys, run_line, who_keys, who_stamp

ITEM_COLUMNS = ("item_id", "title", "year", MEASURE, "both", "seen_by")
USER_COLUMNS = ("user", MEASURE, "both", "history_size")


def similar_items_sheet(ranker: Ranker, item: int, count: int) -> Sheet:
    """Return what `similar ITEM --json` prints."""
    data = ranker.dataset

    def cells(row: int) -> Row:
        return item_keys(data, row) | {"seen_by": int(data.seen_by[row])}

    about = model_keys(ranker.info, ranker.epoch) | cells(item)
    name = f"item-{data.catalogue.item_ids[item]}-neighbours"
    found = similar_items(ranker, item, count)
    sheet = _sheet(name, about, found, cells, ITEM_COLUMNS, ("item_id",))
    return replace(sheet, noun=data.noun)


def similar_users_sheet(ranker: Ranker, who: Who, count: int) -> Sheet:
    """Return what `similar --user --json` prints; one of `user` and `guest` is null."""
    data, person = ranker.dataset, ranker.person(who)

    def cells(row: int) -> Row:
        return {"user": data.user_ids[row], "history_size": len(data.history(row))}

    about = model_keys(ranker.info, ranker.epoch) | who_keys(data, who)
    about["history_size"] = len(person.history)
    name = f"{person.file_stem}-neighbours"
    found = similar_users(ranker, who, count)
    sheet = _sheet(name, about, found, cells, USER_COLUMNS, (who_stamp(who),))
    return replace(sheet, noun=data.noun)


def _sheet(
    name: str,
    about: dict[str, Any],
    found: Mapping[str, Neighbours],
    cells: Callable[[int], Row],
    columns: Sequence[str],
    stamp: tuple[str, ...],
) -> Sheet:
    """Cells of a space that has fewer neighbours than another are None."""
    rows = []
    for place in range(max((len(one.rows) for one in found.values()), default=0)):
        row: Row = {"place": place + 1}
        for kind, one in found.items():
            values: Row = dict.fromkeys(columns)
            if place < len(one.rows):
                value, both = float(one.near.values[place]), int(one.both[place])
                values = cells(int(one.rows[place])) | {one.near.measure: value, "both": both}
            row |= {f"{kind}_{key}": values.get(key) for key in _keys(one, columns)}
        rows.append(row)
    about = about | {f"{kind}_close": one.near.close for kind, one in found.items()}
    about["zero_vectors"] = [kind for kind, one in found.items() if one.near.zero]
    about["measures"] = {kind: one.near.measure for kind, one in found.items()}
    names = (f"{kind}_{key}" for kind, one in found.items() for key in _keys(one, columns))
    header = ("place", *names)
    return Sheet(name, about, "neighbours", rows, header, stamp)


def _keys(one: Neighbours, columns: Sequence[str]) -> list[str]:
    """Return the columns of one space, in which the measure has its own name."""
    return [one.near.measure if key == MEASURE else key for key in columns]


def print_neighbours(sheet: Sheet) -> None:
    """Print the sheet of `similar_items_sheet` or `similar_users_sheet` for people."""
    about, noun, of_item = sheet.about, sheet.noun, "item_id" in sheet.about
    head = f"{run_line(about)}  epoch {about['epoch']}  "
    if of_item:
        print_line(f"{head}{item_label(about)}  seen by {about['seen_by']:,}")
    else:
        who = f"user {about['user']}" if about["guest"] is None else f"guest {about['guest']}"
        print_line(f"{head}{who}  {noun.in_history(about['history_size'])}")
    for kind, measure in about["measures"].items():
        if measure != MEASURE:
            print_line(f"{kind}: what this {noun.singular} adds to each by standing in a history")
        elif kind in about["zero_vectors"]:
            print_line(f"{space_name(kind)}: zero, so nothing is near it")
        else:
            close = f"{about[f'{kind}_close']:,} {noun.plural if of_item else 'users'}"
            print_line(f"{space_name(kind)}: {close} have a cosine of at least {CLOSE}")
    columns = [
        one
        for kind, measure in about["measures"].items()
        for one in _columns(kind, measure, of_item, noun)
    ]
    print_rows(sheet.rows, number("#", "place"), *columns)


def _columns(kind: str, measure: str, of_item: bool, noun: Noun) -> list[Column]:
    """Return the columns of the neighbours by one kind of vector; it may have too few for a row."""
    size, key = ("seen by", "seen_by") if of_item else (noun.of_history, "history_size")

    def name(row: Row) -> Any:
        if of_item:
            return row[f"{kind}_title"] and item_label(row, f"{kind}_")
        return row[f"{kind}_user"]

    return [
        number(measure, f"{kind}_{measure}", ".4f", none=""),
        number("both", f"{kind}_both", none=""),
        number(size, f"{kind}_{key}", none=""),
        column(f"near by {space_name(kind)}", name, none=""),
    ]


def space_name(kind: str) -> str:
    """Return `GMF vector` for `gmf`, `vector` for `vectors`, and other names as they are."""
    return f"{part_name(kind)} vector" if part_name(kind) != kind else kind.removesuffix("s")
