"""Processes that train one model together: who has which users, sums over all of them, and what rank 0 says to the rest."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neumf_tui.errors import UsageError
from neumf_tui.training.distributed.torchrun import Member, Word

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import Store

T = TypeVar("T")
_WORD, _ROUND = "failed", "neumf-tui/round"
HANG = timedelta(minutes=30)
"""A process that waits so long for the others gives up: longer than any evaluation or checkpoint takes. One that died is
noticed at once, by its closed connection."""


class Group:
    """One process alone: every method is free. `join` makes the group of many."""

    rank: int = 0
    size: int = 1
    local_size: int = 1
    """Processes on this machine."""

    def all_users(self, offsets: NDArray[np.int64]) -> list[range]:
        """The users of every rank: contiguous, about equal in training pairs + users, at least one each.

        offsets: (num_users + 1,), where each user's pairs begin among all. Raises UsageError for more processes than users.
        """
        count = len(offsets) - 1
        if self.size > count:
            raise UsageError(
                f"--processes {self.size}: there are {count} users only, so at most {count} can share them"
            )
        work = offsets - offsets[0] + np.arange(count + 1)
        shares = [int(work[-1]) * rank // self.size for rank in range(self.size + 1)]
        cuts = np.searchsorted(work, shares)
        # A user of very many pairs is never cut; their neighbours still get a user each.
        for rank in range(1, self.size):
            cuts[rank] = min(max(cuts[rank], cuts[rank - 1] + 1), count - (self.size - rank))
        return [range(int(start), int(stop)) for start, stop in pairwise(cuts)]

    def users(self, offsets: NDArray[np.int64]) -> range:
        """This rank's users, as of `all_users`."""
        return self.all_users(offsets)[self.rank]

    def sum_(self, tensor: Tensor) -> None:
        """Make `tensor`, of the same shape on every rank, the sum over all ranks, in place."""

    def first(self, value: T) -> T:
        """Rank 0's `value`, on every rank."""
        return value

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        """The rows of all ranks, one rank after another, on the CPU at rank 0; None elsewhere.

        rows: (counts[rank], ...), of the same dtype and trailing shape on every rank.
        """
        return rows.detach().cpu()

    def counts(self, number: int) -> list[int]:
        """The `number` of every rank."""
        numbers = torch.zeros(self.size, dtype=torch.int64)
        numbers[self.rank] = number
        self.sum_(numbers)
        return [int(number) for number in numbers]

    def fail(self, word: Word) -> Word:
        """Tell the others why this process ends; the word that counts, which is the first that any of them told."""
        return word

    def failed(self) -> Word | None:
        """The word of a process that has failed; from any thread, and not collective."""
        return None

    def leave(self) -> None:
        """Part from the others, when all is done."""


class Together(Group):
    """One of several processes of torch.distributed. All methods but `all_users` and `users` are collective: every rank calls
    them, in the same order."""

    def __init__(self, rank: int, size: int, local_size: int, store: "Store") -> None:
        import torch.distributed as dist

        self.rank, self.size, self.local_size = rank, size, local_size
        # A connection of its own: that of the group may wait for others.
        self._store: Store = store.clone()  # type: ignore[attr-defined]
        # gloo for all that is said between processes on the host, so that it never waits for a GPU.
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=HANG)
        self._gpus: ProcessGroup | None = None

    def sum_(self, tensor: Tensor) -> None:
        import torch.distributed as dist

        if tensor.is_cuda and self._gpus is None:
            self._gpus = dist.new_group(backend="nccl", timeout=HANG)
        dist.all_reduce(tensor, group=self._gpus if tensor.is_cuda else None)

    def first(self, value: T) -> T:
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        import torch.distributed as dist

        own = rows.detach().cpu().contiguous()
        if self.rank:
            if len(own):
                dist.send(own, dst=0)
            return None
        # Received where it belongs: rank 0 holds the whole once, never twice.
        whole = own.new_empty((sum(counts), *own.shape[1:]))
        parts = torch.split(whole, list(counts))
        parts[0].copy_(own)
        for rank, part in enumerate(parts):
            if rank and len(part):
                dist.recv(part, src=rank)
        return whole

    def fail(self, word: Word) -> Word:
        with suppress(
            RuntimeError
        ):  # the store is gone with the agent that kept it: nobody is there to hear
            first = self._store.compare_set(_WORD, "", msgspec.json.encode(word).decode())
            return msgspec.json.decode(first, type=Word)
        return word

    def failed(self) -> Word | None:
        with suppress(RuntimeError):
            if self._store.check([_WORD]):
                return msgspec.json.decode(self._store.get(_WORD), type=Word)
        return None

    def leave(self) -> None:
        import torch.distributed as dist

        dist.destroy_process_group()


def join(part: Member | None) -> Group:
    """The group that torchrun put this process into; waits for the others. Alone where there are none."""
    if part is None or part.size == 1:
        return Group()
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://", timeout=HANG))
    return Together(
        rank, size, part.local_size, PrefixStore(agree_on_round(store, rank, size), store)
    )


def agree_on_round(store: "Store", rank: int, size: int) -> str:
    """A name for this start of the group, the same on every rank and never that of an earlier start.

    torchrun keeps one store for all of them, where the addresses of processes that have died still stand (torch 2.13); nor do the
    nodes agree on how often they have been started, where one of them is new.
    """
    mine, until = secrets.token_hex(8), time.monotonic() + HANG.total_seconds()
    if rank == 0:
        store.set(_ROUND, mine)
        tokens = [store.get(f"{mine}/{other}").decode() for other in range(1, size)]
        store.set(f"{mine}/all", " ".join(tokens))
        return mine
    while time.monotonic() < until:
        name = store.get(_ROUND).decode()
        store.set(f"{name}/{rank}", mine)
        # Of an earlier start its rank 0 has heard others than this process, or will never hear anyone.
        if store.check([f"{name}/all"]) and mine in store.get(f"{name}/all").decode().split():
            return name
        time.sleep(0.02)
    raise TimeoutError(f"process {rank} of {size}: no word of process 0 in {HANG}")
