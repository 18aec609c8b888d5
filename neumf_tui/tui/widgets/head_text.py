"""The first line of a screen."""

from typing import TYPE_CHECKING

from rich.text import Text

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
