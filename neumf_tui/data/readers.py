"""Datasets out of files of every form: who saw what when, the names of items, and the two put together."""

from collections.abc import Callable
from pathlib import Path

from neumf_tui.data.blocks import read_fast
from neumf_tui.data.dataset import Catalogue, Dataset, prepare, with_notice
from neumf_tui.data.items import nameless, read_movies_csv, read_movies_dat, read_recbole_items
from neumf_tui.data.layout import Columns, Layout, first_line, layout_of
from neumf_tui.data.lines import interactions, read_by_line
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.rows import Rows, in_seconds, indices
from neumf_tui.data.split import Interactions
from neumf_tui.errors import DatasetError

DAT = Layout(
    "::", ("user id", "item id", "rating", "timestamp"), 0, 1, 3, 2, has_header=False, quoted=False
)


def read_movielens_csv(
    folder: Path, name: str, columns: Columns | None = None, report: Report = silent
) -> Dataset:
    """MovieLens since 2015, and much else: `ratings.csv` and `movies.csv`, UTF-8, columns by name in any order.

    Columns of other names are left aside. Ids are the strings of the file; indices go by them, as numbers where all are whole
    numbers. Films nobody rated are no candidates and left out. Raises DatasetError naming file and line for anything else
    than is expected; so do all readers here.
    """
    path, films = folder / "ratings.csv", folder / "movies.csv"
    layout = layout_of(path, ",", columns)
    rows = _read(path, layout, report)
    if not films.exists():
        raise DatasetError(
            f"{films}: cannot be read (No such file or directory); expected a folder with ratings.csv and movies.csv; check "
            f"--data-dir or NEUMF_TUI_DATA, or name {path} itself with --data-dir, to see ids for titles"
        )
    return _assembled(
        name,
        str(folder),
        rows,
        read_movies_csv(films),
        lambda ids: _missing(path, layout, films, ids),
        report,
    )


def read_movielens_dat(folder: Path, name: str, report: Report = silent) -> Dataset:
    """MovieLens 1M and 10M: `ratings.dat` and `movies.dat`, separated by `::`; `users.dat` and `tags.dat` are left aside."""
    path, films = folder / "ratings.dat", folder / "movies.dat"
    first_line(path)
    rows = _read(path, DAT, report)
    return _assembled(
        name,
        str(folder),
        rows,
        read_movies_dat(films),
        lambda ids: _missing(path, DAT, films, ids),
        report,
    )


def read_recbole(
    path: Path, name: str, columns: Columns | None = None, report: Report = silent
) -> Dataset:
    """RecBole's atomic files: `NAME.inter`, and `NAME.item` where it is there. Items that are not in it go by their ids."""
    rows = _read(path, layout_of(path, "\t", columns, quoted=False), report)
    films = path.with_suffix(".item")
    return _assembled(
        name,
        _named(path, columns),
        rows,
        read_recbole_items(films) if films.exists() else None,
        None,
        report,
    )


def read_table(
    path: Path, name: str, columns: Columns | None = None, report: Report = silent
) -> Dataset:
    """A table of interactions in CSV or with tabs (.tsv), with a header, UTF-8. Items are called by their ids."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    return _assembled(
        name,
        _named(path, columns),
        _read(path, layout_of(path, separator, columns), report),
        None,
        None,
        report,
    )


def read_parquet(
    path: Path, name: str, columns: Columns | None = None, report: Report = silent
) -> Dataset:
    """A table of interactions in Parquet. Items are called by their ids."""
    from neumf_tui.data.parquet import read_rows

    return _assembled(
        name, _named(path, columns), read_rows(path, columns, report), None, None, report
    )


def _named(path: Path, columns: Columns | None) -> str:
    """Where the data came from, as `forms.source_of` reads it again."""
    return str(path) if columns is None else f"{path} [{columns}]"


def _read(path: Path, layout: Layout, report: Report) -> Rows:
    return read_fast(path, layout, report) or read_by_line(path, layout, report)


def _assembled(
    name: str,
    source: str,
    rows: Rows,
    films: Catalogue | None,
    missing: Callable[[set[str]], DatasetError] | None,
    report: Report,
) -> Dataset:
    """`missing` gives the error to raise for items that are not in `films`; without it they go by their ids."""
    user_ids, users = indices(rows.users)
    item_ids, items = indices(rows.items)
    notices = []
    if films is None:
        catalogue = nameless(item_ids)
    else:
        places = {item_id: place for place, item_id in enumerate(films.item_ids)}
        absent = [item_id for item_id in item_ids if item_id not in places]
        if absent and missing is not None:
            raise missing(set(absent))
        if absent:
            notices.append(
                f"{len(absent):,} items have no name in the file of items and go by their ids"
            )
            named = nameless(absent)
            films = Catalogue(
                *(
                    getattr(films, field) + getattr(named, field)
                    for field in ("item_ids", "titles", "years", "genres")
                )
            )
            places |= {item_id: place for place, item_id in enumerate(films.item_ids)}
        keep = [places[item_id] for item_id in item_ids]
        catalogue = Catalogue(
            item_ids,
            [films.titles[k] for k in keep],
            [films.years[k] for k in keep],
            [films.genres[k] for k in keep],
        )
    times, order, unit = in_seconds(rows.times, rows.parts)
    told = Interactions(users, items, times)
    if order is not None:
        told = Interactions(users[order], items[order], times[order])
    del users, items, times, order
    dataset = prepare(name, source, user_ids, catalogue, told, report=report)
    if unit:
        notices.append(f"timestamps are too large for seconds, and taken as {unit}")
    for notice in notices:
        dataset = with_notice(dataset, notice)
    return dataset


def _missing(path: Path, layout: Layout, films: Path, ids: set[str]) -> DatasetError:
    """Names the first line with one of these items."""
    column = layout.header[layout.item]
    for where, fields in interactions(path, layout):
        if fields[layout.item] in ids:
            return DatasetError(
                f"{where}: {column} {fields[layout.item]!r} is not in {films}; add it there, or remove the line"
            )
    return DatasetError(f"{path}: it changed while it was read; run again")
