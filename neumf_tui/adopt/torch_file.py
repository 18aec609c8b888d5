"""Read files of PyTorch, as data and never otherwise: the only module here that needs torch."""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neumf_tui import files
from neumf_tui.adopt.contents import Arrays, Contents, WeightsError, check_room

if TYPE_CHECKING:
    from torch import Tensor

_CONTAINERS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params",
)  # fmt: skip
"""Keys under which people save a state_dict beside an optimiser's state and settings."""
_SAVE = "save its numbers alone: torch.save(model.state_dict(), 'model.pt')"
_REMEMBER = "nothing of the file was run"


def read_torch(path: Path, stem: str) -> Contents:
    """Return the tensors of a file by `torch.save`; one without a name is called `stem`.

    Raises WeightsError, also where it holds anything that would have to be run.
    """
    try:
        import torch
    except ImportError as error:
        raise WeightsError(
            f"{path}: PyTorch is needed to read this and is not installed here; install it, or "
            "save the weights as .safetensors or .npz"
        ) from error
    size = path.stat().st_size
    _check_archive(path, size)
    check_room(path, size)
    try:
        with files.open_given(path) as file, warnings.catch_warnings(action="ignore"):
            loaded: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no common error
        # Not torch's own message: it explains how to run what the file holds.
        raise WeightsError(f"{path}: {_why(error)}; {_SAVE}") from error
    arrays: Arrays = {}
    for name, tensor in _tensors(loaded, stem).items():
        # A stride of 0 repeats one number as often as the file likes.
        if tensor.numel() * tensor.element_size() > size:
            raise WeightsError(f"{path}: {name} is larger than the file; save a .contiguous() copy")
        if tensor.dtype in (torch.float16, torch.bfloat16):
            tensor = tensor.float()
        try:
            arrays[name] = tensor.detach().contiguous().numpy()
        except (RuntimeError, TypeError) as error:
            kind = f"{tensor.layout}, {tensor.dtype}"
            raise WeightsError(f"{path}: {name} is not an array of numbers ({kind})") from error
    if not arrays:
        raise WeightsError(f"{path}: holds no tensors; {_SAVE}")
    return Contents(str(path), arrays)


def _check_archive(path: Path, size: int) -> None:
    """Raise WeightsError unless the file is an uncompressed zip, as torch.save writes it."""
    try:
        with files.open_given(path) as file, zipfile.ZipFile(file) as zipped:
            members = zipped.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsError(
            f"{path}: not a whole file of torch.save, or one of PyTorch before 1.6; {_SAVE}"
        ) from error
    if any(member.compress_type != zipfile.ZIP_STORED for member in members) or (
        sum(member.file_size for member in members) > size
    ):
        raise WeightsError(f"{path}: compressed, as no file of torch.save is; {_SAVE}")


def _why(error: Exception) -> str:
    text = str(error)
    if named := re.search(r"GLOBAL ([\w.]{1,80}) (?:was not|whose)", text):
        return f"holds a Python object ({named[1]}), and such are never run; {_REMEMBER}"
    if "weights_only" in text or "WeightsUnpickler" in text or "Unsupported" in text:
        return f"holds more than numbers; {_REMEMBER}"
    return f"damaged, or not a file of torch.save ({type(error).__name__})"


def _tensors(loaded: Any, stem: str) -> "dict[str, Tensor]":
    """Return the tensors of a state_dict, or of the one in a container, by name."""
    import torch

    if isinstance(loaded, torch.Tensor):
        return {stem: loaded}
    if not isinstance(loaded, Mapping):
        return {}
    inner = [loaded[key] for key in _CONTAINERS if isinstance(loaded.get(key), Mapping)]
    return {
        str(name): value
        for name, value in (inner[0] if inner else loaded).items()
        if isinstance(value, torch.Tensor)
    }
