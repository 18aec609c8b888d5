"""The settings of a training run and the presets that name sets of them."""

from importlib import resources
from typing import Annotated, Any

import msgspec

from neumf_tui.errors import UsageError

Positive = Annotated[int, msgspec.Meta(ge=1)]
AtLeastZero = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What decides a run's outcome. Order of sources: flag, preset, default."""

    embedding_size: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    """Factors of each of the four embedding tables (user and item, GMF and MLP)."""
    mlp_layers: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]
    """Width of each hidden layer of the MLP; ReLU follows every one."""
    batch_size: Positive
    """Training pairs a step. The loss is summed over them, so it also scales the gradient."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    """Adam's step size."""
    weight_decay: AtLeastZero
    """L2 penalty inside Adam; acts against the summed loss, so its strength depends on `batch_size`."""
    epochs: Positive
    """Passes over the training pairs."""
    negatives: Positive
    """Negatives drawn for each training pair in each epoch."""
    eval_every: Positive
    """Epochs between evaluations (each writes a checkpoint); the last epoch is always evaluated."""
    exclude_heldout: bool
    """Keep each user's held-out item out of their negatives. This leaks: it flatters Hit@50."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Start of every random draw; the same seed gives the same weights on the CPU."""
    device: Annotated[str, msgspec.Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """`auto` takes CUDA if there is one, then Apple's MPS, then the CPU."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    """CPU threads; 0 means one a core, and one alone for small batches, which it serves best."""


def preset_names() -> list[str]:
    folder = resources.files("neumf_tui") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def make_settings(preset: str, changes: dict[str, Any]) -> Settings:
    """The preset's settings with `changes` over them (None means: not given).

    Raises UsageError for an unknown preset or a value out of range, naming the setting.
    """
    if preset not in preset_names():
        raise UsageError(f"unknown preset {preset!r}: expected one of {', '.join(preset_names())}")
    text = (resources.files("neumf_tui") / "presets" / f"{preset}.toml").read_text("utf-8")
    values = msgspec.toml.decode(text.encode())
    values |= {key: value for key, value in changes.items() if value is not None}
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").split("[")[0]
        flag = "--" + name.replace("_", "-")
        raise UsageError(f"{flag} {values.get(name)}: {problem[0].lower()}{problem[1:]}; give another {flag}") from error
