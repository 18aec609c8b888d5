"""Several processes as one: who has which users, sums, and words of rank 0."""

import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from neumf_tui.errors import UsageError
from neumf_tui.training.group import Group, Together, join


def group_of(size: int) -> Group:
    group = Group()
    group.size = size
    return group


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_users_are_cut_into_ranges_of_about_equal_work(size: int) -> None:
    histories = np.random.default_rng(size).zipf(1.6, 5000).clip(max=2000)
    offsets = np.concatenate(([0], np.cumsum(histories)))
    ranges = group_of(size).all_users(offsets)
    assert [user for users in ranges for user in users] == list(range(5000))
    work = [offsets[r.stop] - offsets[r.start] + len(r) for r in ranges]
    assert max(work) - min(work) <= 2 * (histories.max() + 1)


@pytest.mark.parametrize("histories", [[100, 1, 1], [1, 1, 100], [1, 100, 1], [0, 0, 100], [0, 0, 0]])
def test_everyone_has_a_user_beside_one_with_a_very_long_history(histories: list[int]) -> None:
    offsets = np.concatenate(([0], np.cumsum(histories)))
    assert group_of(3).all_users(offsets) == [range(0, 1), range(1, 2), range(2, 3)]


def test_more_processes_than_users_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 2"):
        group_of(3).users(np.array([0, 1, 2]))


def test_alone_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    group, tensor = join(), torch.ones(3)
    group.sum_(tensor)
    assert type(group) is Group
    assert tensor.tolist() == [1, 1, 1]
    assert group.first("word") == "word"
    assert torch.equal(group.gather_rows(tensor, [3]), tensor)
    assert group.users(np.array([0, 5, 6])) == range(2)
    group.leave()


def _member(rank: int, folder: str) -> None:
    import torch.distributed as dist

    store = dist.FileStore(str(Path(folder) / "store"), 2)
    store.set_timeout(timedelta(seconds=60))
    group = Together(rank, 2, store)
    tensor = torch.full((2, 2), rank + 1.0)
    group.sum_(tensor)
    words = [group.first({"rank": rank}), group.first(None if rank else "x" * 10_000)]
    rows = torch.arange(3.0)[:, None].expand(3, 4) if rank else torch.full((2, 4), 9.0)
    gathered = group.gather_rows(rows, [2, 3])
    none = group.gather_rows(rows[:0], [0, 0])
    group.leave()
    torch.save((tensor, words, gathered, none), Path(folder) / f"{rank}.pt")


def test_two_processes(tmp_path: Path) -> None:
    children = []
    for rank in range(2):
        if not (child := os.fork()):
            try:
                _member(rank, str(tmp_path))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    (sums, words, whole, none), (others, other_words, nothing, _) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert sums.tolist() == others.tolist() == [[3, 3], [3, 3]]
    assert words == other_words == [{"rank": 0}, "x" * 10_000]
    assert whole[:, 0].tolist() == [9, 9, 0, 1, 2]
    assert nothing is None
    assert none.shape == (0, 4)
