"""Processes of one machine send each other values in a ring of Unix sockets."""

import os
import signal
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from neumf_tui.runs.contents import MESSAGES, STORE
from neumf_tui.training.distributed.processes import Worker, WorkerMessage
from neumf_tui.training.distributed.ring import RingGroup, chunk_length
from neumf_tui.training.distributed.torchrun import DistributedGroup

LONG = 300_000
"""Values enough that no socket holds them."""


def run_ring(size: int, folder: Path, member: Callable[[RingGroup, Path], None]) -> list[int]:
    """Call `member` in `size` processes that are joined in a ring; return how each ended."""
    (folder / STORE).mkdir()
    (folder / STORE / MESSAGES).touch()
    ends = [socket.socketpair() for _ in range(size)]
    children = []
    for rank in range(size):
        if not (child := os.fork()):
            try:
                signal.alarm(60)
                handles = ends[rank - 1][1].detach(), ends[rank][0].detach()
                for end in (end for pair in ends for end in pair):
                    end.close()
                worker = Worker(rank, size, rank, size, 0, 3, job="", sockets=handles)
                group = RingGroup(worker, folder)
                member(group, folder)
                group.leave()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    for end in (end for pair in ends for end in pair):
        end.close()
    return [os.waitpid(child, 0)[1] for child in children]


def values_of(rank: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(count, generator=generator) * 10.0 ** (rank - 1)


def _sums_like_gloo(group: RingGroup, folder: Path) -> None:
    store = dist.FileStore(str(folder / "gloo"), group.size)  # type: ignore[attr-defined]
    store.set_timeout(timedelta(seconds=60))
    worker = Worker(group.rank, group.size, group.rank, group.size, 0, 0, job="")
    gloo = DistributedGroup(worker, store)
    for count in (0, 1, 2, 5, 6, 7, 1000, LONG + 1, 3 * 2**19):
        for dtype in (torch.float32, torch.float64, torch.int64):
            ours = values_of(group.rank, count).to(dtype)
            theirs = ours.clone()
            group.all_reduce(ours)
            if count:
                gloo.all_reduce(theirs)
            assert torch.equal(ours, theirs), (count, dtype)
    assert group.counts(group.rank + 5) == [5, 6, 7]


def test_sums_are_those_of_gloo_to_the_last_bit(tmp_path: Path) -> None:
    assert run_ring(3, tmp_path, _sums_like_gloo) == [0, 0, 0]


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("count", [1, 2, 3, 100, 10**6, 10**8])
def test_chunks_hold_all_values_and_nothing_twice(size: int, count: int) -> None:
    length = chunk_length(count, 4, size)
    assert length * size >= count and length >= 1


def _messages_and_rows(group: RingGroup, folder: Path) -> None:
    for value in ({"rank": 0}, "x" * LONG, ""):
        assert group.broadcast(value if group.rank == 0 else type(value)(), type(value)) == value
    counts = [2, 0, LONG, 1]
    rows = torch.full((counts[group.rank], 4), group.rank, dtype=torch.float64)
    whole = group.gather_rows(rows, counts)
    assert (whole is None) == (group.rank > 0)
    if whole is not None:
        assert whole.shape == (sum(counts), 4)
        np.testing.assert_array_equal(whole[:, 0], np.repeat(range(4), counts))
    none = group.gather_rows(rows[:0], [0] * group.size)
    assert none is None or none.shape == (0, 4)
    assert group.failure() is None
    group.counts(0)  # all have looked
    word = group.report_failure(WorkerMessage(f"process {group.rank}", group.rank, final=False))
    assert word == group.failure()
    assert group.broadcast(word, WorkerMessage) == word, "the first word counts for all"


def test_messages_reach_all_and_rows_reach_rank_0(tmp_path: Path) -> None:
    assert run_ring(4, tmp_path, _messages_and_rows) == [0] * 4


def _one_dies(group: RingGroup, folder: Path) -> None:
    values = torch.ones(LONG)
    group.all_reduce(values)
    if group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"the connection to process \d is closed"):
        while True:
            group.all_reduce(values)


def test_all_notice_a_process_that_died(tmp_path: Path) -> None:
    assert run_ring(3, tmp_path, _one_dies) == [0, signal.SIGKILL, 0]
