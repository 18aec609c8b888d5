"""Lines that are JSON objects, as fields of text."""

import json
from collections.abc import Sequence
from typing import Any


def object_in(line: str) -> dict[str, Any]:
    """Return the object in a line; raise ValueError, with a reason, if it is none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError('is not a JSON object such as {"user": 1, "item": 2}')
    return found


def fields_of(line: str, header: Sequence[str]) -> list[str]:
    """Return the values of these names as text, `[]` if there is no object in the line."""
    try:
        found = object_in(line)
    except ValueError:
        return []
    return [text_of(found.get(name)) for name in header]


def names_in(line: str) -> list[str]:
    """Return the names in the object in a line, none if there is no object."""
    try:
        return list(object_in(line))
    except ValueError:
        return []


def text_of(value: object) -> str:
    """Return a value as text; null and what is missing are empty.

    Half a letter (a surrogate alone), which is no text, becomes a question mark.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value)
