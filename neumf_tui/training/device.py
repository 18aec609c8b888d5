"""Which device trains."""

import torch

from neumf_tui.cores import usable_cores
from neumf_tui.errors import UsageError
from neumf_tui.settings import Settings
from neumf_tui.training.distributed.torchrun import Member


def pick_device(wanted: str, part: Member | None = None) -> torch.device:
    """The device of `--device`: `auto` is CUDA if there, then MPS, then CPU; of CUDA each process of a group takes its own.

    Raises UsageError for one not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if part and part.size > 1:
        return _device_of(part, wanted, torch.cuda.device_count() if cuda else 0)
    if wanted == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda":
        count = torch.cuda.device_count() if cuda else 0
        if (device.index or 0) >= count:
            have = (
                f"this machine has {count} CUDA devices"
                if count
                else f"torch {torch.__version__} finds no CUDA here"
            )
            raise UsageError(f"--device {wanted}: {have}; use --device auto or cpu")
    if device.type == "mps" and not mps:
        raise UsageError("--device mps: no Apple GPU here; use --device auto or cpu")
    return device


def _device_of(part: Member, wanted: str, gpus: int) -> torch.device:
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return torch.device("cpu")
    if part.local_size > gpus:
        have = f"this machine has {gpus} CUDA device{'s' * (gpus != 1)}"
        have = have if gpus else f"torch {torch.__version__} finds no CUDA here"
        fewer = f"--gpus {gpus}, or " if gpus else ""
        raise UsageError(
            f"{part.local_size} processes want a GPU each, {have}; give {fewer}--processes N --device cpu"
        )
    device = torch.device("cuda", part.local_rank)
    torch.cuda.set_device(device)
    return device


def threads_of(settings: Settings, local_size: int) -> int:
    """CPU threads of each of `local_size` processes on this machine: those that were asked for, or one a core."""
    return settings.threads or max(1, usable_cores() // local_size)


def set_threads(settings: Settings, part: Member | None = None) -> None:
    """Use as many CPU threads as `threads_of` says, but one alone for small batches where none were asked for."""
    threads = threads_of(settings, part.local_size if part else 1)
    # Torch's threads wait for each other after every operation, on a core of their own. On two idle cores, two take 0.7 to 0.8
    # of the time of one for steps well below this (preset tuned, 66,000 scores, among them), but beside one other busy process
    # 2 to 3.5 times as long.
    if not settings.threads and settings.batch_size * (1 + settings.negatives) < 1 << 18:
        threads = 1
    torch.set_num_threads(threads)
