"""Which epoch of a run is the best."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.evaluation.records import EvaluationRecords
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.events import Evaluated
from neumf_tui.runs.protocol import always_hits, protocol_line
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.writer import RunWriter, new_run

RANKS = {1: [9.0, 20.0, 60.0], 2: [3.0, 30.0, 70.0], 3: [2.0, 10.0, 60.0], 4: [2.0, 10.0, 60.0]}
"""All epochs have the same Hit@50; the AUC is highest at epoch 3, and again at epoch 4."""


@pytest.mark.parametrize("tapes", [("ranks",), ("ranks", "validation")])
def test_auc_decides_between_epochs_of_equal_hits(
    demo: Dataset, tmp_path: Path, tapes: tuple[str, ...]
) -> None:
    candidates = dict.fromkeys(tapes, np.full(3, 100))
    found: list[Evaluated] = []
    info = make_info(tmp_path, demo, "x", {}, kind="logged", planned=4)
    with new_run(tmp_path / "x", info) as scratch, RunWriter(scratch) as writer:
        records = EvaluationRecords(writer, candidates)
        for epoch, ranks in RANKS.items():
            by_tape = {"ranks": np.array(ranks, np.float32)}
            if "validation" in tapes:  # the held-out items then decide nothing
                by_tape = {"ranks": by_tape["ranks"][::-1] + epoch, "validation": by_tape["ranks"]}
            found.append(records.write(epoch, by_tape, 0.0))
        assert records.best == 3 and records.best_of((1, 2, 4)) == 4
        again = EvaluationRecords(writer, candidates)
        again.read_tape(2)
        assert again.quality.keys() == {1, 2}
        assert again.best == (1 if again.quality[1] > again.quality[2] else 2)
        again.read_tape(4)
        assert again.quality == records.quality
    best = replace(Snapshot(), evaluations=tuple(found)).best
    assert best is not None and best.epoch == 3


def test_few_candidates_are_said_in_the_line() -> None:
    few, many = ({"num_candidates": [30, most]} for most in (50, 51))
    rest = {"split_name": "random", "future": "", "negatives": "", "chosen_by": "", "cut": None}
    assert always_hits(few) and not always_hits(many) and not always_hits({"num_candidates": None})
    for width in (None, *range(15, 120)):
        assert "Hit@50" in protocol_line(few | rest, width)
        assert "Hit@50" not in protocol_line(many | rest, width)
