"""Filter runs by words and comparisons such as `learning_rate>=0.001`."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
    "=": operator.eq,
}  # fmt: skip
_COMPARISON = re.compile(r"([\w@.-]+?)(>=|<=|!=|>|<|=)(.+)")
_SEARCHED = ("run", "kind", "model", "state", "dataset", "split", "preset", "device")
_ABBREVIATIONS = {
    "best": "best_hit@50", "valid": "best_validation_hit@50", "hit": "hit@50",
    "lr": "learning_rate",
}  # fmt: skip


def matches(query: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Return whether every part of `query` holds for the run; `-` before a part negates it.

    A word must occur in the run's name, kind, model, state, dataset, split, preset or device.
    `key>=value` compares a setting or a value of `neumf-tui status --json`; it is false for a run
    without that value.
    """
    return all(_holds(part, facts, settings) for part in query.casefold().split())


def _holds(part: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    if part.startswith("-") and len(part) > 1:
        return not _holds(part[1:], facts, settings)
    if not (match := _COMPARISON.fullmatch(part)):
        words = [str(facts[key]).casefold() for key in _SEARCHED]
        return any(part in word for word in (*words, "simulated" if facts.get("simulated") else ""))
    name, symbol, wanted = match.groups()
    name = _ABBREVIATIONS.get(name, name)
    value = settings[name] if name in settings else facts.get(name)
    if value is None:
        return False
    try:
        return _OPERATORS[symbol](float(value), float(wanted))
    except (TypeError, ValueError):
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        return _OPERATORS[symbol](text.casefold(), wanted)


def unknown_fields(query: str, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names that `query` compares and none of `runs` has."""
    found = [_COMPARISON.fullmatch(part.removeprefix("-")) for part in query.casefold().split()]
    names = [_ABBREVIATIONS.get(match[1], match[1]) for match in found if match]
    return [name for name in names if not any(name in run for run in runs)]
