"""What the first line of a screen says of the protocol."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from neumf_tui.runs.protocol import is_flattered, protocol_line

WARNING = "yellow"


def with_protocol(head: Text, protocol: Mapping[str, Any], width: int) -> Text:
    """`head` and, as far as `width` cells have room, the protocol."""
    room = width - 2 - head.cell_len - 2
    line = protocol_line(protocol, room)
    return head + Text(f"  {line}", WARNING if is_flattered(protocol) else "dim") if len(line) <= room else head


def marks(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Text, Text]:
    """What stands beside the names of two models where only one is flattered; else nothing."""
    if is_flattered(a) == is_flattered(b):
        return Text(), Text()
    texts = {True: Text(" flattered", WARNING), False: Text(" leak-free", "dim")}
    return texts[is_flattered(a)], texts[is_flattered(b)]
