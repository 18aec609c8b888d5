"""Processes of one machine that train together: each sends to the previous one, in a ring.

They inherit Unix sockets, which no other account can reach. gloo would listen on a TCP port
without authentication: whoever on this machine connects first could write into memory.
"""

import math
import os
import select
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from neumf_tui.runs.contents import MESSAGES, STORE
from neumf_tui.training.distributed.group import TIMEOUT, StoreGroup
from neumf_tui.training.distributed.processes import Worker

SEGMENT_BYTES = PIECE_BYTES = 2**20
_NOTHING = memoryview(b"")


class RingGroup(StoreGroup):
    """One of several processes of one machine."""

    def __init__(self, worker: Worker, folder: Path) -> None:
        """Join the processes that train the run in `folder`."""
        assert worker.sockets is not None, "torchrun started this process"
        messages = os.fsencode(folder / STORE / MESSAGES)
        store = dist.FileStore(messages)  # type: ignore[attr-defined, arg-type]
        store.set_timeout(TIMEOUT)
        super().__init__(worker, store)
        self._previous, self._next = (socket.socket(fileno=handle) for handle in worker.sockets)
        for end in (self._previous, self._next):
            end.set_inheritable(False)
            end.setblocking(False)

    def all_reduce(self, tensor: Tensor) -> None:
        if tensor.is_cuda:
            self._all_reduce_on_gpus(tensor)
            return
        flat, size, own = tensor.view(-1), self.size, self.rank
        length = chunk_length(len(flat), flat.element_size(), size)
        chunks = [flat[start : start + length] for start in range(0, size * length, length)]
        received = torch.empty_like(chunks[0])
        # Each process adds its values to a chunk that has come round, and so has the sum of one
        # chunk in the end.
        for step in range(1, size):
            chunk = chunks[(own + step + 1) % size]
            others = received[: len(chunk)]
            self._exchange(_bytes_of(chunks[(own + step) % size]), _bytes_of(others))
            chunk += others
        for step in range(size - 1):
            chunk, other = chunks[(own + step) % size], chunks[(own + step + 1) % size]
            self._exchange(_bytes_of(chunk), _bytes_of(other))

    def _all_reduce_on_gpus(self, tensor: Tensor) -> None:
        # NCCL listens on the interface that the supervisor names, and connects only to those who
        # know a random number, which the file of messages gives them.
        if not dist.is_initialized():
            dist.init_process_group(
                "nccl", store=self.store, rank=self.rank, world_size=self.size, timeout=TIMEOUT
            )
        dist.all_reduce(tensor)

    def broadcast_bytes(self, content: bytes) -> bytes:
        if self.rank:
            length = self._receive(8)
            content = self._receive(int.from_bytes(length, "little"))
        if self.rank != 1:
            message = len(content).to_bytes(8, "little") + content
            self._exchange(memoryview(message), _NOTHING)
        return content

    def gather_rows(self, rows: Tensor, counts: Sequence[int]) -> Tensor | None:
        own = rows.detach().cpu().contiguous()
        if self.rank:
            self._exchange(_bytes_of(own), _NOTHING)
            row_bytes = own.element_size() * math.prod(own.shape[1:])
            self._forward(sum(counts[self.rank + 1 :]) * row_bytes)
            return None
        # Received into the result, so that rank 0 never holds the whole twice.
        whole = own.new_empty((sum(counts), *own.shape[1:]))
        whole[: len(own)] = own
        self._exchange(_NOTHING, _bytes_of(whole[len(own) :]))
        return whole

    def leave(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    def _forward(self, count: int) -> None:
        """Send `count` bytes of the next process to the previous one."""
        piece = memoryview(bytearray(min(count, PIECE_BYTES)))
        while count:
            piece = piece[:count]
            self._exchange(_NOTHING, piece)
            self._exchange(piece, _NOTHING)
            count -= len(piece)

    def _receive(self, count: int) -> bytes:
        content = bytearray(count)
        self._exchange(_NOTHING, memoryview(content))
        return bytes(content)

    def _exchange(self, out: memoryview, into: memoryview) -> None:
        """Send `out` to the previous process while `into` is filled by the next one.

        Raises RuntimeError if one of them has ended or does not answer.
        """
        while out or into:
            moved = 0
            with suppress(BlockingIOError):
                if out:
                    moved += self._send(out)
                    out = out[moved:]
            with suppress(BlockingIOError):
                if into:
                    received = self._next.recv_into(into)
                    if not received:
                        raise self._lost(self.rank + 1)
                    into = into[received:]
                    moved += received
            if not moved:
                self._wait(bool(out), bool(into))

    def _send(self, out: memoryview) -> int:
        try:
            return self._previous.send(out)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._lost(self.rank - 1) from error

    def _wait(self, to_send: bool, to_receive: bool) -> None:
        poll = select.poll()
        if to_send:
            poll.register(self._previous, select.POLLOUT)
        if to_receive:
            poll.register(self._next, select.POLLIN)
        if not poll.poll(TIMEOUT // timedelta(milliseconds=1)):
            raise RuntimeError(f"the other processes do not answer for {TIMEOUT}")

    def _lost(self, rank: int) -> RuntimeError:
        return RuntimeError(f"the connection to process {rank % self.size} is closed")


def chunk_length(count: int, value_bytes: int, size: int) -> int:
    """Return how many of `count` values each of `size` processes adds up.

    These are the chunks of gloo's ring, so that the sums are rounded as there.
    """
    segment = max(1, min(-(-count // (2 * size)), SEGMENT_BYTES // value_bytes))
    segments = -(-count // segment)
    return segment * max(2, -(-segments // size))


def _bytes_of(tensor: Tensor) -> memoryview:
    """Return the memory of a contiguous tensor on the CPU."""
    return tensor.view(-1).view(torch.uint8).numpy().data
