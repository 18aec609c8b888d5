"""Text and JSON on stdout for people and programs; talk on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from neumf_tui.text import clean
from neumf_tui.views.sheet import Sheet


def say(text: str) -> None:
    """Print a line for the person on stderr."""
    print(clean(text), file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def print_line(text: str) -> None:
    """Print a line of a report on stdout."""
    print(clean(text))


def print_sheet(sheet: Sheet, form: str) -> bool:
    """Print a sheet if `form` is `json` or `csv`; return whether the caller must print a table."""
    if form == "json":
        print_json(sheet.object)
    elif form == "csv":
        print(sheet.text(), end="")
    return form == "table"


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()
) -> None:
    """Print a table with the columns `numbers` aligned right; cells are never markup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 250, highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        table.add_column(
            name, justify="right" if name in numbers else "left", no_wrap=True, overflow="ellipsis"
        )
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def print_metrics(result: Mapping[str, Any]) -> None:
    """Print the keys `metrics`, `validation` (may be None) and `popularity` side by side."""
    columns = {
        "held out": result["metrics"],
        "validation": result["validation"],
        "popularity": result["popularity"],
    }
    shown = {name: figures for name, figures in columns.items() if figures is not None}
    rows = [
        (key, *(f"{figures[key]:.4f}" for figures in shown.values())) for key in result["metrics"]
    ]
    print_table(("metric", *shown), rows, numbers=tuple(shown))


def item_label(row: Mapping[str, Any], prefix: str = "") -> str:
    """Return title, year and id of an item, from the keys of a sheet that start with `prefix`."""
    title, year = row[f"{prefix}title"], row[f"{prefix}year"]
    return f"{title}{f' ({year})' if year else ''} [{row[f'{prefix}item_id']}]"
