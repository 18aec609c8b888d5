"""A flag for every setting, shared by the commands that train."""

import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from neumf_tui.errors import UsageError
from neumf_tui.settings import Settings, flag_of

_HELP = {
    "embedding_size": "Factors of each embedding table.",
    "mlp_layers": "Widths of the MLP's layers, such as 32,16,8.",
    "batch_size": "Training pairs a step.",
    "learning_rate": "Adam's step size.",
    "weight_decay": "L2 penalty in Adam.",
    "epochs": "Passes over the training pairs.",
    "negatives": "Negatives for each training pair.",
    "eval_every": "Epochs between evaluations and checkpoints.",
    "exclude_heldout": "Keep held-out items out of the negatives. Leaks: it flatters Hit@50; d2l does it.",
    "model": "Both paths, or one alone.",
    "scaled_init": "Begin with layers of the size of their inputs; else all weights are N(0, 0.01²).",
    "history": "Latest items of the history whose vectors are added to the user's; 0 for none.",
    "history_decay": "Places after which an item of the history weighs 1/e.",
    "history_floor": "Weight that is added to each of them, however old.",
    "loss": "Pairwise (BPR), binary cross-entropy, or sampled softmax.",
    "sampler": "Draw negatives alike, or by popularity.",
    "sampler_power": "Power of the popularity that they are drawn by.",
    "shared_negatives": "One set of negatives for a whole batch.",
    "hard_negatives": "Of so many drawn, the best scored becomes the negative.",
    "dropout": "Share of the entries of users' vectors set to 0 in a step.",
    "mlp_dropout": "Share of the MLP's hidden units set to 0 in a step.",
    "embedding_weight_decay": "L2 penalty of the embedding tables. [default: as --weight-decay]",
    "schedule": "How the learning rate falls over the planned epochs.",
    "clip": "Largest norm of a step's gradient; 0 for any.",
    "recency": "Draw training pairs by recency, exp(-place/RECENCY); 0 for each once.",
    "pretrain": "Epochs at first in which GMF and MLP learn apart.",
    "alpha": "Fusion after them: alpha·GMF + (1 - alpha)·MLP.",
    "validation": "Keep the second latest interaction for choosing the best epoch.",
    "early_stop": "End after so many evaluations without a better validation Hit@50; 0 for never.",
    "seed": "Start of every random draw.",
    "device": "auto, cpu, cuda, cuda:N or mps.",
    "threads": "CPU threads of a process; 0 for one a core, and one alone for the gradient of a small batch.",
    "processes": "Processes that train together, each with its share of the users; on CUDA a GPU each.",
}


def settings_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with a flag for every setting in place of its keyword argument `changes`, which gets those that were given."""
    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "changes"]
    flags = [_flag(name) for name in Settings.__struct_fields__]

    def wrapped(**values: Any) -> None:
        given = {name: values.pop(name) for name in Settings.__struct_fields__}
        given["mlp_layers"] = _layers(given["mlp_layers"])
        command(
            **values, changes={name: value for name, value in given.items() if value is not None}
        )

    # Typer reads both of these.
    wrapped.__signature__ = signature.replace(parameters=own + flags)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in own + flags}
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    return wrapped


def _flag(name: str) -> inspect.Parameter:
    kinds = typing.get_type_hints(Settings)[name]
    kind: Any = {"mlp_layers": str, "embedding_weight_decay": float}.get(name, kinds)
    flag = f"{flag_of(name)}/--no-{name.replace('_', '-')}" if kind is bool else flag_of(name)
    option = typer.Option(flag, help=_HELP[name], rich_help_panel="Settings", show_default=False)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--mlp-layers {text}: expected widths separated by commas, such as 32,16,8"
        ) from None
