"""What the first line of a screen says of the protocol."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from neumf_tui.runs.protocol import is_flattered, protocol_line

WARNING = "yellow"


def with_protocol(names: Text, rest: str, protocol: Mapping[str, Any], width: int) -> Text:
    """Program and models, the `rest`, and as far as `width` cells have room the protocol; that the figures are flattered is
    said before the rest where there is none."""
    flattered = is_flattered(protocol)
    room = width - 2 - names.cell_len - len(rest) - 2
    line = protocol_line(protocol, room)
    if len(line) <= room:
        return names + Text(rest) + Text(f"  {line}", WARNING if flattered else "dim")
    return names + Text("  flattered" if flattered else "", WARNING) + Text(rest)


def marks(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Text, Text]:
    """What stands beside the names of two models where only one is flattered; else nothing."""
    if is_flattered(a) == is_flattered(b):
        return Text(), Text()
    texts = {True: Text(" flattered", WARNING), False: Text(" leak-free", "dim")}
    return texts[is_flattered(a)], texts[is_flattered(b)]
