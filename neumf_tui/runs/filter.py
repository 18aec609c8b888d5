"""Which runs a filter keeps: words, and comparisons of settings and figures such as `learning_rate>=0.001`."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, ">": operator.gt, "<": operator.lt, "=": operator.eq,
}  # fmt: skip
_COMPARISON = re.compile(r"([\w@.-]+?)(>=|<=|!=|>|<|=)(.+)")
_WORDS = ("run", "state", "dataset", "preset", "device")
_SHORT = {
    "best": "best_hit@50",
    "valid": "best_validation_hit@50",
    "hit": "hit@50",
    "lr": "learning_rate",
}


def matches(query: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Whether a run is kept: each part of `query` must hold; `-` before a part turns it around.

    A word must be in the run's name, state, dataset, preset or device. `key>=value` compares a setting or a figure of
    `neumf-tui status --json`; a run without the figure is not kept.
    """
    return all(_holds(part, facts, settings) for part in query.casefold().split())


def _holds(part: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    if part.startswith("-") and len(part) > 1:
        return not _holds(part[1:], facts, settings)
    if not (match := _COMPARISON.fullmatch(part)):
        return any(part in str(facts[key]).casefold() for key in _WORDS)
    name, symbol, wanted = match.groups()
    name = _SHORT.get(name, name)
    value = settings[name] if name in settings else facts.get(name)
    if value is None:
        return False
    try:
        return _OPERATORS[symbol](float(value), float(wanted))
    except (TypeError, ValueError):
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        return _OPERATORS[symbol](text.casefold(), wanted)


def unknown_fields(query: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names compared in `query` that no run has; each of `runs` maps settings and figures to values."""
    found = [_COMPARISON.fullmatch(part.removeprefix("-")) for part in query.casefold().split()]
    names = [_SHORT.get(match[1], match[1]) for match in found if match]
    return [name for name in names if not any(name in run for run in runs)]
