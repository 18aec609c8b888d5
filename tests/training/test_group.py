"""A group of processes: the users of each, sums, and messages of rank 0."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from neumf_tui.errors import UsageError
from neumf_tui.training.distributed.group import Group
from neumf_tui.training.distributed.processes import Worker, WorkerMessage, current_worker
from neumf_tui.training.distributed.torchrun import DistributedGroup, agree_on_round, join_torchrun


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


@pytest.mark.parametrize(
    "histories", [[100, 1, 1], [1, 1, 100], [1, 100, 1], [0, 0, 100], [0, 0, 0]]
)
def test_every_process_has_a_user_despite_a_very_long_history(histories: list[int]) -> None:
    offsets = np.concatenate(([0], np.cumsum(histories)))
    assert group_of(3).all_users(offsets) == [range(0, 1), range(1, 2), range(2, 3)]


def test_more_processes_than_users_are_refused() -> None:
    with pytest.raises(UsageError, match="at most 2"):
        group_of(3).users(np.array([0, 1, 2]))


def test_torchruns_environment() -> None:
    environment = {
        "RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4",
        "TORCHELASTIC_RESTART_COUNT": "2",
        "TORCHELASTIC_MAX_RESTARTS": "3", "TORCHELASTIC_RUN_ID": "films",
    }  # fmt: skip
    assert current_worker(environment) == Worker(5, 8, 1, 4, 2, 3, job="films")
    assert not current_worker(environment).is_last_try
    assert current_worker(environment | {"TORCHELASTIC_RESTART_COUNT": "3"}).is_last_try
    assert current_worker(environment | {"TORCHELASTIC_RUN_ID": "none"}).job == "", (
        "torchrun's word for no name"
    )
    for name in environment:
        assert (
            current_worker({key: value for key, value in environment.items() if key != name})
            is None
        )


def test_alone_nothing_is_joined() -> None:
    group, tensor = Group(), torch.ones(3)
    assert type(join_torchrun(Worker(0, 1, 0, 1, 0, 0, job=""))) is Group
    group.all_reduce(tensor)
    assert tensor.tolist() == [1, 1, 1]
    assert group.broadcast("word", str) == "word"
    assert group.counts(7) == [7]
    assert torch.equal(group.gather_rows(tensor, [3]), tensor)
    assert group.users(np.array([0, 5, 6])) == range(2)
    group.leave()


def test_a_new_start_does_not_meet_the_one_before() -> None:
    """Two starts on one store never meet, whether the first lost its rank 0 or had all ranks."""
    import torch.distributed as dist

    store = dist.HashStore()
    with ThreadPoolExecutor(6) as pool:
        store.set("neumf-tui/round", "dead")  # its rank 0 died before it heard anyone
        first = [pool.submit(agree_on_round, store, rank, 3) for rank in (2, 1, 0)]
        names = {future.result(60) for future in first}
        second = [pool.submit(agree_on_round, store, rank, 3) for rank in (1, 2)]
        time.sleep(0.2)
        assert not any(future.done() for future in second), "the store has the first start only"
        second.append(pool.submit(agree_on_round, store, 0, 3))
        names_after = {future.result(60) for future in second}
    assert len(names) == len(names_after) == 1
    assert names.isdisjoint({"dead"} | names_after)


def _member(rank: int, folder: str) -> None:
    import torch.distributed as dist

    store = dist.FileStore(str(Path(folder) / "store"), 2)
    store.set_timeout(timedelta(seconds=60))
    group = DistributedGroup(Worker(rank, 2, rank, 2, 0, 0, job=""), store)
    tensor = torch.full((2, 2), rank + 1.0)
    group.all_reduce(tensor)
    assert group.counts(rank + 5) == [5, 6]
    words = [group.broadcast({"rank": rank}, dict), group.broadcast("x" * (10_000 - rank), str)]
    rows = torch.arange(3.0)[:, None].expand(3, 4) if rank else torch.full((2, 4), 9.0)
    gathered = group.gather_rows(rows, [2, 3])
    none = group.gather_rows(rows[:0], [0, 0])
    assert group.failure() is None
    group.all_reduce(tensor.clone())  # both have looked
    word = group.report_failure(WorkerMessage(f"process {rank}", rank, final=False))
    assert word == group.failure() and word.exit_code in (0, 1)
    assert group.broadcast(word, WorkerMessage) == word, "the first word counts for both"
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
    (sums, words, whole, none), (others, other_words, nothing, _) = (
        torch.load(tmp_path / f"{rank}.pt") for rank in range(2)
    )
    assert sums.tolist() == others.tolist() == [[3, 3], [3, 3]]
    assert words == other_words == [{"rank": 0}, "x" * 10_000]
    assert whole[:, 0].tolist() == [9, 9, 0, 1, 2]
    assert nothing is None
    assert none.shape == (0, 4)
