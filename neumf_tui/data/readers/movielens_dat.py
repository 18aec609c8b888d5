"""MovieLens 1M and 10M: `ratings.dat` and `movies.dat`, fields separated by `::`, no header."""

from pathlib import Path

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.item_names import CatalogueBuilder, split_genres, split_year
from neumf_tui.data.readers.text_by_line import records
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.readers.text_read import read_text

LAYOUT = Layout(
    "::", ("user id", "item id", "rating", "timestamp"), 0, 1, 3, 2, has_header=False, quoted=False
)


def read(folder: Path, _: ReadOptions, report: Report = silent) -> Content:
    """Read the folder; `users.dat` and `tags.dat` are ignored."""
    path, movies = folder / "ratings.dat", folder / "movies.dat"
    rows = read_text(path, LAYOUT, report)
    return assemble(rows, _read_movies(movies))


def _read_movies(path: Path) -> Catalogue:
    """Read `id::title (year)::genres`."""
    builder = CatalogueBuilder()
    lines = records(path, "::", 3, has_header=False, quoted=False)
    for where, (item_id, title, genres) in lines:
        builder.add(where, "item id", item_id, *split_year(title), split_genres(genres, "|"))
    return builder.catalogue
