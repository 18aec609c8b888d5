"""RecBole's atomic files: `NAME.inter` and, if present, `NAME.item`; fields separated by tabs."""

import re
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


def read(path: Path, options: ReadOptions, report: Report = silent) -> Content:
    """Read the `.inter` file at `path`; items that are not in the `.item` file use their ids."""
    layout = layout_of(
        path, None, Columns.of(options), quoted=False, time_format=options.time_format
    )
    rows = read_text(path, layout, report, options)
    items = path.with_suffix(".item")
    catalogue = _read_items(items) if items.exists() else None
    return assemble(rows, catalogue)


def _read_items(path: Path) -> Catalogue:
    """Read the `.item` file: a header of `name:type`; words of a list are separated by blanks."""
    header = read_header(path, "\t", quoted=False)
    known = item_columns(header).values()
    item, title, year, genres = (places[0] if places else None for places in known)
    if item is None:
        raise DatasetError(
            f"{path}, line 1: no column item_id:token; expected one, separated by tabs; found "
            f"{', '.join(header)[:120]}; fix the header"
        )
    builder = CatalogueBuilder()
    for where, fields in records(path, "\t", len(header), quoted=False):
        item_title, item_year = fields[item], None
        if title is not None and fields[title].strip():
            item_title, item_year = split_year(fields[title])
        if year is not None and (match := re.fullmatch(r"\s*(\d{4})(?:\.0)?\s*", fields[year])):
            item_year = int(match[1])
        text = "" if genres is None else fields[genres]
        names = split_genres(text, "|" if "|" in text else " ")
        builder.add(where, header[item], fields[item], item_title, item_year, names)
    return builder.catalogue
