"""Baselines as runs of one epoch, to be explored and compared like any other model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.baselines.kept import KeptBaseline
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import RunError
from neumf_tui.evaluation.full_ranking import Evaluator
from neumf_tui.evaluation.records import EvaluationRecords
from neumf_tui.home import runs_dir
from neumf_tui.runs import events
from neumf_tui.runs.control import delete_run
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.protocol import with_settings_chosen
from neumf_tui.runs.reader import read_info, read_ranks
from neumf_tui.runs.store import is_name, run_folders
from neumf_tui.runs.writer import RunWriter, new_run
from neumf_tui.scorers.scorer import Kept, Scorer

_EPOCH = 1


@dataclass(frozen=True, eq=False)
class Fit:
    """A baseline fitted to all training pairs, and what it ranks."""

    scorer: Scorer
    ranks: NDArray[np.float32]
    """Ranks of the held-out items, (num_users,), NaN where nothing is held out."""
    validation: NDArray[np.float32]
    """Ranks of the validation items, by a fit with the same settings that has not seen them."""


def find_kept_run(
    home: Path, fingerprint: str, name: str, ranks: NDArray[np.float32] | None = None
) -> Path | None:
    """Return the run that keeps the baseline `name` of a dataset; None where none does.

    With `ranks`, only a run that has these.
    """
    for folder in run_folders(home):
        try:
            info = read_info(folder)
            if info.kind != "baseline" or info.dataset.fingerprint != fingerprint:
                continue
            if info.preset == name and (
                ranks is None or np.array_equal(read_ranks(folder, _EPOCH), ranks, equal_nan=True)
            ):
                return folder
        except RunError:
            continue
    return None


def keep_run(
    home: Path,
    data: Dataset,
    result: KeptBaseline,
    settings: Mapping[str, Any],
    fit: Fit,
    evaluators: Mapping[str, Evaluator],
) -> Path:
    """Make a run of a fitted baseline in place of an older one, and return its folder.

    `evaluators` are those of the rank tapes `ranks` and `validation`. Raises RunError where the
    older run cannot be deleted, CannotError, OSError.
    """
    kept = fit.scorer.kept()
    before = find_kept_run(home, data.fingerprint, result.name)
    name = before.name if before else _free_name(home, data, result.name)
    info = make_info(
        home,
        data,
        name,
        {**settings, "tried": result.tried},
        kind="baseline",
        model=kept.model,
        preset=result.name,
        planned=_EPOCH,
    )
    info = msgspec.structs.replace(info, protocol=with_settings_chosen(info.protocol))
    with new_run(runs_dir(home) / name, info) as scratch, RunWriter(scratch) as writer:
        _write(writer, data, result.seconds, fit, kept, evaluators)
        if before is not None:
            delete_run(before)  # not until the new one is whole
    return runs_dir(home) / name


def _write(
    writer: RunWriter,
    data: Dataset,
    seconds: float,
    fit: Fit,
    kept: Kept,
    evaluators: Mapping[str, Evaluator],
) -> None:
    """Write all of the run but run.json."""
    candidates = {tape: evaluator.candidates for tape, evaluator in evaluators.items()}
    records = EvaluationRecords(writer, candidates)
    popularity = {
        tape: records.metrics(tape, evaluator.popularity_ranks())
        for tape, evaluator in evaluators.items()
    }
    writer.event(
        events.Started(
            device="",
            epoch=0,
            step=0,
            steps=1,
            popularity=popularity["ranks"],
            popularity_validation=popularity["validation"],
        )
    )
    records.write(_EPOCH, {"ranks": fit.ranks, "validation": fit.validation}, seconds)
    records.keep(_EPOCH, kept.tensors, kept.shape, data.fingerprint)
    writer.event(events.Finished(state="finished", reason=""))
    writer.status(
        events.Status(state="finished", pid=os.getpid(), epoch=_EPOCH, epochs=_EPOCH, steps=1)
    )


def _free_name(home: Path, data: Dataset, name: str) -> str:
    """Return the baseline's own name, or one with the dataset's where another run has that."""
    ending = f"-{data.name}" if is_name(f"{name}-{data.name}") else ""
    names = chain([name, name + ending], (f"{name}{ending}-{number}" for number in count(2)))
    return next(one for one in names if not (runs_dir(home) / one).exists())
