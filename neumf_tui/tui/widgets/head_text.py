"""The first line of a screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.text import Text

from neumf_tui.runs.protocol import is_optimistic, protocol_line
from neumf_tui.text import clean
from neumf_tui.views.model_label import model_label

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker

WARNING = "yellow"


def head(area: str, name: str = "") -> Text:
    """Return the beginning of the line: the program, the `area` that is shown, and a name."""
    text = Text.assemble(("neumf-tui", "bold"), f" ▸ {clean(area)} ")
    return text.append(f" {clean(name)}", "bold") if name else text


def model_head(area: str, model: "Ranker") -> Text:
    """Return the whole line of a screen about one model."""
    what = clean(model_label(model.info))
    rest = f"  {clean(model.dataset.label)}  {what}  epoch {model.epoch}"
    return head(area, model.info.name).append(rest)


def with_protocol(names: Text, rest: str, protocol: Mapping[str, Any], width: int) -> Text:
    """Return `names` and `rest`, followed by the protocol if `width` cells have room for it.

    Without that room, a protocol that makes results look better is marked before the rest.
    """
    optimistic = is_optimistic(protocol)
    room = width - 2 - names.cell_len - len(rest) - 2
    line = protocol_line(protocol, room)
    if len(line) <= room:
        return names + Text(rest) + Text(f"  {line}", WARNING if optimistic else "dim")
    return names + Text("  optimistic" if optimistic else "", WARNING) + Text(rest)


def optimism_marks(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Text, Text]:
    """Return marks for two models if the protocol of only one is optimistic; else nothing."""
    if is_optimistic(a) == is_optimistic(b):
        return Text(), Text()
    texts = {True: Text(" optimistic", WARNING), False: Text(" held-out unseen", "dim")}
    return texts[is_optimistic(a)], texts[is_optimistic(b)]
