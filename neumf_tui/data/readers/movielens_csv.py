"""MovieLens since 2015, and others: `ratings.csv` and `movies.csv`, UTF-8, columns by name."""

from pathlib import Path

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.columns import Columns
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.item_names import (
    CatalogueBuilder,
    item_columns,
    split_genres,
    split_year,
)
from neumf_tui.data.readers.text_by_line import records
from neumf_tui.data.readers.text_layout import read_header
from neumf_tui.data.readers.text_read import read_text
from neumf_tui.data.readers.text_sniff import layout_of
from neumf_tui.errors import DatasetError

_MOVIES_HEADER = ("movieId", "title", "genres")


def read(folder: Path, options: ReadOptions, report: Report = silent) -> Content:
    """Read the folder; other columns are ignored, and so are items without interactions.

    Ids are the strings of the file; indices follow their order, by value if all are whole numbers.
    """
    path, movies = folder / "ratings.csv", folder / "movies.csv"
    layout = layout_of(path, columns=Columns.of(options), time_format=options.time_format)
    rows = read_text(path, layout, report, options)
    if not movies.exists():
        raise DatasetError(
            f"{movies}: not found; expected a folder with ratings.csv and movies.csv; check "
            f"--data-dir or NEUMF_TUI_DATA, or give --data-dir {path} to use ids as titles"
        )
    return assemble(rows, _read_movies(movies))


def _read_movies(path: Path) -> Catalogue:
    header = read_header(path, ",")
    known, places = item_columns(header), []
    for role, name in zip(("item", "title", "genres"), _MOVIES_HEADER, strict=True):
        if len(known[role]) != 1:
            raise DatasetError(
                f"{path}, line 1: {'more than one' if known[role] else 'no'} column {name}; "
                f"expected {', '.join(_MOVIES_HEADER)}, separated by commas; found "
                f"{', '.join(header)[:120]}; fix the header"
            )
        places += known[role]
    builder = CatalogueBuilder()
    for where, fields in records(path, ",", len(header)):
        item_id, title, genres = (fields[place] for place in places)
        column = header[places[0]]
        builder.add(where, column, item_id, *split_year(title), split_genres(genres, "|"))
    return builder.catalogue
