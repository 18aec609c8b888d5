"""The settings of a training run: what each means, and the sources they come from."""

import difflib
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from neumf_tui.errors import UsageError

DEFAULT_PRESET = "tuned"

Positive = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
AtLeastZero = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings that decide a run's outcome; `DESCRIPTIONS` says what each means.

    A flag overrides the file of `--config`, which overrides the preset. Defaults leave features
    off.
    """

    embedding_size: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    mlp_layers: Annotated[tuple[Positive, ...], msgspec.Meta(min_length=1)]
    batch_size: Positive
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    weight_decay: AtLeastZero
    epochs: Positive
    negatives: Positive
    eval_every: Positive
    exclude_heldout: bool
    model: Literal["neumf", "gmf", "mlp"] = "neumf"
    scaled_init: bool = False
    history: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    history_decay: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 5.0
    history_floor: AtLeastZero = 0.05
    loss: Literal["bpr", "bce", "softmax"] = "bpr"
    sampler: Literal["uniform", "popularity"] = "uniform"
    sampler_power: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.75
    shared_negatives: bool = False
    hard_negatives: Positive = 1
    dropout: Share = 0.0
    mlp_dropout: Share = 0.0
    embedding_weight_decay: AtLeastZero | None = None
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    clip: AtLeastZero = 0.0
    recency: AtLeastZero = 0.0
    pretrain: Count = 0
    alpha: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    validation: bool = False
    early_stop: Count = 0
    keep: Count = 100
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    device: Annotated[str, msgspec.Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    processes: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 1


DESCRIPTIONS = {
    "network": {
        "model": "Train both paths, or one alone; the other path then adds 0 to every score.",
        "embedding_size": "Factors of each embedding table (user and item, GMF and MLP).",
        "mlp_layers": "Widths of the MLP's hidden layers, such as 32,16,8; ReLU follows each.",
        "scaled_init": (
            "Start with weights scaled by the layers' input sizes and with GMF as a plain inner "
            "product; otherwise all weights are drawn from N(0, 0.01²)."
        ),
        "history": "Latest history items whose vectors are added to the user's; 0 for none.",
        "history_decay": "Decay D of a history item's weight exp(-place/D) + F (place 0: latest).",
        "history_floor": "Floor F of that weight: the least that an old item counts.",
        "dropout": "Share of the entries of user vectors set to 0 in a training step.",
        "mlp_dropout": "Share of the MLP's hidden units set to 0 in a training step.",
    },
    "learning": {
        "loss": "Loss: pairwise (bpr), binary cross-entropy (bce) or sampled softmax.",
        "epochs": "Passes over the training pairs, including pre-training.",
        "pretrain": "Epochs at the start in which GMF and MLP learn separately (He et al. 2017).",
        "alpha": "How the pre-trained models are fused: alpha·GMF + (1 - alpha)·MLP.",
        "batch_size": "Training pairs per step. Losses are summed, so this scales the gradient.",
        "learning_rate": "Learning rate (Adam).",
        "schedule": "How the learning rate falls to 0 over all planned steps.",
        "weight_decay": "L2 penalty in Adam; relative to the summed loss it depends on batch size.",
        "embedding_weight_decay": "L2 penalty of embedding tables. [default: as --weight-decay]",
        "clip": "Largest norm of a step's gradient; 0 for no limit.",
        "recency": (
            "Draw training pairs with weight exp(-place/RECENCY) + 0.1, place 0 the user's "
            "latest; 0 to use each pair once."
        ),
    },
    "negatives": {
        "negatives": "Negatives for each training pair.",
        "sampler": "Sample negatives uniformly or by popularity.",
        "sampler_power": "Power of popularity: 0 uniform, 1 proportional (Mikolov 2013: 0.75).",
        "shared_negatives": "Draw one set of negatives for a whole batch.",
        "hard_negatives": "Keep the best scored of this many negatives (Zhang et al. 2013).",
        "exclude_heldout": (
            "Never draw held-out items as negatives. This leaks: Hit@50 becomes optimistic. "
            "Preset d2l does it."
        ),
    },
    "choice": {
        "eval_every": "Epochs between evaluations, each of which writes a checkpoint.",
        "keep": (
            "Checkpoints that stay on disk, spread over all evaluations, besides the newest and "
            "the best. [default: 100; of the trials of tune: 0]"
        ),
        "validation": (
            "Choose the best epoch by an item of each user that is kept apart: the second latest, "
            "or as --split says."
        ),
        "early_stop": "Stop after this many evaluations without a better validation; 0 for never.",
    },
    "machine": {
        "seed": "Seed of every random draw; the same seed gives the same weights on a CPU.",
        "device": "auto, cpu, cuda, cuda:N or mps; auto takes CUDA, then MPS, then the CPU.",
        "threads": (
            "CPU threads of each process; 0 for one per core, but a single one for the gradient "
            "of a small batch, which is fastest."
        ),
        "processes": (
            "Processes that train together, each with its share of the users; on CUDA one GPU each."
        ),
    },
}
"""What each setting means, by group, in the order in which people read them."""
HAS_NO_EFFECT: dict[str, tuple[str, Any]] = {
    "history_decay": ("history", 0),
    "history_floor": ("history", 0),
    "sampler_power": ("sampler", "uniform"),
    "alpha": ("pretrain", 0),
    "mlp_layers": ("model", "gmf"),
    "mlp_dropout": ("model", "gmf"),
}
"""Settings that change nothing while another setting has the given value."""
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}
_CHOICES = frozenset(
    {"model", "loss", "schedule", "sampler", "exclude_heldout", "validation", "keep"}
    | {"history_decay", "history_floor", "sampler_power", "alpha", *DESCRIPTIONS["machine"]}
)
"""Settings whose default is a choice too, and not a feature turned off."""


def has_no_effect(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether another of the settings makes the setting `name` irrelevant."""
    other, value = HAS_NO_EFFECT.get(name, ("", None))
    return bool(other) and settings.get(other, _DEFAULTS[other]) == value


def is_in_use(name: str, settings: Mapping[str, Any]) -> bool:
    """Return whether a setting decides anything in a run; unknown settings (newer runs) do."""
    if has_no_effect(name, settings):
        return False
    return name in _CHOICES or name not in _DEFAULTS or bool(settings[name] != _DEFAULTS[name])


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def preset_names() -> list[str]:
    names = (entry.name for entry in (resources.files("neumf_tui") / "presets").iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def make_settings(preset: str, changes: dict[str, Any], file: Path | None = None) -> Settings:
    """Return the settings of a preset, changed by the TOML `file` and then by `changes`.

    A change of None is ignored. Raises UsageError for an unknown preset, and for a setting that is
    unknown or has an invalid value; for a setting in `file` the error names its line.
    """
    if preset not in preset_names():
        raise UsageError(
            f"unknown preset {preset!r}: expected one of {', '.join(preset_names())}; "
            "use --config for a file"
        )
    text = (resources.files("neumf_tui") / "presets" / f"{preset}.toml").read_text("utf-8")
    values = _from_toml(text)
    if file is not None:
        values |= _read_file(file, values)
    try:
        return check(values | {key: value for key, value in changes.items() if value is not None})
    except UsageError as error:
        if file is None:
            raise
        raise UsageError(f"{error} (settings: --config {file})") from error


def _read_file(path: Path, base: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in `path`; each must be valid together with those of `base`."""
    text, values = read_toml(path, f"--config {path}", "name a TOML file of settings")
    for name, value in values.items():
        where = f"--config {path}, line {line_of(text, name)}: "
        if name not in Settings.__struct_fields__:
            hint = did_you_mean(
                name, Settings.__struct_fields__, "`neumf-tui train --help` lists all"
            )
            raise UsageError(f"{where}unknown setting {name!r}; {hint}")
        check_value(name, value, base, where)
    return values


def read_toml(path: Path, where: str, advice: str) -> tuple[str, dict[str, Any]]:
    """Return the text and the values of a TOML file; errors start with `where`.

    `advice` says what to do if the file cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # editors on Windows write the mark
        return text, _from_toml(text)
    except UnicodeDecodeError as error:
        raise UsageError(f"{where}: not UTF-8; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # tomllib's own, too many digits, or brackets
        raise UsageError(f"{where}: not valid TOML: {error}; fix that line") from error
    except OSError as error:
        raise UsageError(f"{where}: cannot be read ({error.strerror}); {advice}") from error


def _from_toml(text: str) -> dict[str, Any]:
    import tomllib  # only here: most who open a screen have no file, and would wait for it

    return tomllib.loads(text)


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint at the known name that is nearest to `name`; `otherwise` where none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else otherwise


def problem_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Return what is wrong, and the name of the setting, which is empty if it is not known."""
    problem, _, where = str(error).partition(" - at `$.")
    return problem[0].lower() + problem[1:], where.rstrip("`").split("[")[0]


def check_value(name: str, value: Any, base: dict[str, Any], where: str) -> Any:
    """Return `value` as setting `name` has it beside those of `base`; else raise UsageError."""
    try:
        return getattr(msgspec.convert(base | {name: value}, Settings), name)
    except msgspec.ValidationError as error:
        problem, _ = problem_of(error)
        text = f"{where}{name} = {value!r}: {problem}; give another value"
        raise UsageError(text) from error


def line_of(text: str, name: str) -> int:
    """Return the number of the line, from 1, that sets `name` in a TOML text."""
    set_here = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}\b")
    return next(
        (number for number, line in enumerate(text.splitlines(), 1) if set_here.match(line)), 1
    )


def check(values: dict[str, Any]) -> Settings:
    """Return `values` as settings; raises UsageError with the flag of the first invalid one."""
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        problem, name = problem_of(error)
        if not name:  # an unknown setting, or a missing one
            hint = "`neumf-tui train --help` lists them all"
            raise UsageError(f"settings: {problem}; {hint}") from error
        text = f"{flag_of(name)} {values.get(name)}: {problem}; give another value"
        raise UsageError(text) from error
    if settings.early_stop and not settings.validation:
        raise UsageError("--early-stop needs validation items: add --validation, or leave it out")
    if settings.processes > 1 and settings.device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {settings.device} with --processes {settings.processes}: "
            "expected auto, cpu or cuda"
        )
    if settings.pretrain >= settings.epochs:
        raise UsageError(
            f"--pretrain {settings.pretrain}: must be less than --epochs {settings.epochs}, "
            "which includes it; give more --epochs"
        )
    if settings.pretrain and settings.model != "neumf":
        raise UsageError(
            f"--pretrain needs --model neumf: {settings.model} has one path, so nothing to fuse"
        )
    return settings
