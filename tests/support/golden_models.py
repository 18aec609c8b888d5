"""Checkpoints for golden runs: small models with weights as they are drawn, never trained."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from neumf_tui.runs.checkpoint import Checkpoint, TrainingProgress, save_checkpoint, set_pointer
from neumf_tui.runs.reader import read_info
from neumf_tui.settings import check


def add_checkpoints(folder: Path, epochs: Sequence[int] = (1, 2, 3), best: int = 2) -> None:
    """Give a run a checkpoint after each of `epochs`, and let `best` name one of them."""
    import torch

    from neumf_tui.model.config import NeuMFConfig
    from neumf_tui.model.neumf import NeuMF

    info = read_info(folder)
    about = info.dataset
    config = NeuMFConfig.of(check(info.settings), about.num_users, about.num_items)
    for epoch in epochs:
        model = NeuMF(config, torch.Generator().manual_seed(epoch))
        tensors = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
        progress = TrainingProgress(epoch=epoch)
        shape = dataclasses.asdict(config)
        save_checkpoint(folder, tensors, Checkpoint(
            fingerprint=about.fingerprint, progress=progress, shape=shape
        ))  # fmt: skip
    set_pointer(folder, "best", f"{best:05}.safetensors")
