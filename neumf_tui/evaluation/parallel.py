"""Share work among threads, each of which computes with one thread of torch."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import torch


def each_stretch(work: Callable[[range], None], total: int, size: int, threads: int) -> None:
    """Call `work` on the numbers below `total`, `size` at a time, from `threads` threads.

    Torch releases the interpreter while it computes, so threads of Python keep the cores busy.
    Unlike threads that share one operation, they neither wait for one another nor spin beside
    other processes. During the call the process uses 1 thread of torch, since an operation's sums
    may depend on it.
    """
    starts = iter(range(0, total, size))
    threads = min(threads, -(-total // size))

    def worker() -> None:
        for start in starts:
            work(range(start, min(start + size, total)))

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        if threads == 1:
            worker()
            return
        # The caller works as well: it keeps its core busy, so that a helper gets another one. Two
        # helpers that wake together often land on one core (two cores, ML-100K: 24 ms an
        # evaluation instead of 14).
        jobs = [_pool(threads - 1).submit(worker) for _ in range(threads - 1)]
        try:
            worker()
            for job in jobs:
                job.result()
        finally:
            for _ in starts:  # after an error the other threads stop as well
                pass
            wait(jobs)
    finally:
        torch.set_num_threads(before)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Keep the threads, since their memory is mapped already the next time."""
    return ThreadPoolExecutor(threads, "ranking")
