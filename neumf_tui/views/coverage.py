"""Which items are recommended at all, as a sheet and as text: the model beside popularity alone."""

from typing import TYPE_CHECKING

from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import counted
from neumf_tui.views.output import (
    column,
    number,
    print_drawing,
    print_line,
    print_rows,
    year_and_genres,
)
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import item_keys, model_keys

if TYPE_CHECKING:
    from neumf_tui.explore.coverage import Coverage, TopCounts

COLUMNS = ("item_id", "title", "year", "genres", "seen_by")


def coverage_sheet(coverage: "Coverage", top: int | None = None) -> Sheet:
    """Return at most `top` rows, one for each item in nobody's top 50, the most seen first."""
    dataset, info = coverage.dataset, coverage.info
    rows = [
        item_keys(dataset, item)
        | {"genres": dataset.catalogue.genres[item], "seen_by": int(dataset.seen_by[item])}
        for item in coverage.model.never[:top].tolist()
    ]
    about = model_keys(info, coverage.epoch) | {
        "num_users": coverage.users,
        "of_users": dataset.num_users,
        "sample_seed": coverage.seed,
        "num_items": dataset.num_items,
        "model": _figures(coverage.model),
        "popularity": _figures(coverage.popularity),
    }
    return Sheet(f"{info.name}-never-recommended", about, "never", rows, COLUMNS)


def _figures(counts: "TopCounts") -> dict[str, float | int]:
    return {
        f"coverage@{CUTOFF}": counts.coverage,
        "gini": counts.gini,
        "mean_seen_by": counts.mean_seen_by,
        "num_never": len(counts.never),
    }


def coverage_text(coverage: "Coverage") -> str:
    """Return the figures as lines of a table, and over which users they are."""
    model, popular, data = coverage.model, coverage.popularity, coverage.dataset
    noun = data.noun
    rows = (
        ("", "model", "popularity", ""),
        (f"coverage@{CUTOFF}", f"{100 * model.coverage:.1f} %", f"{100 * popular.coverage:.1f} %",
         f"of {noun.counted(data.num_items)}, in any top {CUTOFF}"),
        ("Gini index", f"{model.gini:.3f}", f"{popular.gini:.3f}",
         "0: all equally often, 1: only one"),
        ("mean seen by", f"{model.mean_seen_by:,.1f}", f"{popular.mean_seen_by:,.1f}",
         f"users, over the top {CUTOFF}"),
        ("never recommended", f"{len(model.never):,}", f"{len(popular.never):,}", noun.plural),
    )  # fmt: skip
    lines = ["{:<17} {:>9} {:>10}  {}".format(*row).rstrip() for row in rows]
    return "\n".join([*lines, users_text(coverage)])


def users_text(coverage: "Coverage") -> str:
    """Return over which users the figures are; a sample is always named."""
    everyone = coverage.dataset.num_users
    if coverage.seed is None:
        return f"over all {counted(everyone, 'user')}"
    return (
        f"over a sample of {coverage.users:,} of {everyone:,} users (seed {coverage.seed}): "
        f"the lists of all users would hold more {coverage.dataset.noun.plural}"
    )


def print_coverage(coverage: "Coverage", sheet: Sheet) -> None:
    """Print the figures and the items of `coverage_sheet` for people."""
    print_drawing(coverage_text(coverage).splitlines())
    print_line()
    print_rows(
        sheet.rows,
        column("never recommended", "title"),
        *year_and_genres(),
        number("seen by", "seen_by"),
    )
