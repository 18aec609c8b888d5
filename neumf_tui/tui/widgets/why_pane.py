"""Why an item has its rank: both parts of its score, and what adds up to the GMF part."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widgets import Static

from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.ranked_items import side

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.why import Explanation

BAR = 8
"""Width of a bar in cells."""


class WhyPane(Static):
    """As many of the strongest effects on the GMF part as there are lines."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"why--up", "why--down", "why--muted"}
    DEFAULT_CSS = """
    WhyPane { height: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    WhyPane > .why--up { color: $text-success; }
    WhyPane > .why--down { color: $text-error; }
    WhyPane > .why--muted { color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.why: Explanation | None = None
        self._dataset: Dataset | None = None

    def show(self, why: "Explanation", dataset: "Dataset") -> None:
        self.why, self._dataset = why, dataset
        self._draw()

    def clear(self) -> None:
        self.why = None
        self.update("", layout=False)
        self.border_title = "why"

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        why, data = self.why, self._dataset
        if why is None or data is None:
            return
        up, down, muted = (
            self.get_component_rich_style(f"why--{name}", partial=True)
            for name in ("up", "down", "muted")
        )
        rank = rank_text(float(why.ranking.ranks[why.row]))
        self.border_title = Text(f"why #{rank} {clean(data.catalogue.titles[why.item])}")
        score, gmf, mlp = why.ranking.centred(why.row)
        text = Text.assemble(
            ("score ", muted), (f"{score:+.3f}", "bold"),
            (" = GMF ", muted), (f"{gmf:+.3f}", up if gmf >= 0 else down),
            (" + MLP ", muted), (f"{mlp:+.3f}", up if mlp >= 0 else down),
            ("  relative to the mean", muted),
        )  # fmt: skip
        effects, note = _effects(why, data.catalogue.titles)
        longest = max((abs(effect) for _, effect, _ in effects), default=0.0) or 1.0
        room = max(1, self.size.height - 1)
        for label, effect, what in effects[:room]:
            text.append(f"\n{label} ", muted)
            bar = f"{effect:+7.3f} {side(effect / longest, BAR):<{BAR}} "
            text.append(bar, up if effect >= 0 else down)
            text.append(what)
        if len(effects) < room:
            text.append(f"\n{note}", muted)
        self.update(text, layout=False)


def _effects(why: "Explanation", titles: Sequence[str]) -> tuple[list[tuple[str, float, str]], str]:
    """Return label, effect and description of what adds up to the GMF part, and a note on them.

    By items of the history where the model makes users' vectors of them, otherwise by factors.
    """
    if why.items:
        shares = [(clean(titles[item]), effect) for item, effect in why.items]
        shares.append(("(this person's own vector)", why.own))
        shares.sort(key=lambda share: -abs(share[1]))
        lines = [("GMF", effect, title) for title, effect in shares]
        return lines, "these sum exactly to the GMF part; the MLP part is one number"
    lines = []
    for factor in why.factors:
        films = " · ".join(clean(titles[item]) for item, _ in factor.carriers)
        what = films or "no film of the history has this direction"
        lines.append((f"GMF {factor.number:>2}", factor.effect, what))
    note = "per factor, the films of the history behind it; the MLP part is one number"
    return lines, note
