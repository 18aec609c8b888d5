"""Processes that torchrun started, maybe on several machines: they connect by TCP, through gloo.

Whoever reaches their ports can disturb them: see "Several machines" in docs/scaling.md.
"""

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from neumf_tui.training.distributed.group import TIMEOUT, Group, StoreGroup
from neumf_tui.training.distributed.processes import Worker

if TYPE_CHECKING:  # some builds of torch have no distributed training
    from torch.distributed.distributed_c10d import ProcessGroup, Store

_ROUND = "neumf-tui/round"


class DistributedGroup(StoreGroup):
    """One of several processes that torchrun started, maybe on several machines."""

    def __init__(self, worker: Worker, store: "Store") -> None:
        super().__init__(worker, store)
        # gloo for all messages between processes on the host, which so never wait for a GPU.
        dist.init_process_group(
            "gloo", store=store, rank=self.rank, world_size=self.size, timeout=TIMEOUT
        )
        self._gpus: ProcessGroup | None = None

    def all_reduce(self, tensor: Tensor) -> None:
        if tensor.is_cuda and self._gpus is None:
            self._gpus = dist.new_group(backend="nccl", timeout=TIMEOUT)
        dist.all_reduce(tensor, group=self._gpus if tensor.is_cuda else None)

    def broadcast_bytes(self, content: bytes) -> bytes:
        length = torch.tensor(len(content))
        dist.broadcast(length, src=0)
        values = np.zeros(int(length), dtype=np.uint8)
        if self.rank == 0:
            values[:] = np.frombuffer(content, dtype=np.uint8)
        dist.broadcast(torch.from_numpy(values), src=0)
        return values.tobytes()

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        own = rows.detach().cpu().contiguous()
        if self.rank:
            if len(own):
                dist.send(own, dst=0)
            return None
        # Received into the result, so that rank 0 never holds the whole twice.
        whole = own.new_empty((sum(counts), *own.shape[1:]))
        parts = torch.split(whole, list(counts))
        parts[0].copy_(own)
        for rank, part in enumerate(parts):
            if rank and len(part):
                dist.recv(part, src=rank)
        return whole

    def leave(self) -> None:
        dist.destroy_process_group()


def join_torchrun(worker: Worker) -> Group:
    """Join the group that torchrun put this process into, and wait for the others."""
    if worker.size == 1:
        return Group()
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    store, rank, size = next(rendezvous("env://", timeout=TIMEOUT))
    store = PrefixStore(agree_on_round(store, rank, size), store)
    return DistributedGroup(worker, store)


def agree_on_round(store: "Store", rank: int, size: int) -> str:
    """Return a name for this start of the group, the same on every rank and new at every start.

    torchrun keeps one store for all starts, which still has the addresses of processes that died
    (torch 2.13); and nodes count the starts differently where one of them is new.
    """
    mine, until = secrets.token_hex(8), time.monotonic() + TIMEOUT.total_seconds()
    if rank == 0:
        store.set(_ROUND, mine)
        tokens = [store.get(f"{mine}/{other}").decode() for other in range(1, size)]
        store.set(f"{mine}/all", " ".join(tokens))
        return mine
    while time.monotonic() < until:
        name = store.get(_ROUND).decode()
        store.set(f"{name}/{rank}", mine)
        # In an earlier start, rank 0 has tokens of other processes, or will never get any.
        if store.check([f"{name}/all"]) and mine in store.get(f"{name}/all").decode().split():
            return name
        time.sleep(0.02)
    raise RuntimeError(f"process {rank} of {size}: no message of process 0 within {TIMEOUT}")
