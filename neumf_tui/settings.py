"""The settings of a training run, and where they come from: presets, a file of the user's own, flags."""

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from neumf_tui.errors import UsageError

DEFAULT_PRESET = "tuned"

Positive = Annotated[int, msgspec.Meta(ge=1)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastZero = Annotated[float, msgspec.Meta(ge=0, le=1e6)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What decides a run's outcome. Order of sources: flag, file, preset, default. Defaults leave a feature off."""

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
    """Passes over the training pairs, those of pre-training included."""
    negatives: Positive
    """Negatives for each training pair."""
    eval_every: Positive
    """Epochs between evaluations (each writes a checkpoint); the last epoch is always evaluated."""
    exclude_heldout: bool
    """Keep each user's held-out item out of their negatives. This leaks: it flatters Hit@50."""
    model: Literal["neumf", "gmf", "mlp"] = "neumf"
    """Both paths, or one alone; the other's part of every score is then 0."""
    scaled_init: bool = False
    """Begin with layers of the size of their inputs and GMF's plain inner product; else all weights are N(0, 0.01²)."""
    history: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    """Items of the history, latest first, whose vectors are added to the user's; in training those before the pair. 0: none."""
    history_decay: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 5.0
    """Places after which an item of the history weighs 1/e, see `history_floor`."""
    history_floor: AtLeastZero = 0.05
    """Added to that weight, so that what lies further back still counts: exp(−place/history_decay) + history_floor."""
    loss: Literal["bpr", "bce", "softmax"] = "bpr"
    """Pairwise (Rendle et al. 2009), binary cross-entropy (He et al. 2017), or sampled softmax."""
    sampler: Literal["uniform", "popularity"] = "uniform"
    """How negatives are drawn: each item alike, or in proportion to (users who have it + 1)^`sampler_power`."""
    sampler_power: Annotated[float, msgspec.Meta(ge=0, le=10)] = 0.75
    """0 is uniform, 1 is popularity itself (0.75: Mikolov et al. 2013)."""
    shared_negatives: bool = False
    """Draw one set of negatives for a whole batch; a pair leaves out those that its user has."""
    hard_negatives: Positive = 1
    """Of so many drawn, the one that the model scores highest becomes the negative (Zhang et al. 2013); 1 takes what comes."""
    dropout: Share = 0.0
    """Share of the entries of users' vectors set to 0 in a training step, the rest scaled up to keep the mean."""
    mlp_dropout: Share = 0.0
    """The same for the MLP's hidden units."""
    embedding_weight_decay: AtLeastZero | None = None
    """`weight_decay` of the embedding tables alone; none given: the same."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the learning rate falls from its full value to 0 over all planned steps."""
    clip: AtLeastZero = 0.0
    """Largest norm of a step's whole gradient, of the summed loss; 0: any."""
    recency: AtLeastZero = 0.0
    """Training pairs are drawn by exp(−place/recency) + 0.1, place 0 the user's latest, with replacement; 0: each once."""
    pretrain: Count = 0
    """Epochs at first in which GMF and MLP learn as two models, before they are fused (He et al. 2017, section 3.4.1)."""
    alpha: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """What fusion starts from: alpha·GMF + (1 − alpha)·MLP."""
    validation: bool = False
    """Keep each user's latest training item out of the loss, and choose the best epoch by its rank."""
    early_stop: Count = 0
    """End after so many evaluations without a better validation Hit@50; 0: never."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Start of every random draw; the same seed gives the same weights on the CPU."""
    device: Annotated[str, msgspec.Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """`auto` takes CUDA if there is one, then Apple's MPS, then the CPU."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    """CPU threads of each process; 0 means one a core, and for the gradient of a small batch one alone, which serves it best."""
    processes: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 1
    """Processes that train one model together, each with its share of the users; on CUDA each has a GPU of its own."""


def flag_of(name: str) -> str:
    return "--" + name.replace("_", "-")


def preset_names() -> list[str]:
    folder = resources.files("neumf_tui") / "presets"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def make_settings(preset: str, changes: dict[str, Any], file: Path | None = None) -> Settings:
    """The preset's settings with those of the TOML `file` over them, and `changes` over both (None means: not given).

    Raises UsageError for an unknown preset, or naming the setting (in a file, also its line) that is unknown or wrong.
    """
    if preset not in preset_names():
        raise UsageError(
            f"unknown preset {preset!r}: expected one of {', '.join(preset_names())}; --config takes a file"
        )
    text = (resources.files("neumf_tui") / "presets" / f"{preset}.toml").read_text("utf-8")
    values: dict[str, Any] = tomllib.loads(text)
    if file is not None:
        values |= _read_file(file, values)
    try:
        return check(values | {key: value for key, value in changes.items() if value is not None})
    except UsageError as error:
        if file is None:
            raise
        raise UsageError(f"{error} (settings: --config {file})") from error


def _read_file(path: Path, below: dict[str, Any]) -> dict[str, Any]:
    """The settings in `path`, each seen to be possible over those of `below`."""
    try:
        text = path.read_text("utf-8")
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--config {path}: not TOML: {error}; mend that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--config {path}: cannot be read ({error}); name a TOML file of settings"
        ) from error
    for name in values:
        if name not in Settings.__struct_fields__:
            near = difflib.get_close_matches(name, Settings.__struct_fields__, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else "`neumf-tui train --help` lists all"
            raise UsageError(
                f"--config {path}, line {line_of(text, name)}: unknown setting {name!r}; {hint}"
            )
        try:
            msgspec.convert(below | {name: values[name]}, Settings)
        except msgspec.ValidationError as error:
            problem = str(error).partition(" - at `$.")[0]
            where = f"--config {path}, line {line_of(text, name)}"
            raise UsageError(
                f"{where}: {name} = {values[name]!r}: {problem[0].lower() + problem[1:]}; give another"
            ) from error
    return values


def line_of(text: str, name: str) -> int:
    """The line, from 1, on which `name` is set."""
    set_here = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}\b")
    return next(
        (number for number, line in enumerate(text.splitlines(), 1) if set_here.match(line)), 1
    )


def check(values: dict[str, Any]) -> Settings:
    """Settings of plain values; raises UsageError naming the first setting that is wrong, and its flag."""
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$.")
        problem = problem[0].lower() + problem[1:]
        if not where:  # a setting that is not known, or one that is missing
            raise UsageError(
                f"settings: {problem}; `neumf-tui train --help` lists them all"
            ) from error
        name = where.rstrip("`").split("[")[0]
        raise UsageError(
            f"{flag_of(name)} {values.get(name)}: {problem}; give another {flag_of(name)}"
        ) from error
    if settings.early_stop and not settings.validation:
        raise UsageError(
            "--early-stop goes by the validation item, and there is none: add --validation, or leave it out"
        )
    if settings.processes > 1 and settings.device not in ("auto", "cpu", "cuda"):
        raise UsageError(
            f"--device {settings.device} with --processes {settings.processes}: expected auto, cpu or cuda"
        )
    if settings.pretrain >= settings.epochs:
        raise UsageError(
            f"--pretrain {settings.pretrain}: must be less than --epochs {settings.epochs}, which include it; give more --epochs"
        )
    if settings.pretrain and settings.model != "neumf":
        raise UsageError(
            f"--pretrain goes with --model neumf: {settings.model} has one path, there is nothing to fuse"
        )
    return settings
