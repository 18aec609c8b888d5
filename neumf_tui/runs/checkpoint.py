"""Save and load checkpoints, and find the one that a person names.

A checkpoint is one safetensors file. It holds every parameter of the model under its name, Adam's
state of each as `adam.step.NAME`, `adam.exp_avg.NAME` and `adam.exp_avg_sq.NAME`. In the metadata
are `checkpoint`, a `Checkpoint` as JSON, `digests`, a checksum of each tensor, and `sha256`, one of
both. Older checkpoints have one checksum of everything. `scorers.open` says what the checkpoints of
other models hold.

It is named by the epochs done, `00007.safetensors`, or inside an epoch by epochs and steps,
`00007-00063.safetensors`. The files `last` and `best` hold the name of one of them.

A power cut or a disk can damage a checkpoint. Where none is named by its epoch, the newest one that
is whole takes the place of a damaged one, and a note says so.
"""

import hashlib
import math
import re
from bisect import bisect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.events import FINAL_STATES, Count, Number, Seconds
from neumf_tui.runs.reader import rank_epochs, read_info, read_status

BEST = "checkpoints/best"
ADAM = "adam."
LARGE = 2**28
_MAPPED = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}
Tensors = dict[str, NDArray[Any]]
_NAME = re.compile(r"([0-9]{5,9})(?:-([0-9]{5,9}))?\.safetensors")


class TrainingProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far training had come: with seed and tensors, all that resuming needs."""

    epoch: Count = 0
    """Whole epochs done."""
    step: Count = 0
    """Steps done of the next epoch."""
    loss_sum: Number = 0.0
    """Summed loss of those steps."""
    train_seconds: Seconds = 0.0
    evaluate_seconds: Seconds = 0.0
    total_seconds: Seconds = 0.0


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The metadata of a checkpoint."""

    fingerprint: str
    """The dataset's fingerprint."""
    progress: TrainingProgress
    shape: dict[str, bool | int | float | str | list[int]]
    """What the model needs to know beside its tensors; a NeuMFConfig as a dict."""


class DamagedCheckpoint(RunError):
    """A checkpoint file that cannot be used; `what` says why."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}; delete it and resume the run from the checkpoint before")
        self.what = what


class OpenedCheckpoint(NamedTuple):
    path: Path
    tensors: Tensors
    about: Checkpoint
    note: str
    """Why it is another one than the one that was asked for; empty if it is that one."""


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
    digests = {name: _digest_of(name, tensor) for name, tensor in tensors.items()}
    listed = msgspec.json.encode(digests, order="sorted").decode()
    metadata = {"checkpoint": text, "digests": listed, "sha256": _sha256(text, listed)}
    content = safetensors.numpy.save(tensors, metadata)
    path = folder / "checkpoints" / file_name(about.progress)
    files.replace(folder, f"checkpoints/{path.name}", content)
    set_pointer(folder, "last", path.name)
    return path


def load_checkpoint(
    path: Path, fingerprint: str, *, to_train: bool = True
) -> tuple[Tensors, Checkpoint]:
    """Return tensors and metadata of a checkpoint of the dataset `fingerprint`.

    `to_train`: also the state of Adam, which viewers leave unread. For them a table of over
    LARGE bytes is memory-mapped, and its checksum not computed, unless the file belongs to another
    account, which could change it meanwhile. Raises DamagedCheckpoint, or
    RunError if it belongs to another dataset.
    """
    try:
        checked = files.checked_path(path.parent.parent, f"{path.parent.name}/{path.name}")
        with safetensors.safe_open(checked, framework="np") as file:
            metadata = file.metadata()
            read, mapped = set(file.keys()), set[str]()
            unread = set() if to_train else {name for name in read if name.startswith(ADAM)}
            count = len(read)
            if "digests" in metadata:  # the one checksum of before needs all tensors
                read -= unread
                may_map = not to_train and files.is_own(checked)
                mapped = {n for n in read if _size(file, n) > LARGE} if may_map else set()
            tensors = {name: file.get_tensor(name) for name in read - mapped}
        about = msgspec.json.decode(metadata["checkpoint"], type=Checkpoint)
        unchanged = _is_unchanged(tensors, count, metadata)
    except OSError as error:
        raise DamagedCheckpoint(f"{path}: cannot be read ({error.strerror or error})") from error
    except (KeyError, TypeError, ValueError, RecursionError, SafetensorError) as error:
        raise DamagedCheckpoint(f"{path}: this checkpoint is damaged ({error})") from error
    if not unchanged:
        raise DamagedCheckpoint(f"{path}: the contents do not match their checksum")
    if to_train and (other := {str(tensor.dtype) for tensor in tensors.values()} - {"float32"}):
        raise DamagedCheckpoint(f"{path}: expected float32, found {', '.join(other)}")
    if about.fingerprint != fingerprint:
        raise RunError(
            f"{path}: trained on dataset {about.fingerprint[:12]}, expected {fingerprint[:12]}; "
            "open it with the run it belongs to"
        )
    seen = {name: tensor for name, tensor in tensors.items() if name not in unread}
    return seen | {name: _map(path, name) for name in mapped}, about


def tensor_shape(folder: Path, name: str) -> tuple[int, ...] | None:
    """Return the shape of a tensor in the newest checkpoint; None where that cannot be read."""
    path = last_checkpoint(folder)
    try:
        if path is None:
            return None
        checked = files.checked_path(folder, f"checkpoints/{path.name}")
        with safetensors.safe_open(checked, framework="np") as file:
            return tuple(file.get_slice(name).get_shape())
    except (OSError, SafetensorError):
        return None


def _size(file: "safetensors.safe_open", name: str) -> int:
    """Return the bytes of a tensor, each number taken as float32."""
    return 4 * math.prod(file.get_slice(name).get_shape())  # type: ignore[no-untyped-call]


def _map(path: Path, name: str) -> NDArray[Any]:
    """Return a tensor of a safetensors file, memory-mapped; raises DamagedCheckpoint."""
    with files.open_to_read(path.parent.parent, f"{path.parent.name}/{path.name}") as file:
        header = int.from_bytes(file.read(8), "little")
        about = msgspec.json.decode(file.read(header))[name]
        dtype = _MAPPED.get(about["dtype"])
        if dtype is None:
            expected = ", ".join(_MAPPED)
            raise DamagedCheckpoint(f"{path}: {name} is {about['dtype']}, expected {expected}")
        start = 8 + header + about["data_offsets"][0]
        return np.memmap(file, dtype, "r", start, tuple(about["shape"]))


def _is_unchanged(tensors: Tensors, count: int, metadata: Mapping[str, str]) -> bool:
    """Return whether `tensors`, of `count` in the file, and the metadata match their checksums."""
    text = metadata["checkpoint"]
    if "digests" not in metadata:
        whole = hashlib.sha256(text.encode())
        for name in sorted(tensors):
            _add(whole, name, tensors[name])
        return metadata["sha256"] == whole.hexdigest()
    digests = msgspec.json.decode(metadata["digests"], type=dict[str, str])
    return (
        metadata["sha256"] == _sha256(text, metadata["digests"])
        and len(digests) == count
        and all(digests[name] == _digest_of(name, tensor) for name, tensor in tensors.items())
    )


def _sha256(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def _digest_of(name: str, tensor: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    _add(digest, name, tensor)
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", name: str, tensor: NDArray[Any]) -> None:
    digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
    digest.update(np.ascontiguousarray(tensor).data)


def set_pointer(folder: Path, pointer: str, target: str) -> None:
    """Let `pointer` (`last`, `best`) name the checkpoint file `target`."""
    files.replace(folder, f"checkpoints/{pointer}", target.encode(), to_disk=False)


def _checkpoints(folder: Path) -> list[tuple[int, int, str]]:
    """Return epoch, step and file name of every checkpoint, oldest first."""
    found = map(_NAME.fullmatch, files.file_names(folder, "checkpoints"))
    return sorted((int(name[1]), int(name[2] or 0), name[0]) for name in found if name)


def checkpoint_epochs(folder: Path) -> list[int]:
    """Return the epochs after which a checkpoint was kept, ascending."""
    return [epoch for epoch, step, _ in _checkpoints(folder) if not step]


def model_epochs(folder: Path) -> list[int]:
    """Return the epochs that can be opened: those with a checkpoint, or with ranks alone.

    None of a run that was deleted meanwhile.
    """
    with suppress(RunError):
        if read_info(folder).model == "none":
            return rank_epochs(folder)
    return checkpoint_epochs(folder)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint."""
    names = [name for _, _, name in _checkpoints(folder)]
    return folder / "checkpoints" / names[-1] if names else None


def usual_checkpoint(folder: Path) -> str:
    """Return which checkpoint is meant if none is named: `best` or `last`; raise RunError.

    `best` for a run with validation that has ended. While a run goes on its best can change, and
    a best that was chosen by held-out items is optimistic.
    """
    has_best = files.is_file(folder, BEST)
    if read_info(folder).has_validation and has_best:
        return "best" if read_status(folder).state in FINAL_STATES else "last"
    return "last"


def find_checkpoint(folder: Path, which: str | None) -> Path:
    """Return the checkpoint `which`: an epoch, `best` or `last`; None: `usual_checkpoint`.

    `last` is the newest one with ranks; a checkpoint inside an epoch only if there is no other. It
    takes the place of a `best` that names no checkpoint. Raises RunError if there is none.
    """
    which = usual_checkpoint(folder) if which is None else which
    return folder / "checkpoints" / _names(folder, which)[0]


def find_epoch(folder: Path, which: str | None) -> int:
    """Return the epoch whose checkpoint `which` names, or whose ranks where no model was kept.

    Raises RunError as `find_checkpoint`.
    """
    if read_info(folder).model == "none":
        return find_rank_epoch(folder, which)
    return int(find_checkpoint(folder, which).stem.partition("-")[0])


def _names(folder: Path, which: str) -> list[str]:
    """Return the name of the checkpoint `which`, then those that can take its place."""
    found = _checkpoints(folder)
    epochs = [epoch for epoch, step, _ in found if not step]
    if which not in ("best", "last"):
        return [f"{_named_epoch(folder, which, epochs, 'checkpoint'):05}.safetensors"]
    newest_first = [name for _, step, name in reversed(found) if not (step and epochs)]
    if not newest_first:
        raise RunError(f"{folder}: no checkpoint yet; wait for the first evaluation")
    if which == "last":
        return newest_first
    if not files.is_file(folder, BEST):
        raise RunError(f"{folder}: no best checkpoint yet; name an epoch")
    return [name for name in (_best_name(folder), *newest_first) if name]


def _best_name(folder: Path) -> str:
    """Return the name of the checkpoint that `best` names; empty if it names none."""
    try:
        name = files.read_text(folder, BEST, limit=99).strip()
    except OSError:
        return ""
    return name if _NAME.fullmatch(name) and files.is_file(folder, f"checkpoints/{name}") else ""


def open_checkpoint(folder: Path, which: str | None, fingerprint: str) -> OpenedCheckpoint:
    """Load what viewers need of the checkpoint `which`, as in `find_checkpoint`; raise RunError.

    Where `which` is not an epoch, the newest whole one takes the place of a damaged one.
    """
    which = usual_checkpoint(folder) if which is None else which
    names, note = _names(folder, which), ""
    if which == "best" and not _best_name(folder):
        note = f"{folder / BEST}: names no checkpoint: using {names[0]}, the newest one"
    return _first_whole(folder, names, fingerprint, note, to_train=False)


def newest_checkpoint(folder: Path, fingerprint: str) -> OpenedCheckpoint | None:
    """Load the newest whole checkpoint, from which training resumes; None if there is none at all.

    Raises RunError if all are damaged.
    """
    names = [name for _, _, name in reversed(_checkpoints(folder))]
    return _first_whole(folder, names, fingerprint) if names else None


def _first_whole(
    folder: Path, names: list[str], fingerprint: str, note: str = "", *, to_train: bool = True
) -> OpenedCheckpoint:
    problem: DamagedCheckpoint | None = None
    for name in names:
        path = folder / "checkpoints" / name
        try:
            tensors, about = load_checkpoint(path, fingerprint, to_train=to_train)
        except DamagedCheckpoint as error:
            problem = problem or error
        else:
            if problem:
                note = f"{problem.what}: using {name}, the newest whole one"
            return OpenedCheckpoint(path, tensors, about, note)
    assert problem
    raise problem


def find_rank_epoch(folder: Path, which: str | None) -> int:
    """Return the epoch with ranks that `which` names, as in `find_checkpoint`; raise RunError."""
    epochs = rank_epochs(folder)
    if not epochs:
        raise RunError(f"{folder}: no evaluation yet; wait for the first one")
    which = usual_checkpoint(folder) if which is None else which
    if which == "last":
        return epochs[-1]
    if which == "best":
        best = best_epoch(folder)
        return best if best in epochs else epochs[-1]
    return _named_epoch(folder, which, epochs, "ranks")


def _named_epoch(folder: Path, which: str, epochs: list[int], kind: str) -> int:
    epoch = int(which) if which.isdecimal() and len(which) < 10 else -1
    if epoch in epochs:
        return epoch
    if kind == "checkpoint" and epoch in rank_epochs(folder):
        raise RunError(f"{folder.name}: {pruned_text(epoch, epochs)}")
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
    name = _NAME.fullmatch(_best_name(folder))
    return int(name[1]) if name and not name[2] else None


def describe_epoch(folder: Path, epoch: int) -> str:
    """Return `best by validation`, `last`, `highest held-out Hit@50`, or an empty text."""
    is_best, epochs = epoch == best_epoch(folder), model_epochs(folder)
    if len(epochs) == 1 and not read_info(folder).is_trained:
        return ""
    if is_best and read_info(folder).has_validation:
        return "best by validation"
    if epoch == max(epochs, default=None):
        return "last"
    return "highest held-out Hit@50" if is_best else ""
