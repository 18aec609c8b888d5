"""Messages and files of a process of a group when it, or another one, has failed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import NeumfTuiError, RunError
from neumf_tui.model.neumf import NeuMF
from neumf_tui.runs.events import Finished, Status, Warned
from neumf_tui.runs.reader import EventTail, read_status
from neumf_tui.runs.writer import MuteWriter, RunWriter, write_status
from neumf_tui.settings import make_settings
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.distributed.processes import RESTART, Worker, WorkerMessage
from neumf_tui.training.evaluations import Evaluations
from neumf_tui.training.worker import describe_failure, fail

FIRST_TRY, LAST_TRY = Worker(1, 2, 1, 2, 0, 3, job="films"), Worker(1, 2, 1, 2, 3, 3, job="films")


@pytest.mark.parametrize(
    ("error", "part", "final", "code"),
    [
        (RunError("no such run; name another"), FIRST_TRY, True, 4),
        (OSError(28, "No space left on device", "x"), FIRST_TRY, True, 1),
        (RuntimeError("Connection reset by peer"), FIRST_TRY, False, 1),
        (RuntimeError("Connection reset by peer"), LAST_TRY, True, 1),
        (RuntimeError("a bug"), None, True, 1),
    ],
)
def test_errors_that_would_repeat_are_final(
    error: Exception, part: Worker | None, final: bool, code: int
) -> None:
    word = describe_failure(error, Path("run"), part)
    assert (word.final, word.exit_code) == (final, code)
    assert word.reason.startswith("process 1 of 2: ") == (part is not None)


def test_a_run_that_starts_again_has_no_final_message(trained: Path) -> None:
    write_status(trained, Status(state="running", pid=1))
    with RunWriter(trained) as writer:
        assert fail(writer, WorkerMessage("process 1 of 2: gone", 1, final=False)) == RESTART
        assert read_status(trained).state == "running"
        assert fail(MuteWriter(trained), WorkerMessage("process 1 of 2: full", 3, final=True)) == 3
        assert read_status(trained).state == "running", "rank 0 alone writes"
        assert fail(writer, WorkerMessage("process 1 of 2: full", 3, final=True)) == 3
    status = read_status(trained)
    assert (status.state, status.reason, status.exit_code) == ("failed", "process 1 of 2: full", 3)
    last = EventTail(trained).read()[-2:]
    assert [type(event) for event in last] == [Warned, Finished]


class OtherFails(Group):
    """Rank 0 of two processes, of which the other one reports a problem."""

    size = 2

    def all_reduce(self, tensor: Tensor) -> None:
        tensor[1] = self.others

    others = 1


def test_no_process_waits_for_ranks_that_another_cannot_compute(
    demo: Dataset, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = OtherFails()
    monkeypatch.setattr(group, "gather_rows", lambda rows, counts: torch.cat([rows, rows]))
    own = range(demo.num_users // 2)
    evaluations = Evaluations(
        MuteWriter(trained), demo, make_settings("d2l", {}), torch.device("cpu"), group, own
    )  # fmt: skip
    evaluator = evaluations.evaluators["ranks"]
    monkeypatch.setattr(evaluator, "by_model", lambda *_: np.ones(len(own), dtype=np.float32))
    model: NeuMF = None  # type: ignore[assignment]  # not looked at
    with pytest.raises(NeumfTuiError, match="process 1 could not evaluate"):
        evaluations.evaluate(model, 1, lambda _share: None)
    group.others = 0
    evaluations.evaluate(model, 1, lambda _share: None)
    assert evaluations.records.quality == {1: (1.0, 1.0)}
