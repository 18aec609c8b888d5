"""Checkpoints: weights and optimiser state in safetensors, all else as JSON strings in its metadata, under one hash.

A file is named by whole epochs done, `00007.safetensors`, or, if saved inside an epoch, by epochs and steps,
`00007-00063.safetensors`.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.events import FINAL_STATES
from neumf_tui.runs.files import replace_bytes, replace_with
from neumf_tui.runs.reader import read_info, read_status

Tensors = dict[str, NDArray[np.float32]]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far training had come; with the seed, all that going on exactly needs beside the tensors."""

    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps done of the epoch after them."""
    loss_sum: float = 0.0
    """Summed loss of those steps."""
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0
    total_seconds: float = 0.0


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What the metadata of a checkpoint holds."""

    fingerprint: str
    """Of the dataset."""
    progress: Progress
    shape: dict[str, bool | int | float | str | list[int]]
    """NeuMFConfig as a dict."""


def file_name(progress: Progress) -> str:
    inside = f"-{progress.step:05}" if progress.step else ""
    return f"{progress.epoch:05}{inside}.safetensors"


def save_checkpoint(folder: Path, tensors: Tensors, about: Checkpoint) -> Path:
    """Write a checkpoint into the run's `folder` and point `last` at it.

    Raises OSError (disk full, for one); every checkpoint written before then stays as it was.
    """
    text = msgspec.json.encode(about).decode()
    content = safetensors.numpy.save(
        tensors, {"checkpoint": text, "sha256": _digest(tensors, text)}
    )
    path = folder / "checkpoints" / file_name(about.progress)
    replace_with(path, lambda scratch: _write(scratch, content))
    point(folder, "last", path.name)
    if not about.progress.step:
        # What was saved inside this epoch is of no more use now that the whole is there.
        for partial in path.parent.glob(f"{about.progress.epoch - 1:05}-*.safetensors"):
            partial.unlink()
    return path


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def point(folder: Path, pointer: str, target: str) -> None:
    """Make `pointer` (`last`, `best`) name the checkpoint file `target`."""
    replace_bytes(folder / "checkpoints" / pointer, target.encode())


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint training goes on from."""
    return _newest(folder, "[0-9]*.safetensors")


def evaluated_checkpoint(folder: Path) -> Path:
    """The newest checkpoint that ranks exist for; one saved inside an epoch where there is no other.

    Raises RunError for a run without any.
    """
    found = _newest(folder, "[0-9][0-9][0-9][0-9][0-9].safetensors") or last_checkpoint(folder)
    if found is None:
        raise RunError(f"{folder}: no checkpoint yet; wait for the first evaluation")
    return found


def checkpoint_epochs(folder: Path) -> list[int]:
    """Epochs after which a checkpoint was kept, ascending."""
    return sorted(
        int(path.stem)
        for path in (folder / "checkpoints").glob("[0-9][0-9][0-9][0-9][0-9].safetensors")
    )


def usual_checkpoint(folder: Path) -> str:
    """Which checkpoint is meant where none is named: `best` of a run that has ended and has validation to choose by, else
    `last`: that of a living run moves on, and a best by held-out items flatters. Raises RunError."""
    chosen = (
        read_info(folder).settings.get("validation") and (folder / "checkpoints" / "best").exists()
    )
    return "best" if chosen and read_status(folder).state in FINAL_STATES else "last"


def find_checkpoint(folder: Path, which: str | None) -> Path:
    """The checkpoint after epoch `which`, a number, `best` or `last`; None: as of `usual_checkpoint`. Raises RunError."""
    which = usual_checkpoint(folder) if which is None else which
    if which == "last":
        return evaluated_checkpoint(folder)
    if which == "best":
        try:
            return (
                folder
                / "checkpoints"
                / (folder / "checkpoints" / "best").read_text("ascii").strip()
            )
        except (OSError, ValueError) as error:
            raise RunError(
                f"{folder}: no best checkpoint ({error}); name an epoch, or leave it out"
            ) from error
    epochs = checkpoint_epochs(folder)
    if not which.isdecimal() or int(which) not in epochs:
        some = (
            f"{epochs[0]} to {epochs[-1]}"
            if len(epochs) > 2
            else ", ".join(map(str, epochs)) or "none yet"
        )
        raise RunError(
            f"{folder.name}: no checkpoint after epoch {which}; there are {some}, `best` and `last`"
        )
    return folder / "checkpoints" / f"{int(which):05}.safetensors"


def best_epoch(folder: Path) -> int | None:
    """The epoch that `best` names; None where nothing was evaluated yet."""
    try:
        stem = find_checkpoint(folder, "best").stem
    except RunError:
        return None
    return int(stem) if stem.isdecimal() else None


def standing(folder: Path, epoch: int) -> str:
    """What an epoch is among those of its run: `best by validation`, `last`, `highest held-out Hit@50`, or nothing of these."""
    best, chosen = epoch == best_epoch(folder), read_info(folder).settings.get("validation")
    if best and chosen:
        return "best by validation"
    if epoch == max(checkpoint_epochs(folder), default=None):
        return "last"
    return "highest held-out Hit@50" if best else ""


def _newest(folder: Path, pattern: str) -> Path | None:
    files = list((folder / "checkpoints").glob(pattern))
    return max(files, key=lambda path: [int(part) for part in path.stem.split("-")], default=None)


def load_checkpoint(path: Path, fingerprint: str) -> tuple[Tensors, Checkpoint]:
    """Tensors and metadata of a whole, unchanged checkpoint of the dataset `fingerprint`; raises RunError."""
    remedy = "delete it and --resume the run from the checkpoint before"
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        text = metadata["checkpoint"]
        about = msgspec.json.decode(text, type=Checkpoint)
        whole = metadata["sha256"] == _digest(tensors, text)
    except (
        OSError,
        KeyError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
        msgspec.DecodeError,
    ) as error:
        raise RunError(f"{path}: not a whole checkpoint ({error}); {remedy}") from error
    if not whole:
        raise RunError(f"{path}: its contents do not match its checksum; {remedy}")
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
