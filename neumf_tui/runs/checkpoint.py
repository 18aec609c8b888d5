"""Save and load checkpoints, and find the one that a person names.

A checkpoint is one safetensors file. It holds every parameter of the model under its name, Adam's
state of each as `adam.step.NAME`, `adam.exp_avg.NAME` and `adam.exp_avg_sq.NAME`, and in the
metadata `checkpoint`, a `Checkpoint` as JSON, and `sha256`, a checksum of all of it.

It is named by the epochs done, `00007.safetensors`, or inside an epoch by epochs and steps,
`00007-00063.safetensors`. The files `last` and `best` hold the name of one of them.
"""

import hashlib
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.reader import rank_epochs, read_info, read_status

Tensors = dict[str, NDArray[np.float32]]


class TrainingProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far training had come: with seed and tensors, all that resuming needs."""

    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps done of the next epoch."""
    loss_sum: float = 0.0
    """Summed loss of those steps."""
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    total_seconds: float = 0.0


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a checkpoint."""

    fingerprint: str
    """The dataset's fingerprint."""
    progress: TrainingProgress
    shape: dict[str, bool | int | float | str | list[int]]
    """The model's NeuMFConfig as a dict."""


def file_name(progress: TrainingProgress) -> str:
    inside = f"-{progress.step:05}" if progress.step else ""
    return f"{progress.epoch:05}{inside}.safetensors"


def checkpoint_name(epoch: int) -> str:
    """Return the name of the checkpoint after an epoch."""
    return file_name(TrainingProgress(epoch=epoch))


def save_checkpoint(folder: Path, tensors: Tensors, about: Checkpoint) -> Path:
    """Write a checkpoint into the run's `folder` and let `last` name it.

    Raises OSError, e.g. if the disk is full; earlier checkpoints stay as they were.
    """
    text = msgspec.json.encode(about).decode()
    metadata = {"checkpoint": text, "sha256": _digest(tensors, text)}
    content = safetensors.numpy.save(tensors, metadata)
    path = folder / "checkpoints" / file_name(about.progress)
    files.replace(folder, f"checkpoints/{path.name}", content)
    set_pointer(folder, "last", path.name)
    return path


def load_checkpoint(path: Path, fingerprint: str) -> tuple[Tensors, Checkpoint]:
    """Return tensors and metadata of a checkpoint of the dataset `fingerprint`.

    Raises RunError if the file is damaged or belongs to another dataset.
    """
    hint = "delete it and resume the run from the checkpoint before"
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        text = metadata["checkpoint"]
        about = msgspec.json.decode(text, type=Checkpoint)
        unchanged = metadata["sha256"] == _digest(tensors, text)
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        SafetensorError,
        msgspec.DecodeError,
    ) as error:
        raise RunError(f"{path}: this checkpoint is damaged ({error}); {hint}") from error
    if not unchanged:
        raise RunError(f"{path}: the contents do not match their checksum; {hint}")
    if about.fingerprint != fingerprint:
        raise RunError(
            f"{path}: trained on dataset {about.fingerprint[:12]}, expected {fingerprint[:12]}; "
            "open it with the run it belongs to"
        )
    return tensors, about


def _digest(tensors: Tensors, text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def set_pointer(folder: Path, pointer: str, target: str) -> None:
    """Let `pointer` (`last`, `best`) name the checkpoint file `target`."""
    files.replace(folder, f"checkpoints/{pointer}", target.encode(), to_disk=False)


def checkpoint_epochs(folder: Path) -> list[int]:
    """Return the epochs after which a checkpoint was kept, ascending."""
    paths = (folder / "checkpoints").glob("[0-9][0-9][0-9][0-9][0-9].safetensors")
    return sorted(int(path.stem) for path in paths)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint, from which training resumes."""
    files = (folder / "checkpoints").glob("[0-9]*.safetensors")
    return max(files, key=lambda path: [int(part) for part in path.stem.split("-")], default=None)


def usual_checkpoint(folder: Path) -> str:
    """Return which checkpoint is meant if none is named: `best` or `last`; raise RunError.

    `best` for a run with validation that has ended. While a run goes on its best can change, and
    a best that was chosen by held-out items is optimistic.
    """
    has_best = (folder / "checkpoints" / "best").exists()
    if read_info(folder).settings.get("validation") and has_best:
        return "best" if read_status(folder).state in FINAL_STATES else "last"
    return "last"


def find_checkpoint(folder: Path, which: str | None) -> Path:
    """Return the checkpoint `which`: an epoch, `best` or `last`; None: `usual_checkpoint`.

    `last` is the newest one with ranks; a checkpoint inside an epoch only if there is no other.
    Raises RunError if there is no such checkpoint.
    """
    checkpoints = folder / "checkpoints"
    which = usual_checkpoint(folder) if which is None else which
    epochs = checkpoint_epochs(folder)
    if which == "best":
        try:
            return checkpoints / (checkpoints / "best").read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise RunError(f"{folder}: no best checkpoint ({error}); name an epoch") from error
    if which == "last" and not epochs:
        if path := last_checkpoint(folder):
            return path
        raise RunError(f"{folder}: no checkpoint yet; wait for the first evaluation")
    epoch = epochs[-1] if which == "last" else _named_epoch(folder, which, epochs, "checkpoint")
    return checkpoints / f"{epoch:05}.safetensors"


def find_rank_epoch(folder: Path, which: str | None) -> int:
    """Return the epoch with ranks that `which` names, as in `find_checkpoint`; raise RunError."""
    epochs = rank_epochs(folder)
    if not epochs:
        raise RunError(f"{folder}: no evaluation yet; wait for the first one")
    which = usual_checkpoint(folder) if which is None else which
    if which == "last":
        return epochs[-1]
    named = find_checkpoint(folder, which).stem if which == "best" else which
    return _named_epoch(folder, named, epochs, "ranks")


def _named_epoch(folder: Path, which: str, epochs: list[int], kind: str) -> int:
    if which.isdecimal() and int(which) in epochs:
        return int(which)
    if kind == "checkpoint" and which.isdecimal() and int(which) in rank_epochs(folder):
        raise RunError(f"{folder.name}: {pruned_text(int(which), epochs)}")
    known = f"{epochs[0]} to {epochs[-1]}" if len(epochs) > 2 else ", ".join(map(str, epochs))
    raise RunError(
        f"{folder.name}: no {kind} after epoch {which}; "
        f"there are {known or 'none yet'}, `best` and `last`"
    )


def pruned_text(epoch: int, epochs: Sequence[int]) -> str:
    """Say that an evaluated epoch has no checkpoint, and which of the ascending `epochs` do."""
    near = [*epochs[: bisect(epochs, epoch)][-1:], *epochs[bisect(epochs, epoch) :][:1]]
    others = f"{' and '.join(map(str, near))} {'do' if len(near) > 1 else 'does'}"
    return f"epoch {epoch} has no checkpoint any more; {others if near else 'no epoch does'}"


def best_epoch(folder: Path) -> int | None:
    """Return the epoch that `best` names; None before the first evaluation."""
    try:
        stem = find_checkpoint(folder, "best").stem
    except RunError:
        return None
    return int(stem) if stem.isdecimal() else None


def describe_epoch(folder: Path, epoch: int) -> str:
    """Return `best by validation`, `last`, `highest held-out Hit@50`, or an empty text."""
    is_best = epoch == best_epoch(folder)
    if is_best and read_info(folder).settings.get("validation"):
        return "best by validation"
    if epoch == max(checkpoint_epochs(folder), default=None):
        return "last"
    return "highest held-out Hit@50" if is_best else ""
