"""The device that trains, and the number of CPU threads."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neumf_tui.cores import usable_cores
from neumf_tui.errors import UsageError
from neumf_tui.settings import Settings
from neumf_tui.training.distributed.processes import Worker


def pick_device(wanted: str, worker: Worker | None = None) -> torch.device:
    """Return the device of `--device`: `auto` is CUDA if there, then MPS, then CPU.

    Each process of a group gets a CUDA device of its own. Raises UsageError for a missing device.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    gpus = torch.cuda.device_count() if cuda else 0
    if worker and worker.size > 1:
        return _device_of_worker(worker, wanted, gpus)
    if wanted == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= gpus:
        raise UsageError(f"--device {wanted}: {_gpu_text(gpus)}; use --device auto or cpu")
    if device.type == "mps" and not mps:
        raise UsageError("--device mps: no Apple GPU here; use --device auto or cpu")
    return device


def _device_of_worker(worker: Worker, wanted: str, gpus: int) -> torch.device:
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return torch.device("cpu")
    if worker.local_size > gpus:
        fewer = f"--gpus {gpus}, or " if gpus else ""
        raise UsageError(
            f"{worker.local_size} processes need a GPU each, but {_gpu_text(gpus)}; "
            f"use {fewer}--processes N --device cpu"
        )
    device = torch.device("cuda", worker.local_rank)
    torch.cuda.set_device(device)
    return device


def _gpu_text(gpus: int) -> str:
    if not gpus:
        return f"torch {torch.__version__} finds no CUDA here"
    return f"this machine has {gpus} CUDA device{'s' * (gpus != 1)}"


def threads_of(settings: Settings, local_size: int) -> int:
    """Return the CPU threads of each of `local_size` processes on this machine.

    As many as `settings` ask for, else the cores divided among the processes.
    """
    return settings.threads or max(1, usable_cores() // local_size)


def set_threads(settings: Settings, worker: Worker | None = None) -> None:
    """Use the number of CPU threads that `threads_of` gives.

    Where `settings` do not ask for a number, small batches get one thread.
    """
    threads = threads_of(settings, worker.local_size if worker else 1)
    # Torch's threads wait for each other after every operation, each on a core of its own. For
    # steps well below this number of scores (preset tuned has 66,000), two threads on two idle
    # cores take 0.7 to 0.8 of the time of one thread, but beside one other busy process 2 to 3.5
    # times as long.
    if not settings.threads and settings.batch_size * (1 + settings.negatives) < 1 << 18:
        threads = 1
    torch.set_num_threads(threads)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Compute sums in a fixed order on a CPU, as in a run."""
    before = torch.get_deterministic_debug_mode()
    if device.type == "cpu":
        torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
