"""MovieLens 100K: `u.data` (tabs) and `u.item` (pipes, Latin-1), without headers."""

import re
from pathlib import Path

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.item_names import CatalogueBuilder, split_year
from neumf_tui.data.readers.text_by_line import records
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.readers.text_read import read_text

LAYOUT = Layout(
    "\t", ("user id", "item id", "rating", "timestamp"), 0, 1, 3, 2, has_header=False, quoted=False
)
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip


def read(folder: Path, _: ReadOptions, report: Report = silent) -> Content:
    """Read the folder; items without interactions are left out."""
    path, items = folder / "u.data", folder / "u.item"
    rows = read_text(path, LAYOUT, report)
    return assemble(rows, _read_items(items), ties="file order")


def _read_items(path: Path) -> Catalogue:
    builder = CatalogueBuilder()
    lines = records(path, "|", 5 + len(GENRES), has_header=False, quoted=False)
    for where, fields in lines:
        item_id, title, released = fields[:3]
        title, year = split_year(title)
        if year is None and (digits := re.search(r"[0-9]{4}\Z", released)):
            year = int(digits[0])
        genres = [genre for genre, flag in zip(GENRES, fields[5:], strict=True) if flag == "1"]
        builder.add(where, "item id", item_id, title, year, genres)
    return builder.catalogue
