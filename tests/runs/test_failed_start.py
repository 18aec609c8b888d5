"""A run whose trainer ended before it began to train is removed; every other run stays."""

import subprocess
from pathlib import Path

import pytest

from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.runs.failed_start import KEPT_LOG, await_start, remove_failed_start
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.worker import describe_failure, fail
from tests.support.commands import Cli
from tests.support.golden_runs import make_run


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (UsageError("--device cuda: none here"), 2, "--device cuda: none here"),
        (DatasetError("u.data: gone"), 3, "u.data: gone"),
        (ImportError("libtorch.so"), 1, "ImportError: libtorch.so"),
        (OSError(28, "No space left on device", "x"), 1, "x: No space left on device"),
    ],
)
def test_any_failure_before_training_leaves_no_run(
    own_home: Path, error: Exception, code: int, says: str
) -> None:
    folder = make_run(own_home, "running", name="new", epochs=0)
    (folder / "events.jsonl").write_text("")
    (folder / "trainer.log").write_text("Traceback\nthe cause\n")
    with RunWriter(folder) as writer:
        assert fail(writer, describe_failure(error, folder, None)) == code
    failed = await_start(folder)
    assert failed is not None and not folder.exists()
    assert failed.exit_code == code and says in failed.text
    assert "resume" not in failed.text and "trainer.log" not in failed.text
    kept = own_home / KEPT_LOG
    assert (str(kept) in failed.text) == kept.exists() == (code == 1)
    assert not kept.exists() or "the cause" in kept.read_text()


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "crashed"])
def test_a_run_that_has_begun_stays(own_home: Path, state: str) -> None:
    folder = make_run(own_home, state, name="old")
    assert remove_failed_start(folder) is None and folder.exists()


@pytest.mark.parametrize("how", ["--detach", "--plain"])
def test_a_start_that_fails_is_told_once_and_leaves_nothing(
    inside: Cli, with_demo: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def refuse(folder: Path, *_: object) -> subprocess.Popen[bytes]:
        with RunWriter(folder) as writer:
            fail(writer, describe_failure(UsageError("--device cuda: none"), folder, None))
        return subprocess.Popen(["true"])

    monkeypatch.setattr("neumf_tui.runs.launch.launch_trainer", refuse)
    done = inside("train", "--dataset", "demo", how)
    assert done.returncode == 2 and done.stdout == ""
    told = "neumf-tui: the training could not start: --device cuda: none"
    assert done.stderr.splitlines().count(told) == 1
    assert "in the background" not in done.stderr and not list((with_demo / "runs").iterdir())
