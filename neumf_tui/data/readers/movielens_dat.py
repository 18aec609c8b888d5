"""MovieLens 1M and 10M: `ratings.dat` and `movies.dat`, fields separated by `::`, no header."""

import codecs
from pathlib import Path

from neumf_tui import files
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.item_names import CatalogueBuilder, split_genres, split_year
from neumf_tui.data.readers.text_by_line import records
from neumf_tui.data.readers.text_fast import read_text
from neumf_tui.data.readers.text_layout import Layout, first_line

LAYOUT = Layout(
    "::", ("user id", "item id", "rating", "timestamp"), 0, 1, 3, 2, has_header=False, quoted=False
)


def read(folder: Path, _: ReadOptions, report: Report = silent) -> Content:
    """Read the folder; `users.dat` and `tags.dat` are ignored."""
    path, movies = folder / "ratings.dat", folder / "movies.dat"
    rows = read_text(path, LAYOUT, report)
    return assemble(rows, _read_movies(movies), (path, LAYOUT, movies))


def _read_movies(path: Path) -> Catalogue:
    """Read `id::title (year)::genres`."""
    first_line(path)
    builder = CatalogueBuilder()
    lines = records(path, "::", 3, has_header=False, quoted=False, encoding=_encoding(path))
    for where, (item_id, title, genres) in lines:
        builder.add(where, "item id", item_id, *split_year(title), split_genres(genres, "|"))
    return builder.catalogue


def _encoding(path: Path) -> str:
    """Return UTF-8 (MovieLens 10M), or Latin-1 (1M) if the file is not valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with files.open_given(path) as file:
        try:
            while content := file.read(1 << 20):
                decoder.decode(content)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig"
