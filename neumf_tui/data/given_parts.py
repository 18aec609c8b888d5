"""Which files are the parts of a dataset that comes split: training, validation and test."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from neumf_tui.data.split import TEST, TRAIN, VALID

_PARTS = {
    "train": TRAIN, "training": TRAIN, "valid": VALID, "validation": VALID, "val": VALID,
    "dev": VALID, "test": TEST, "testing": TEST,
}  # fmt: skip
_NUMBERED = ((TRAIN, TEST), (TRAIN, VALID, TEST))
"""The parts of RecBole's `.part1.inter`, `.part2.inter` and so on, by how many there are."""
_NAME = re.compile(
    rf"(?:(?P<name>.*)[._-])?(?P<part>{'|'.join(_PARTS)}|part\d)(?P<suffix>\.[^_-]*)",
    re.IGNORECASE | re.DOTALL,
)


def find_parts(paths: Iterable[Path]) -> dict[str, dict[int, Path]]:
    """Return the files of each dataset that comes split, by its name and then by part.

    The name is what comes before the part: `ml-1m` of `ml-1m.train.rating`, empty of `train.csv`.
    Files that are no parts, or whose other parts are missing, are left out.
    """
    groups: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for path in paths:
        if match := _NAME.fullmatch(path.name):
            name, part, suffix = match["name"] or "", match["part"].casefold(), match["suffix"]
            groups[name, suffix][part] = path
    found = {}
    for (name, suffix), files in groups.items():
        parts = {_PARTS[part]: file for part, file in files.items() if part in _PARTS}
        numbered = [files[part] for part in sorted(files) if part not in _PARTS]
        if suffix.startswith(".inter") and not parts and 1 < len(numbered) <= len(_NUMBERED) + 1:
            parts = dict(zip(_NUMBERED[len(numbered) - 2], numbered, strict=True))
        if len(parts) == len(files) and {TRAIN, TEST} <= parts.keys():
            found[name] = dict(sorted(parts.items()))
    return found
