"""`prune`, and training with `--keep`."""

from pathlib import Path

import numpy as np
import pytest

from neumf_tui.runs.checkpoint import best_epoch, checkpoint_epochs, find_checkpoint
from neumf_tui.runs.reader import rank_epochs, read_info, read_ranks, read_snapshot
from neumf_tui.runs.retention import kept_epochs
from tests.support.commands import Cli

SMALL = "--preset", "d2l", "--dataset", "demo", "--plain", "--batch-size", "8192"


@pytest.mark.slow
def test_a_run_keeps_few_checkpoints_and_all_ranks(inside: Cli, with_demo: Path) -> None:
    made = inside("train", *SMALL, "--epochs", "9", "--keep", "3", "--name", "few")
    assert made.returncode == 0, made.stderr
    folder = with_demo / "runs" / "few"
    best = best_epoch(folder)
    assert best is not None and best == getattr(read_snapshot(folder).best, "epoch", None)
    assert set(checkpoint_epochs(folder)) == kept_epochs(range(1, 10), 3, 1, [best])
    assert {1, 4, 8, 9} <= set(checkpoint_epochs(folder)) and rank_epochs(folder) == [*range(1, 10)]
    gone = inside("rank", "sim-001", "--run", "few", "--epoch", "6" if best != 6 else "7")
    assert gone.returncode == 4 and "has no checkpoint any more; " in gone.stderr

    more = inside("train", "--resume", "few", "--epochs", "11", "--keep", "1", "--plain")
    assert more.returncode == 0, more.stderr
    assert read_info(folder).settings["keep"] == 1
    best = best_epoch(folder)
    assert set(checkpoint_epochs(folder)) == {1, best, 11}


def test_prune_says_what_it_frees_and_leaves_newest_and_best(inside: Cli, trained: Path) -> None:
    before = checkpoint_epochs(trained)
    best, ranks = best_epoch(trained), read_ranks(trained, 5)
    told = inside("prune", "trained", "--keep", "2", "--dry-run").stderr
    assert told.startswith("would remove ") and "MB)" in told
    assert checkpoint_epochs(trained) == before == [*range(1, 11)]
    assert inside("prune", "trained", "--yes").stderr == "trained has no checkpoint to remove\n"
    told = inside("prune", "trained", "--keep", "2", "--yes").stderr
    assert "from epoch 1 to 10" in told
    assert checkpoint_epochs(trained) == sorted({1, 8, 10, best})
    assert find_checkpoint(trained, "last").stem == "00010"
    np.testing.assert_array_equal(read_ranks(trained, 5), ranks)


def test_prune_keeps_the_newest_whole_checkpoint(inside: Cli, trained: Path) -> None:
    for epoch, content in ((10, b""), (9, b"nothing")):
        (trained / "checkpoints" / f"{epoch:05}.safetensors").write_bytes(content)
    assert inside("prune", "trained", "--keep", "0", "--yes").returncode == 0
    left = {8, 9, 10, best_epoch(trained), getattr(read_snapshot(trained).best, "epoch", None)}
    assert set(checkpoint_epochs(trained)) == left, "those that are damaged are not counted"
