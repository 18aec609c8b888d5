"""A table of interactions: text, JSON Lines or Parquet, in one file or in several parts."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from neumf_tui.data.columns import Columns
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report, silent
from neumf_tui.data.readers.assemble import assemble
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.rows import Rows, kind_of_times
from neumf_tui.data.readers.table_files import is_parquet, parts_of
from neumf_tui.data.readers.text_layout import sample_of
from neumf_tui.data.readers.text_open import is_file
from neumf_tui.data.readers.text_read import read_part
from neumf_tui.data.readers.text_sniff import layout_in
from neumf_tui.errors import DatasetError


def read(place: Path, options: ReadOptions, report: Report = silent) -> Content:
    """Read the file, or the parts in a folder; item ids are used as titles."""
    files = [place] if is_file(place) else parts_of(place) or [place]
    parts, bad = [], BadRows(options.max_bad)
    for file in files:
        parts.append(_read_file(file, options, report, bad))
        bad = parts[-1].bad
    return assemble(_joined(files, parts).check_any(place), None)


def _read_file(file: Path, options: ReadOptions, report: Report, bad: BadRows) -> Rows:
    columns = Columns.of(options)
    if is_parquet(file):
        from neumf_tui.data.readers.parquet import read_rows

        return read_rows(file, columns, options, report, bad)
    sample = sample_of(file)
    layout = layout_in(sample, columns=columns, time_format=options.time_format)
    return read_part(sample, layout, report, options, bad)


def _joined(files: Sequence[Path], parts: Sequence[Rows]) -> Rows:
    """Return the rows of all files; raise DatasetError if their columns are not the same."""
    filled = [(file, part) for file, part in zip(files, parts, strict=True) if len(part)]
    if len(filled) < 2:
        return filled[0][1] if filled else parts[0]
    first_file, first = filled[0]
    facts, lengths = first.facts, []
    rows = Rows(time_format=first.time_format, bad=parts[-1].bad)
    for file, part in filled:
        if part.facts.columns.keys() != facts.columns.keys() or (
            kind_of_times(part) != kind_of_times(first)
        ):
            raise DatasetError(
                f"{file}: has {_content_of(part)}, but {first_file.name} has {_content_of(first)}; "
                "expected parts of one table; name one file with --data-dir, or name the columns "
                "with --columns"
            )
        lengths.append(len(part))
        for name in ("users", "items", "times", "ratings"):
            getattr(rows, name).extend(getattr(part, name))
    notices = [notice for _, part in filled for notice in part.facts.notices]
    rows.facts = msgspec.structs.replace(
        facts,
        files=tuple(file.name for file in files),
        form=f"{facts.form}, in {len(files)} files",
        notices=tuple(dict.fromkeys([*notices, f"{len(files)} files are read as parts of one"])),
    )

    def locate(wanted: Sequence[int]) -> list[tuple[str, str]]:
        found, start = [], 0
        for (_, part), length in zip(filled, lengths, strict=True):
            here = [row - start for row in wanted if start <= row < start + length]
            found += part.locate(here) if here else []
            start += length
        return found

    rows.locate = locate
    return rows


def _content_of(part: Rows) -> str:
    columns = ", ".join(f"{role} {name}" for role, name in part.facts.columns.items())
    return f"{columns} ({kind_of_times(part)})"
