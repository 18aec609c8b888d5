"""Which checkpoints of a run stay on disk: the newest, the best, and some over the whole run."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.checkpoint import (
    best_epoch,
    checkpoint_epochs,
    checkpoint_name,
    find_checkpoint,
    load_checkpoint,
)
from neumf_tui.runs.curve import spread
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.settings import check

_INSIDE_EPOCH = re.compile(r"(\d{5,})-\d{5,}\.safetensors", re.ASCII)


def kept_epochs(epochs: Sequence[int], keep: int, every: int, best: Iterable[int]) -> set[int]:
    """Return which of the ascending `epochs` keep their checkpoints.

    These are the newest, those of `best`, and `keep` others at most, spread over all evaluations,
    which are `every` epochs apart.
    """
    if not epochs:
        return set()
    others = spread(range(every, epochs[-1] + 1, every), keep)
    return {epochs[-1], *best, *others}.intersection(epochs)


def surplus_checkpoints(
    folder: Path, keep: int, every: int, newest: int, best: Iterable[int]
) -> list[str]:
    """Return the names of the checkpoints that do not stay; the arguments are as above.

    `newest` is the epoch of the newest whole checkpoint. Later ones are not counted or named: they
    are damaged, or of a training that is repeated.
    """
    epochs = [epoch for epoch in checkpoint_epochs(folder) if epoch <= newest]
    stay = kept_epochs(epochs, keep, every, best)
    names = [checkpoint_name(epoch) for epoch in epochs if epoch not in stay]
    # Those inside an epoch are no longer needed after it.
    for name in files.file_names(folder, "checkpoints"):
        if (inside := _INSIDE_EPOCH.fullmatch(name)) and int(inside[1]) < newest:
            names.append(name)
    return names


def surplus_of_run(folder: Path, keep: int | None) -> list[str]:
    """Return the names of the checkpoints of a run that do not stay; raises RunError.

    `keep`: None for the run's own setting.
    """
    info = read_info(folder)
    if not info.is_trained:
        return []  # nothing can compute a checkpoint of such a run again
    settings = check(info.settings if keep is None else info.settings | {"keep": keep})
    # The best is named by a pointer and by the events; either can be out of date after a crash.
    pointed, chosen = best_epoch(folder), read_snapshot(folder).best
    bests = [] if pointed is None else [pointed]
    bests += [] if chosen is None else [chosen.epoch]
    for newest in reversed(checkpoint_epochs(folder)):
        with suppress(RunError):
            load_checkpoint(find_checkpoint(folder, str(newest)), info.dataset.fingerprint)
            return surplus_checkpoints(folder, settings.keep, settings.eval_every, newest, bests)
    return []  # none is whole


def remove_checkpoints(folder: Path, names: Iterable[str]) -> None:
    """Remove checkpoints of a run; raises OSError."""
    for name in names:
        files.remove(folder, f"checkpoints/{name}")


def size_of(folder: Path, names: Iterable[str]) -> int:
    """Return the bytes that checkpoints of a run take."""
    sizes = 0
    for name in names:
        with suppress(FileNotFoundError):  # a trainer has removed it meanwhile
            sizes += files.size(folder, f"checkpoints/{name}")
    return sizes
