"""`guests`: list or delete the saved guests."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui.cli.options import (
    Home,
    Json,
    home_of,
)
from neumf_tui.errors import RunError, UsageError

ROOM = 40
"""Width of the titles in the table; `--json` has all of them."""


def guests(
    delete: Annotated[
        str | None, typer.Option("--delete", metavar="NAME", help="Delete this guest.")
    ] = None,
    json: Json = False,
    home: Home = None,
) -> None:
    """The guests who are kept: of which dataset they are, and the films they picked."""
    if delete is not None and json:
        raise UsageError("--delete and --json: choose one")
    from neumf_tui.explore.guests import delete_guest, guest_names
    from neumf_tui.views.output import print_json, print_line, print_table, say

    where = home_of(home)
    if delete is not None:
        delete_guest(where, delete)
        say(f"deleted: guest {delete}")
        return
    rows = [_about_guest(where, name) for name in guest_names(where)]
    if json:
        print_json(rows)
    elif not rows:
        print_line("no guests yet; `neumf-tui recommend --likes ... --save NAME` makes one")
    else:
        print_table(
            ("guest", "dataset", "films", "titles"),
            [
                (row["guest"], "–", "–", row["problem"])
                if row["problem"]
                else (row["guest"], row["dataset"], str(len(row["item_ids"])), _some(row["titles"]))
                for row in rows
            ],
            numbers=("films",),
        )


def _some(titles: list[str]) -> str:
    """As many titles as leave the other columns their room."""
    text = "; ".join(titles)
    return text if len(text) <= ROOM else f"{text[: ROOM - 1]}…"


def _about_guest(home: Path, name: str) -> dict[str, Any]:
    """What is kept; for a file that cannot be read `problem` says why, and the rest is null."""
    from neumf_tui.explore.guests import read_guest

    try:
        kept = read_guest(home, name)
    except RunError as error:
        return {
            "guest": name,
            "dataset": None,
            "item_ids": None,
            "titles": None,
            "seed": None,
            "problem": str(error),
        }
    return {
        "guest": name,
        "dataset": kept.dataset,
        "item_ids": kept.item_ids,
        "titles": kept.titles,
        "seed": kept.seed,
        "problem": None,
    }
