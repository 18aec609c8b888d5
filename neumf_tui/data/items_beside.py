"""Find the file that names the items of a dataset, beside its interactions."""

from collections.abc import Iterable
from pathlib import Path

from neumf_tui.data.columns import columns_named
from neumf_tui.data.nouns import noun_in
from neumf_tui.data.readers.item_roles import item_roles
from neumf_tui.data.readers.item_table import SUFFIXES, read_item_header
from neumf_tui.data.readers.text_open import plain_name
from neumf_tui.errors import DatasetError, UsageError

_OTHER_IDS = "movies_metadata"
"""Its ids are those of TMDB: only a file of links says which film of the interactions is meant."""


def items_beside(
    interactions: Path, name: str, siblings: Iterable[Path], item_column: str = ""
) -> Path | None:
    """Return the table of items among the files `siblings`: by its name and by its columns.

    `products.csv` with a column of ids and one of titles, years or categories is one, if it has
    none of users; so is `NAME.item` of RecBole. Raises UsageError if there are several.
    """
    siblings = list(siblings)
    found = [file for file in siblings if plain_name(file) == f"{name}.item"]
    found = found or [file for file in siblings if describes_items(file, item_column)]
    if len(found) > 1:
        raise UsageError(
            f"{interactions}: {' and '.join(file.name for file in found)} may both name its items; "
            f"expected one such file; choose it, for example with --items {found[0]}"
        )
    return found[0] if found else None


def describes_items(file: Path, item_column: str = "") -> bool:
    """Return whether a file is a table of items, by its name and its columns."""
    path = Path(plain_name(file))
    noun = noun_in(path.stem)
    if noun is None or path.suffix.lower() not in SUFFIXES or path.stem == _OTHER_IDS:
        return False
    try:
        header = read_item_header(file)
    except DatasetError:
        return False
    roles = item_roles(header, noun, item_column)
    return roles is not None and roles.describes and not columns_named(header, "user")
