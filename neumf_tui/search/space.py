"""The search space: the settings to try, with a range or a list of choices for each; TOML."""

import tomllib
import typing
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from neumf_tui.errors import RunError, UsageError
from neumf_tui.settings import (
    HAS_NO_EFFECT,
    Settings,
    check,
    check_value,
    did_you_mean,
    has_no_effect,
    read_toml,
)

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_NEVER_SEARCHED = {
    "validation": "the search compares trials by the validation items",
    "exclude_heldout": "it leaks, and the search would find what leaks most",
    "seed": "a lucky seed is not a better model",
    "eval_every": "trials are compared after equal epochs",
    "device": "it does not change the result",
    "threads": "it does not change the result",
}
"""Settings that cannot be searched, and why."""
_TYPES = typing.get_type_hints(Settings)
_NUMERIC = (int, float, float | None)
_DIGITS = 3
"""Significant digits of real numbers drawn from a range: more would not matter."""


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The numbers from `low` to `high`, both included."""

    low: int | float
    high: int | float
    log: bool = False
    """Drawn so that equal ratios are equally likely."""


Choices = tuple[Any, ...]
Space = dict[str, Range | Choices]


def read_space(file: Path | None, base: Settings) -> Space:
    """Return the space in `file`; None: the built-in one, extended by the values of `base`.

    Raises UsageError naming the setting that is wrong.
    """
    if file is None:
        text = (resources.files("neumf_tui") / "search" / "space.toml").read_text("utf-8")
        space = _parse(tomllib.loads(text), msgspec.to_builtins(base), "")
        return {name: _extended(entry, base_value(name, base)) for name, entry in space.items()}
    where = f"--space {file}"
    _, table = read_toml(file, where, "name a TOML file of ranges and choices")
    return _parse(table, msgspec.to_builtins(base), f"{where}: ")


def narrow_space(space: Space, given: Iterable[str], base: Settings) -> Space:
    """Return the space without `given` settings and those that have no effect in `base`.

    Raises UsageError if nothing is left.
    """
    fixed = set(given)
    left = {name: entry for name, entry in space.items() if name not in fixed}
    for name, (other, value) in HAS_NO_EFFECT.items():
        if other not in left and getattr(base, other) == value:
            left.pop(name, None)
    if not left:
        raise UsageError("nothing is left to search: flags fix all settings of the space; omit one")
    return left


def check_space(space: Space, base: Settings) -> None:
    """Raise UsageError if `read_space` could not have returned `space`."""
    table = msgspec.json.decode(msgspec.json.encode(space))  # with lists, as TOML has them
    _parse(table, msgspec.to_builtins(check(msgspec.to_builtins(base))), "space: ")


def check_params(distributions: "Mapping[str, BaseDistribution]", space: Space) -> None:
    """Raise ValueError if a trial has parameters that are not drawn from `space`."""
    for name, found in distributions.items():
        if name not in space or found != _distribution(name, space[name]):
            raise ValueError(f"setting {name!r} of a trial is not of this space")


def base_value(name: str, base: Settings) -> Any:
    """Return the value of setting `name` in `base`, as the space writes it."""
    value = getattr(base, name)
    return base.weight_decay if name == "embedding_weight_decay" and value is None else value


def base_params(space: Space, base: Settings) -> dict[str, Any]:
    """Return Optuna's parameters of the trial with the values of `base`, if the space has them."""
    values = {name: base_value(name, base) for name in space}
    return {name: _encoded(value) for name, value in values.items() if _holds(space[name], value)}


def is_base(searched: Mapping[str, Any], base: Settings) -> bool:
    """Return whether a trial with these values has the settings `base`."""
    return all(_encoded(new) == _encoded(base_value(name, base)) for name, new in searched.items())


def suggest(trial: "optuna.Trial", space: Space, base: Settings) -> Settings:
    """Draw the settings of a trial; raise UsageError if they cannot be combined.

    Raises RunError if the study's earlier or planned trials have values of another space.
    Settings that have no effect beside the others are not drawn.
    """
    values = msgspec.to_builtins(base)
    # Last those that can have no effect, because others decide that.
    for name in sorted(space, key=lambda name: name in HAS_NO_EFFECT):
        if not has_no_effect(name, values):
            try:
                drawn = _drawn(trial, name, space[name])
            except (ValueError, TypeError) as error:
                raise RunError(
                    f"study {trial.study.study_name}: setting {name!r} of a trial is not of this "
                    f"space ({error}); choose another --study"
                ) from error
            values |= decoded({name: drawn}, space, base)
    return check(values)


def _drawn(trial: "optuna.Trial", name: str, entry: Range | Choices) -> Any:
    if isinstance(entry, tuple):
        return trial.suggest_categorical(name, [_encoded(value) for value in entry])
    if _TYPES[name] is int:
        return trial.suggest_int(name, int(entry.low), int(entry.high), log=entry.log)
    return trial.suggest_float(name, float(entry.low), float(entry.high), log=entry.log)


def _distribution(name: str, entry: Range | Choices) -> "BaseDistribution":
    """Return the distribution that `_drawn` draws from."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if isinstance(entry, tuple):
        return CategoricalDistribution([_encoded(value) for value in entry])
    if _TYPES[name] is int:
        return IntDistribution(int(entry.low), int(entry.high), log=entry.log)
    return FloatDistribution(float(entry.low), float(entry.high), log=entry.log)


def decoded(params: Mapping[str, Any], space: Space, base: Settings) -> dict[str, Any]:
    """Return plain values of settings for Optuna's parameters; real numbers are rounded."""
    return {
        name: _decoded(params[name], entry, base_value(name, base))
        for name, entry in space.items()
        if name in params
    }


def _decoded(value: Any, entry: Range | Choices, unrounded: Any) -> Any:
    if isinstance(entry, tuple):
        return next((plain(choice) for choice in entry if _encoded(choice) == value), value)
    if isinstance(value, float) and value != unrounded:
        return min(max(float(f"{value:.{_DIGITS}g}"), entry.low), entry.high)
    return value


def plain(value: Any) -> Any:
    """Return a setting's value as in JSON and TOML."""
    return list(value) if isinstance(value, tuple) else value


def value_text(value: Any) -> str:
    """Return a setting's value for people."""
    return f"{value:g}" if isinstance(value, float) else str(_encoded(value))


def _encoded(value: Any) -> Any:
    """Return a value that Optuna can store: it has no lists."""
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else value


def _holds(entry: Range | Choices, value: Any) -> bool:
    return value in entry if isinstance(entry, tuple) else bool(entry.low <= value <= entry.high)


def _extended(entry: Range | Choices, value: Any) -> Range | Choices:
    if isinstance(entry, tuple):
        return entry if value in entry else (*entry, value)
    return msgspec.structs.replace(entry, low=min(entry.low, value), high=max(entry.high, value))


def _parse(table: dict[str, Any], base: dict[str, Any], where: str) -> Space:
    if not table:
        raise UsageError(
            f"{where}nothing to search; write lines such as: dropout = {{ low = 0.0, high = 0.6 }}"
        )
    return {name: _entry(name, value, base, where) for name, value in table.items()}


def _entry(name: str, value: Any, base: dict[str, Any], where: str) -> Range | Choices:
    if name not in _TYPES:
        hint = did_you_mean(name, _TYPES, "`neumf-tui tune --help` lists all")
        raise UsageError(f"{where}unknown setting {name!r}; {hint}")
    if name in _NEVER_SEARCHED:
        raise UsageError(
            f"{where}{name} cannot be searched: {_NEVER_SEARCHED[name]}; "
            "remove it, or fix it with a flag"
        )
    if isinstance(value, list) and value:
        return tuple(dict.fromkeys(check_value(name, choice, base, where) for choice in value))
    if not isinstance(value, dict) or _TYPES[name] not in _NUMERIC:
        form = ", or { low = …, high = … }" if _TYPES[name] in _NUMERIC else ""
        raise UsageError(f"{where}{name} = {value!r}: expected a list of choices{form}")
    try:
        entry = msgspec.convert(value, Range)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{where}{name}: {str(error).lower()}; "
            "expected { low = …, high = …, log = true or false }"
        ) from error
    low, high = (check_value(name, end, base, where) for end in (entry.low, entry.high))
    if low >= high:
        raise UsageError(
            f"{where}{name}: low {low} is not below high {high}; fix a single value with its flag"
        )
    if entry.log and low <= 0:
        raise UsageError(
            f"{where}{name}: a logarithmic range cannot start at {low}; "
            "give a low above 0, or choices"
        )
    return Range(low=low, high=high, log=entry.log)
