"""`guests`: list or delete the saved guests."""

from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.options import Home, Json, home_of
from neumf_tui.errors import RunError, UsageError
from neumf_tui.text import shortened

TITLES_WIDTH = 40
"""Width of the titles in the table; `--json` has all of them."""


def guests(
    delete: Annotated[
        str | None,
        typer.Option(
            "--delete",
            metavar="NAME",
            help="Delete this guest.",
            autocompletion=complete.guests,
        ),
    ] = None,
    json: Json = False,
    home: Home = None,
) -> None:
    """List the saved guests with their dataset and items, or delete one."""
    if delete is not None and json:
        raise UsageError("--delete and --json: choose one")
    from neumf_tui.explore.guests import delete_guest, guest_names
    from neumf_tui.views.output import column, number, print_json, print_line, print_rows, say

    where = home_of(home)
    if delete is not None:
        delete_guest(where, delete)
        say(f"guest {delete} is deleted")
        return
    rows = [_about_guest(where, name) for name in guest_names(where)]
    if json:
        print_json(rows)
    elif not rows:
        print_line("no guests yet; save one with `neumf-tui recommend --likes ... --save NAME`")
    else:
        print_rows(
            rows,
            column("guest", "guest"),
            column("dataset", "dataset"),
            number("items", lambda row: row["item_ids"] and len(row["item_ids"]), str),
            column("titles", lambda row: row["problem"] or _titles(row["titles"])),
        )


def _titles(titles: list[str]) -> str:
    return shortened("; ".join(titles), TITLES_WIDTH)


def _about_guest(home: Path, name: str) -> dict[str, Any]:
    """Return what is saved of a guest; for an unreadable file only `problem` is not None."""
    import msgspec

    from neumf_tui.explore.guests import GuestFile, read_guest

    try:
        known, problem = msgspec.structs.asdict(read_guest(home, name)), None
    except RunError as error:
        known, problem = dict.fromkeys(GuestFile.__struct_fields__), str(error)
    return {"guest": name, **known, "problem": problem}
