"""Complete arguments in the shell: names of runs, datasets, presets, guests, users and items.

Each function is one of Typer's `autocompletion`. It reads names alone, so that the shell waits for
neither torch nor a whole dataset, and what cannot be read completes nothing and says nothing.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from neumf_tui.errors import NeumfTuiError
from neumf_tui.text import clean, shortened

if TYPE_CHECKING:
    from neumf_tui.data.catalogue import Catalogue
    from neumf_tui.data.strings import Strings

SCREENFUL = 40
"""The most that is offered: more would scroll away."""
_ABOUT = 60
"""Characters of what is shown beside a completion."""
Offer = str | tuple[str, str]
"""A completion, or a completion and what some shells show beside it."""
_TO_QUOTE = re.compile(r"([^\w@%+=:,./-])", re.ASCII)


def _quietly(
    offers: Callable[[typer.Context, str], Iterable[Offer]],
) -> Callable[[typer.Context, str], list[Offer]]:
    """Return a function that offers a screenful, and nothing where something cannot be read."""

    @wraps(offers)
    def complete(ctx: typer.Context, incomplete: str) -> list[Offer]:
        try:
            return list(islice(_harmless(offers(ctx, incomplete)), SCREENFUL))
        except (NeumfTuiError, OSError, ValueError):
            return []

    return complete


def _harmless(offers: Iterable[Offer]) -> Iterator[Offer]:
    """Yield what a terminal shows as it is: names and titles can come from somebody else."""
    from rich.markup import escape

    for offer in offers:
        value, about = (offer, "") if isinstance(offer, str) else offer
        if clean(value) == value:
            # Typer takes it for markup, and breaks a long one into lines.
            yield (value, escape(shortened(about, _ABOUT))) if about else value


def _starting(names: Iterable[str], start: str) -> Iterator[str]:
    return (name for name in names if name.startswith(start))


def _home(ctx: typer.Context) -> Path:
    from neumf_tui.home import home_dir

    return home_dir(ctx.params.get("home"))


@_quietly
def presets(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the name of a preset."""
    from neumf_tui.settings import preset_names

    return _starting(preset_names(), incomplete)


@_quietly
def runs(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the name of a run, the latest first."""
    from neumf_tui.runs.store import run_folders

    return _starting((folder.name for folder in run_folders(_home(ctx))), incomplete)


@_quietly
def guests(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the name of a saved guest."""
    from neumf_tui.explore.guests import guest_names

    return _starting(guest_names(_home(ctx)), incomplete)


@_quietly
def datasets(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the name of a dataset, those that are on this machine first."""
    from neumf_tui.data.registry import known_datasets

    known = sorted(known_datasets(_home(ctx)), key=lambda entry: not entry.available)
    places = {"auto": "the data in --data-dir, or else ml-100k"}
    places |= {entry.name: entry.where for entry in known}
    return ((name, places[name]) for name in _starting(places, incomplete))


@_quietly
def users(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the id of a user of the dataset that the other arguments name."""
    from neumf_tui.data.strings import START

    ids, _ = _names(ctx)
    return (ids[row] for row in (ids.matches(incomplete) >= START).nonzero()[0].tolist())


@_quietly
def items(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the id or the title of an item."""
    _, catalogue = _names(ctx)
    return _items(catalogue, "", incomplete)


@_quietly
def likes(ctx: typer.Context, incomplete: str) -> Iterator[Offer]:
    """Complete the last of several items that `;` separates."""
    before, separator, last = incomplete.rpartition(";")
    blank = " " * (len(last) - len(last.lstrip()))
    _, catalogue = _names(ctx)
    return _items(catalogue, before + separator + blank, last.lstrip())


def _items(catalogue: "Catalogue", before: str, start: str) -> Iterator[Offer]:
    """Yield ids that start with `start`, then titles in any case; `before` stands before each."""
    for item_id, title in zip(catalogue.item_ids, catalogue.titles, strict=True):
        if start and item_id.startswith(start):
            yield before + item_id, title
    for item_id, title in zip(catalogue.item_ids, catalogue.titles, strict=True):
        if title != item_id and title.casefold().startswith(start.casefold()):
            # What is typed stays as it is: shells drop a completion that does not start with it.
            rest = title[len(start) :]
            yield _as_typed(before + start, rest), f"id {item_id}"


def _as_typed(typed: str, rest: str) -> str:
    """Return the text that completes `typed`; bash alone inserts it without quotes of its own."""
    in_bash = os.environ.get("_NEUMF_TUI_COMPLETE") == "complete_bash"
    return typed + (_TO_QUOTE.sub(r"\\\1", rest) if in_bash else rest)


def _names(ctx: typer.Context) -> "tuple[Strings, Catalogue]":
    """Return user ids and items of the dataset of the run, or of the dataset, that is named."""
    from neumf_tui.data.prepared import load_names, newest_of
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.store import find_run, split_spec

    home, given = _home(ctx), ctx.params
    if "dataset" in given:
        return load_names(home, newest_of(home, given["dataset"]))
    first = (given.get("runs") or [given.get("a") or given.get("run")])[0]
    run = split_spec(first)[0] if first else None
    return load_names(home, read_info(find_run(home, run)).dataset.fingerprint)
