"""`recommend`: rank items for a person who is not in the dataset."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli import complete
from neumf_tui.cli.lookup import ModelOptions, find_item, model_options
from neumf_tui.cli.options import Raw, TopItems, check_rows, home_of, rows_of
from neumf_tui.errors import RunError, UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset

STABLE = 3
"""Number of liked items from which the list depends less on each single one."""
_OTHER_SEPARATORS = re.compile(r"[,/|+&\n]| and ")
"""What people write between titles instead of `;`. Titles have these, too."""


Likes = Annotated[
    list[str],
    typer.Option(
        "--likes",
        metavar="ITEMS",
        help="Item ids or titles, separated by ';'; can be repeated.",
        autocompletion=complete.likes,
    ),
]


@model_options
def recommend(
    likes: Likes,
    save: Annotated[
        str | None,
        typer.Option("--save", metavar="NAME", help="Save the person as a guest with this name."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --save: replace a guest with that name.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of the items drawn for comparison.")
    ] = 0,
    raw: Raw = False,
    top: TopItems = "10",
    *,
    model: ModelOptions,
) -> None:
    """Rank items for a new person who likes the given items; the model does not change."""
    rows = rows_of(top)
    liked = [name.strip() for text in likes for name in text.split(";") if name.strip()]
    if not liked:
        raise UsageError(
            "--likes: expected at least one item, such as --likes 'Alien; Blade Runner'"
        )
    if replace and save is None:
        raise UsageError("--replace needs --save NAME")
    if save is not None:
        _check_free(home_of(model.home), save, replace)
    ranker = model.open_ranker()
    data = ranker.dataset
    check_rows(rows, data.num_items)
    from neumf_tui.explore.guests import Guest, save_guest
    from neumf_tui.explore.newcomer import UNSAVED
    from neumf_tui.views.output import say
    from neumf_tui.views.person import guest_sheet, print_ranking

    items = _items_of(data, liked)
    if len(items) < STABLE:
        count = data.noun.counted(len(items))
        say(f"{count}: give {STABLE} or more for a more stable list")
    if seed and ranker.scorer.by_history:
        say(
            f"--seed {seed}: {ranker.info.name} computes a person's vectors from their "
            f"{data.noun.plural} without random draws, so it makes no difference"
        )
    guest = Guest(save or UNSAVED, tuple(data.catalogue.item_ids[item] for item in items), seed)
    ranking = ranker.rank(guest)
    if save is not None:
        save_guest(guest, data, ranker.home)
        say(f"saved: `neumf-tui rank --guest {save} --run {ranker.info.name}`")
    sheet = guest_sheet(ranker, ranking, rows)
    model.print_sheet(sheet, lambda sheet: print_ranking(sheet, raw))


def _check_free(home: Path, name: str, replace: bool) -> None:
    from neumf_tui.explore.guests import guest_names
    from neumf_tui.runs.store import check_name

    check_name(name, "guest")
    if name in guest_names(home) and not replace:
        raise UsageError(
            f"--save {name}: a guest with this name exists; give another name, or --replace"
        )


def _items_of(dataset: "Dataset", names: list[str]) -> list[int]:
    """Return the indices of the named items; stderr says which ones were guessed."""
    named: dict[int, str] = {}
    for name in names:
        try:
            item = find_item(dataset, name)
        except RunError as error:
            if several := _several_in_one(dataset, name):
                raise RunError(several) from error
            raise
        if item in named:
            raise UsageError(
                f"--likes: {named[item]!r} and {name!r} are both "
                f"{dataset.catalogue.item_title(item)!r}; name each {dataset.noun.singular} once"
            )
        named[item] = name
    return list(named)


def _several_in_one(dataset: "Dataset", name: str) -> str:
    """Return what to say where `name` is several names without `;` between them, else nothing."""
    parts = [part for part in _OTHER_SEPARATORS.split(name) if part.strip()]
    nearest = [dataset.title_search.search(part, 1) for part in parts]
    if len(parts) < 2 or not all(nearest):
        return ""
    titles = "; ".join(dataset.catalogue.item_title(item) for (item,) in nearest)
    return (
        f"no {dataset.noun.singular} {name!r} in {dataset.label}; ';' separates "
        f"{dataset.noun.plural}: --likes {shlex.quote(titles)} has the nearest"
    )
