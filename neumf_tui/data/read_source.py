"""Read all files of a dataset: its interactions, the names of its items, and their noun."""

import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import msgspec

from neumf_tui.data.merge import merge_parts
from neumf_tui.data.nouns import FILM, ITEM, Noun, noun_in, parse_noun
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.prepare import Content
from neumf_tui.data.progress import Report
from neumf_tui.data.readers.item_table import as_id, open_items
from neumf_tui.data.readers.items import How, name_items
from neumf_tui.data.readers.text_layout import first_line
from neumf_tui.data.readers.text_open import entries, is_file, plain_name
from neumf_tui.data.source import SourceFiles
from neumf_tui.errors import DatasetError, UsageError

_MOVIELENS = re.compile(r"ml-(latest(-small)?|\d+[km])", re.IGNORECASE)


def read_content(source: SourceFiles, report: Report) -> Content:
    """Return what the files of `source` hold.

    Raises DatasetError naming file and line of the first fault, UsageError for options that do not
    fit the data.
    """
    _check(source)
    content = _read_interactions(source, report)
    item_column = content.facts.columns.get("item", "")
    items = source.items
    if items is not None:
        ids = None if source.links is None else _linked_ids(source.links, content)
        how: How = "named" if source.reading.items else "known" if source.format.files else "found"
        content = name_items(content, items, how, item_column, ids)
    catalogue = replace(content.catalogue, noun=_noun_of(source, content, item_column))
    files = content.facts.files
    if source.format.reads_items:
        files = (*files, source.format.files[1])
    facts = msgspec.structs.replace(content.facts, files=files)
    return replace(content, catalogue=catalogue, facts=facts).with_notices(*_notices(source))


def _check(source: SourceFiles) -> None:
    """Raise an error for options that do not fit, before anything is read."""
    reading = source.reading
    if reading.columns and not source.format.has_columns:
        raise UsageError(f"--columns: {source} has no header with column names; omit --columns")
    if reading.noun:
        parse_noun(reading.noun)
    if reading.items and not is_file(Path(reading.items)):
        raise DatasetError(
            f"{reading.items}: not found; expected a table of items with a header, in text, JSON "
            "Lines or Parquet; correct --items"
        )


def _read_interactions(source: SourceFiles, report: Report) -> Content:
    form, reader = source.format, import_module(f"neumf_tui.data.readers.{source.format.reader}")

    def read(place: Path) -> Content:
        options = _with_positions(source.reading, form.positions, place)
        content: Content = reader.read(place, options, report)
        return content

    if source.parts:
        contents = [read(file) for file in source.interactions]
        return merge_parts(contents, [part for part, _ in source.parts])
    is_table_of_folder = form.files and not form.reads_items
    return read(source.interactions[0] if is_table_of_folder else source.place)


def _with_positions(reading: ReadOptions, positions: tuple[str, ...], file: Path) -> ReadOptions:
    """Return the options with the roles that columns of a table without header have by place."""
    if reading.columns or not positions:
        return reading
    width = len(re.split(rb"[\t,]", first_line(file)))
    named = [f"{role}={place}" for place, role in enumerate(positions[:width], start=1) if role]
    return msgspec.structs.replace(reading, columns=",".join(named))


def _linked_ids(links: Path, content: Content) -> list[str]:
    """Return what the file of items calls the items of the interactions; empty for none.

    `links` is MovieLens' file with a column of its own ids and one of TMDB's.
    """
    table = open_items(links)
    names = [name.casefold() for name in table.header]
    if not {"movieid", "tmdbid"} <= set(names):
        raise DatasetError(
            f"{links}, line 1: expected columns movieId and tmdbId, which say what the file of "
            f"films calls each film; found {', '.join(table.header)[:120]}; get the file again, or "
            "name the file of ratings alone with --data-dir to use ids as titles"
        )
    own, other = names.index("movieid"), names.index("tmdbid")
    linked = {as_id(values[own]): as_id(values[other]) for values in table.rows}
    return [linked.get(item_id, "") for item_id in content.catalogue.item_ids]


def _noun_of(source: SourceFiles, content: Content, item_column: str) -> Noun:
    """Return what a person says an item is called, else the format, else names of files."""
    if source.reading.noun:
        return parse_noun(source.reading.noun)
    if source.format.noun or _MOVIELENS.fullmatch(source.name):
        return source.format.noun or FILM
    items = source.items
    is_used = items is not None and items.name in content.facts.files
    names = [plain_name(items)] if items is not None and is_used else []
    names += [item_column, content.facts.columns.get("title", "")]
    # Without the ending of a file's name, and without the type of RecBole's columns.
    names = [re.split("[.:]", name)[0] for name in names]
    nouns = [noun for name in names if (noun := noun_in(name))]
    return next((noun for noun in nouns if noun != ITEM), ITEM)


def _notices(source: SourceFiles) -> list[str]:
    """Return what a person should know of files that are parts, or that are not read."""
    notices = []
    if source.parts:
        names = ", ".join(file.name for file in source.interactions)
        notices.append(f"the split is that of the files: {names}")
    negatives = [
        file.name
        for file in entries(source.place.parent)
        if source.split_name and plain_name(file) == f"{source.split_name}.test.negative"
    ]
    if negatives:
        notices.append(
            f"{negatives[0]} is not used: held-out items are ranked among all items; evaluate "
            "--sampled has the exact mean over all draws of 99 negatives"
        )
    if source.passed_over:
        notices.append(
            f"{', '.join(source.passed_over)} not used; name one with --data-dir to use it instead"
        )
    return notices
