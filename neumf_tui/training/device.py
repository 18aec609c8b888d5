"""Which device trains."""

import os

import torch

from neumf_tui.errors import UsageError
from neumf_tui.settings import Settings


def pick_device(wanted: str) -> torch.device:
    """The device of `--device`: `auto` is CUDA if there, then MPS, then CPU. Raises UsageError for one not there."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if (device.index or 0) >= count:
            have = f"this machine has {count} CUDA devices" if count else f"torch {torch.__version__} finds no CUDA here"
            raise UsageError(f"--device {wanted}: {have}; use --device auto or cpu")
    if device.type == "mps" and not mps:
        raise UsageError("--device mps: no Apple GPU here; use --device auto or cpu")
    return device


def set_threads(settings: Settings) -> None:
    """Use the CPU threads that were asked for; by default one a core, and one alone for small batches."""
    threads = settings.threads
    if not threads:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        # Below this, waking a second thread for each small operation costs more than it gives: an epoch of preset tuned,
        # 66,000 scores a step, takes 1.8 s with one thread and 2.2 s with two, and beside another process 5 s and 9 s.
        threads = cores if settings.batch_size * (1 + settings.negatives) >= 1 << 18 else 1
    torch.set_num_threads(threads)
