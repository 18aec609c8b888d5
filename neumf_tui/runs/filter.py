"""Filter runs by words and comparisons such as `learning_rate>=0.001`."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from neumf_tui.settings import did_you_mean

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge, "<=": operator.le, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
    "=": operator.eq,
}  # fmt: skip
_COMPARISON = re.compile(r"([\w@.-]+?)(>=|<=|!=|>|<|=)(.+)")
_BROKEN = re.compile(r"[\w@.-]*(>=|<=|!=|>|<|=|≥|≤|≠|:).*")
"""A comparison without its name or its value, as blanks beside the sign make it, or with another
sign.
"""
_SEARCHED = ("run", "kind", "model", "state", "dataset", "split", "preset", "device")
_ABBREVIATIONS = {
    "best": "best_hit@50", "valid": "best_validation_hit@50", "hit": "hit@50",
    "lr": "learning_rate",
}  # fmt: skip
_LISTED = 5
"""Values that a message lists."""
Known = tuple[Mapping[str, Any], Mapping[str, Any]]
"""The facts and the settings of a run."""


def matches(query: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    """Return whether every part of `query` holds for the run; `-` before a part negates it.

    A word must occur in the run's name, kind, model, state, dataset, split, preset or device, or in
    the name of an alarm.
    `key>=value` compares a setting or a value of `neumf-tui status --json`; it is false for a run
    without that value.
    """
    return all(_holds(part, facts, settings) for part in query.casefold().split())


def _holds(part: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    if part.startswith("-") and len(part) > 1:
        return not _holds(part[1:], facts, settings)
    if not (match := _COMPARISON.fullmatch(part)):
        return any(part in word for word in _words(facts))
    name, symbol, wanted = match.groups()
    value = _value(name, facts, settings)
    if value is None:
        return False
    try:
        return _OPERATORS[symbol](float(value), float(wanted))
    except (TypeError, ValueError):
        return _OPERATORS[symbol](_text(value), wanted)


def _words(facts: Mapping[str, Any]) -> list[str]:
    """Return what words are searched in."""
    words = [str(facts[key]).casefold() for key in _SEARCHED]
    words += _alarms(facts)
    return [*words, "simulated"] if facts.get("simulated") else words


def _alarms(facts: Mapping[str, Any]) -> list[str]:
    """Return the names of the alarms that hold."""
    return [alarm["alarm"].casefold() for alarm in facts.get("alarms") or ()]


def _value(name: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    if name == "alarms":
        return _alarms(facts) or None
    name = _ABBREVIATIONS.get(name, name)
    return settings[name] if name in settings else facts.get(name)


def _text(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text.casefold()


def unknown_names(query: str, runs: Sequence[Known]) -> list[str]:
    """Return a message for each name in `query` that none of `runs` has, with what is near."""
    found = []
    for part in query.casefold().split():
        match = _COMPARISON.fullmatch(part.removeprefix("-"))
        if match and not any(_has(match[1], *run) for run in runs):
            known = {*_ABBREVIATIONS, *(name for run in runs for names in run for name in names)}
            otherwise = "`neumf-tui status --json` and `neumf-tui train --help` list the names"
            hint = did_you_mean(match[1], sorted(known), otherwise)
            found.append(f"no run has {match[1]!r}; {hint}")
    return found


def _has(name: str, facts: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    name = _ABBREVIATIONS.get(name, name)
    return name in settings or name in facts


def why_none(query: str, runs: Sequence[Known]) -> list[str]:
    """Return why `query` keeps none of `runs`: a line for each part that keeps none by itself."""
    if unknown := unknown_names(query, runs):
        return unknown
    parts = query.casefold().split()
    kept = {part: sum(_holds(part, *run) for run in runs) for part in parts}
    if all(kept.values()):
        counts = ", ".join(f"{part} keeps {number}" for part, number in kept.items())
        return [f"no run matches all parts: {counts} of {len(runs)}"]
    return [f"{part}: {_why(part, runs)}" for part, number in kept.items() if not number]


def _why(part: str, runs: Sequence[Known]) -> str:
    """Return why a part of a query keeps no run."""
    if part.startswith("-") and len(part) > 1:
        return "all runs match it without the -"
    if match := _COMPARISON.fullmatch(part):
        values = [value for run in runs if (value := _value(match[1], *run)) is not None]
        return _of_values(match[3], values)
    if _BROKEN.fullmatch(part):
        signs = ", ".join(_OPERATORS)
        return f"write a comparison without blanks, such as best>0.3, with one of {signs}"
    places = f"no run has it in its {', '.join(_SEARCHED[:-1])} or {_SEARCHED[-1]}"
    words = sorted({word for facts, _ in runs for text in _words(facts) for word in text.split()})
    return f"{places}; {hint}" if (hint := did_you_mean(part, words, "")) else places


def _of_values(wanted: str, values: Sequence[Any]) -> str:
    """Return what the runs have instead of `wanted`."""
    numbers = list(_numbers(values))
    if not values:
        return "no run has a value of it yet"
    if len(numbers) < len(values):
        texts = sorted({_text(value) for value in values})
        return f"runs have {', '.join(texts[:_LISTED])}{', …' * (len(texts) > _LISTED)}"
    low, high = min(numbers), max(numbers)
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    is_number = bool([*_numbers([wanted])])
    return f"runs have {span}" if is_number else f"{wanted!r} is not a number; runs have {span}"


def _numbers(values: Sequence[Any]) -> Iterator[float]:
    for value in values:
        try:
            yield float(value)
        except (TypeError, ValueError):
            continue
