"""Which of the files that a person names are one model, and which are its epochs."""

import re
from dataclasses import dataclass
from pathlib import Path

from neumf_tui.adopt.contents import side_of
from neumf_tui.errors import UsageError

_LAST = 999_999_999
"""The largest epoch that a checkpoint can be named by."""


@dataclass(frozen=True)
class Epoch:
    """The files of the model after one epoch."""

    number: int
    files: tuple[Path, ...]


def split_epochs(paths: list[Path]) -> tuple[list[Epoch], str]:
    """Return the files by epoch, ascending, and a note on the numbers; empty if there is none.

    Files that say `user` or `item` in their names are parts of one model, others whole models.
    Epochs are numbered by the numbers in the names, else in their natural order.
    """
    if len(set(paths)) < len(paths):
        raise UsageError("a file is named twice; name each once")
    parts = [path for path in paths if is_part(path)]
    if parts and len(parts) < len(paths):
        whole = next(path for path in paths if path not in parts)
        raise UsageError(
            f"{parts[0].name} is a part of a model by its name, {whole.name} is not; adopt them "
            "one by one, or rename them"
        )
    numbers = _numbers(paths)
    groups: dict[int, list[Path]] = {}
    for path in paths:
        groups.setdefault(numbers[path], []).append(path)
    if not parts and len(groups) < len(paths):  # names that do not tell epochs apart
        groups = {k: [path] for k, path in enumerate(sorted(paths, key=natural), start=1)}
        return _epochs(groups), "epochs are numbered in the order of the files' names"
    if len({tuple(sorted(map(_skeleton, group))) for group in groups.values()}) > 1:
        some = ", ".join(path.name for path in paths[:4])
        raise UsageError(f"{some}: not the same files for each epoch; name all of them")
    if min(groups) == 0:
        groups = {number + 1: group for number, group in groups.items()}
        return _epochs(groups), "epochs are numbered from 1 here: epoch 0 of the files is 1"
    return _epochs(groups), ""


def _epochs(groups: dict[int, list[Path]]) -> list[Epoch]:
    return [Epoch(number, tuple(sorted(groups[number]))) for number in sorted(groups)]


def is_part(path: Path) -> bool:
    """Return whether a file's name says that it holds users or items alone."""
    return side_of(path.stem) is not None or path.stem.lower() in _SHORT


_SHORT = ("p", "q", "v", "pu", "qi", "bu", "bi")


def natural(path: Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return a key by which epoch-2 comes before epoch-10."""
    texts = re.split(r"[0-9]+", path.name)
    return tuple(texts), tuple(int(number) for number in re.findall(r"[0-9]+", path.name))


def _skeleton(path: Path) -> str:
    return re.sub(r"[0-9]+", "0", path.name)


def _numbers(paths: list[Path]) -> dict[Path, int]:
    """Return the epoch in each file's name; 1 for all of them if the names have none.

    It is the number after `epoch`, else the only one that differs from name to name.
    """
    found = {path: _after_epoch(path.stem) for path in paths}
    known = {path: number for path, number in found.items() if number is not None}
    if len(known) < len(paths):
        known = _differing(paths)
    if any(number > _LAST for number in known.values()):
        return dict.fromkeys(paths, 1)
    return known


def _after_epoch(stem: str) -> int | None:
    match = re.search(r"(?:^|[^a-z])ep(?:och)?s?[^a-z0-9]{0,2}([0-9]+)", stem.lower())
    return int(match[1]) if match else None


def _differing(paths: list[Path]) -> dict[Path, int]:
    """Return the number at the one place where files of the same name otherwise differ."""
    numbers = {path: [int(n) for n in re.findall(r"[0-9]+", path.stem)] for path in paths}
    places = set()
    for skeleton in {_skeleton(path) for path in paths}:
        rows = [numbers[path] for path in paths if _skeleton(path) == skeleton]
        places |= {k for k in range(len(rows[0])) if len({row[k] for row in rows}) > 1}
    if len(places) != 1:
        return dict.fromkeys(paths, 1)
    (place,) = places
    if any(len(row) <= place for row in numbers.values()):
        return dict.fromkeys(paths, 1)
    return {path: row[place] for path, row in numbers.items()}
