"""Which checkpoints stay on disk, and what is said of the others."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.errors import RunError
from neumf_tui.runs.checkpoint import checkpoint_epochs, find_checkpoint, set_pointer
from neumf_tui.runs.curve import spread
from neumf_tui.runs.retention import kept_epochs, remove_checkpoints, surplus_checkpoints
from tests.support.fuzzing import examples
from tests.support.golden_runs import make_run

COUNTS = st.integers(0, 40)


@examples(60)
@given(st.lists(st.integers(1, 500), unique=True).map(sorted), COUNTS)
def test_numbers_are_spread_over_the_whole_and_few_enough(numbers: list[int], room: int) -> None:
    found = spread(numbers, room)
    assert len(found) == len(numbers) if len(numbers) <= room else len(found) <= room
    assert found == sorted(set(found)) and set(found) <= set(numbers)
    assert found[:1] == numbers[: min(room, 1)], "the first stays"


@examples(60)
@given(st.integers(1, 600), COUNTS, st.integers(1, 7), st.randoms())
def test_removing_after_each_epoch_leaves_what_removing_at_the_end_leaves(
    last: int, keep: int, every: int, random: Random
) -> None:
    epochs, best = [*range(every, last, every), last], every
    left: list[int] = []
    for epoch in epochs:
        best = epoch if not left or random.random() < 0.2 else best
        left = sorted(kept_epochs([*left, epoch], keep, every, [best]))
        assert len(left) <= keep + 2
    assert left == sorted(kept_epochs(epochs, keep, every, [best]))
    gaps = {later - before for before, later in pairwise(left)}
    if keep >= 2:
        assert max(gaps, default=0) <= 2 * every * (last / every / keep + 2)


def test_a_short_run_keeps_all_and_a_long_one_every_second() -> None:
    assert kept_epochs(range(1, 101), 100, 1, [50]) == set(range(1, 101))
    assert kept_epochs(range(1, 102), 100, 1, [51]) == {1, 51, *range(2, 101, 2), 101}
    assert kept_epochs(range(1, 10), 0, 1, [4]) == {4, 9}
    assert kept_epochs([], 5, 1, []) == set()


def with_checkpoints(home: Path, *names: str) -> Path:
    folder = make_run(home, "finished", epochs=9)
    for name in names:
        (folder / "checkpoints" / f"{name}.safetensors").touch()
    return folder


def test_those_inside_an_epoch_go_and_later_ones_are_left_alone(own_home: Path) -> None:
    names = "00001", "00002", "00003", "00002-00007", "00003-00001", "00004"
    folder = with_checkpoints(own_home, *names)
    gone = surplus_checkpoints(folder, 1, 1, 3, [2])
    assert gone == ["00002-00007.safetensors"], "1 is spread, 2 the best, 3 the newest"
    remove_checkpoints(folder, surplus_checkpoints(folder, 0, 1, 3, []))
    left = sorted(path.name[:-12] for path in (folder / "checkpoints").iterdir())
    assert left == ["00003", "00003-00001", "00004"]


def test_an_epoch_whose_checkpoint_is_gone_is_told_from_one_that_never_was(own_home: Path) -> None:
    folder = with_checkpoints(own_home, "00002", "00005", "00008")
    set_pointer(folder, "best", "00005.safetensors")
    with pytest.raises(RunError, match=r"epoch 6 has no checkpoint any more; 5 and 8 do$"):
        find_checkpoint(folder, "6")
    with pytest.raises(RunError, match=r"epoch 1 has no checkpoint any more; 2 does$"):
        find_checkpoint(folder, "1")
    with pytest.raises(RunError, match="no checkpoint after epoch 12; there are 2 to 8"):
        find_checkpoint(folder, "12")
    assert checkpoint_epochs(folder) == [2, 5, 8]
