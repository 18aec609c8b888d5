"""What a search may try: settings, and for each a range or choices; a TOML file."""

import difflib
import tomllib
import typing
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from neumf_tui.errors import UsageError
from neumf_tui.settings import HAS_NO_EFFECT, Settings, check, has_no_effect

if TYPE_CHECKING:
    import optuna

_NEVER = {
    "validation": "the search goes by it",
    "exclude_heldout": "it leaks, so that what is found would be what leaks most",
    "seed": "the luckiest seed is no better model",
    "eval_every": "trials are compared epoch by epoch",
    "device": "it changes no outcome",
    "threads": "it changes no outcome",
}
"""Settings that cannot be searched, and why."""
_KINDS = typing.get_type_hints(Settings)
_DIGITS = 3
"""Significant digits of what is drawn from a range of real numbers: more would suggest that they mattered."""


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From `low` to `high`, both of them possible."""

    low: int | float
    high: int | float
    log: bool = False
    """Drawn so that equal ratios are equally likely."""


Choices = tuple[Any, ...]
Space = dict[str, Range | Choices]


def read_space(file: Path | None, base: Settings) -> Space:
    """The space in `file`; None: the built-in one, widened to hold the values of `base`. Raises UsageError."""
    if file is None:
        text = (resources.files("neumf_tui") / "search" / "space.toml").read_text("utf-8")
        return {
            name: _widened(entry, start(name, base))
            for name, entry in _parse(tomllib.loads(text), base, "").items()
        }
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--space {file}: not TOML: {error}; mend that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--space {file}: cannot be read ({error}); name a TOML file of ranges and choices"
        ) from error
    return _parse(table, base, f"--space {file}: ")


def narrowed(space: Space, given: Iterable[str], base: Settings) -> Space:
    """The space without the settings that are `given`, and without those that do nothing beside them. Raises UsageError."""
    fixed = set(given)
    left = {name: entry for name, entry in space.items() if name not in fixed}
    for name, (parent, off) in HAS_NO_EFFECT.items():
        if parent not in left and getattr(base, parent) == off:
            left.pop(name, None)
    if not left:
        raise UsageError(
            "nothing is left to search: every setting of the space is given; leave out a flag"
        )
    return left


def start(name: str, base: Settings) -> Any:
    """The value that setting `name` has in `base`, as the space writes it."""
    value = getattr(base, name)
    return base.weight_decay if name == "embedding_weight_decay" and value is None else value


def start_params(space: Space, base: Settings) -> dict[str, Any]:
    """The trial that is `base` itself, for Optuna, as far as the space holds its values."""
    values = {name: start(name, base) for name in space}
    return {name: _encoded(value) for name, value in values.items() if _holds(space[name], value)}


def is_base(searched: Mapping[str, Any], base: Settings) -> bool:
    """Whether a trial with these values is `base` itself."""
    return all(_encoded(value) == _encoded(start(name, base)) for name, value in searched.items())


def suggest(trial: "optuna.Trial", space: Space, base: Settings) -> Settings:
    """Settings for a trial: those of the space drawn, others as in `base`. Raises UsageError where they do not go together."""
    values = msgspec.to_builtins(base)
    for name in sorted(
        space, key=lambda name: name in HAS_NO_EFFECT
    ):  # first what decides whether others do anything
        if not has_no_effect(name, values):
            values |= decoded({name: _drawn(trial, name, space[name])}, space, base)
    return check(values)


def _drawn(trial: "optuna.Trial", name: str, entry: Range | Choices) -> Any:
    if isinstance(entry, tuple):
        return trial.suggest_categorical(name, [_encoded(value) for value in entry])
    if _KINDS[name] is int:
        return trial.suggest_int(name, int(entry.low), int(entry.high), log=entry.log)
    return trial.suggest_float(name, float(entry.low), float(entry.high), log=entry.log)


def decoded(params: Mapping[str, Any], space: Space, base: Settings) -> dict[str, Any]:
    """Values of settings, plain, from what Optuna holds of a trial; real numbers from a range are rounded."""
    return {
        name: _decoded(params[name], entry, start(name, base))
        for name, entry in space.items()
        if name in params
    }


def _decoded(value: Any, entry: Range | Choices, begin: Any) -> Any:
    if isinstance(entry, tuple):
        return next((plain(choice) for choice in entry if _encoded(choice) == value), value)
    if isinstance(value, float) and value != begin:
        return min(max(float(f"{value:.{_DIGITS}g}"), entry.low), entry.high)
    return value


def plain(value: Any) -> Any:
    """A setting's value as JSON and TOML have it."""
    return list(value) if isinstance(value, tuple) else value


def shown(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _encoded(value: Any) -> Any:
    """Optuna keeps numbers, truth values and texts."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def _holds(entry: Range | Choices, value: Any) -> bool:
    return value in entry if isinstance(entry, tuple) else bool(entry.low <= value <= entry.high)


def _widened(entry: Range | Choices, value: Any) -> Range | Choices:
    if isinstance(entry, tuple):
        return entry if value in entry else (*entry, value)
    return msgspec.structs.replace(entry, low=min(entry.low, value), high=max(entry.high, value))


def _parse(table: dict[str, Any], base: Settings, where: str) -> Space:
    if not table:
        raise UsageError(
            f"{where}nothing to search; a line is such as: dropout = {{ low = 0.0, high = 0.6 }}"
        )
    return {name: _entry(name, value, base, where) for name, value in table.items()}


def _entry(name: str, value: Any, base: Settings, where: str) -> Range | Choices:
    if name not in _KINDS:
        near = difflib.get_close_matches(name, _KINDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "`neumf-tui tune --help` lists all"
        raise UsageError(f"{where}unknown setting {name!r}; {hint}")
    if name in _NEVER:
        raise UsageError(
            f"{where}{name} cannot be searched: {_NEVER[name]}; leave it out, or fix it with a flag"
        )
    if isinstance(value, list) and value:
        return tuple(dict.fromkeys(_possible(name, choice, base, where) for choice in value))
    if not isinstance(value, dict) or _KINDS[name] not in (int, float, float | None):
        form = (
            "a list of choices, or { low = …, high = … }"
            if _KINDS[name] in (int, float, float | None)
            else "a list of choices"
        )
        raise UsageError(f"{where}{name} = {value!r}: expected {form}")
    try:
        entry = msgspec.convert(value, Range)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{where}{name}: {str(error).lower()}; expected {{ low = …, high = …, log = true or false }}"
        ) from error
    low, high = (_possible(name, end, base, where) for end in (entry.low, entry.high))
    if low >= high:
        raise UsageError(
            f"{where}{name}: low {low} is not below high {high}; a single value is fixed with its flag"
        )
    if entry.log and low <= 0:
        raise UsageError(
            f"{where}{name}: a logarithmic range cannot begin at {low}; give a low above 0, or choices"
        )
    return Range(low=low, high=high, log=entry.log)


def _possible(name: str, value: Any, base: Settings, where: str) -> Any:
    """`value` as the setting has it."""
    try:
        return getattr(msgspec.convert(msgspec.to_builtins(base) | {name: value}, Settings), name)
    except msgspec.ValidationError as error:
        problem = str(error).partition(" - at `$.")[0]
        raise UsageError(
            f"{where}{name} = {value!r}: {problem[0].lower() + problem[1:]}; give another"
        ) from error
