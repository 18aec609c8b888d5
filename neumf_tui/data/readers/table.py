"""A table of interactions with a header: CSV, or separated by tabs (.tsv); UTF-8."""

from pathlib import Path

from neumf_tui.data.columns import Columns
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.text_fast import read_text
from neumf_tui.data.readers.text_layout import layout_of


def read(path: Path, options: ReadOptions, report: Report = silent) -> Content:
    """Read the file; item ids are used as titles."""
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    rows = read_text(path, layout_of(path, separator, Columns.of(options)), report)
    return assemble(rows, None)
