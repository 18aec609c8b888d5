"""Why an item has its rank: the parts of its score, and what adds up to one of them."""

from typing import TYPE_CHECKING

from rich.text import Text

from neumf_tui.scorers.scorer import SCORE
from neumf_tui.text import clean, rank_text
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.fitted_text import fitting
from neumf_tui.tui.widgets.ranked_items import side
from neumf_tui.views.moves import signed
from neumf_tui.views.parts import decimals, part_name

if TYPE_CHECKING:
    from neumf_tui.data.catalogue import Catalogue
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.why import Explanation

BAR = 8
"""Width of a bar in cells."""


class WhyPane(Static):
    """As many of the strongest effects as there are lines."""

    DEFAULT_CSS = """
    WhyPane { height: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
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
        rank = rank_text(float(why.ranking.ranks[why.row]))
        self.border_title = Text(f"why #{rank} {clean(data.catalogue.titles[why.item])}")
        centred = why.ranking.centred(why.row)
        text = Text.assemble(("score ", "dim"), (signed(centred.pop(SCORE), 3), "bold"))
        for place, (part, value) in enumerate(centred.items()):
            text.append(f" {'+' if place else '='} {part_name(part)} ", "dim")
            text.append(signed(value, 3), "green" if value >= 0 else "red")
        rest = self.size.width - text.cell_len
        text.append(fitting(("  relative to the mean", "  less the mean", ""), rest), "dim")
        effects, note = _effects(why, data.catalogue)
        longest = max((abs(effect) for _, effect, _ in effects), default=0.0) or 1.0
        digits = decimals(longest)
        room = max(1, self.size.height - 1)
        for label, effect, what in effects[:room]:
            text.append(f"\n{label} ", "dim")
            bar = f"{signed(effect, digits):>7} {side(effect / longest, BAR):<{BAR}} "
            text.append(bar, "green" if effect >= 0 else "red")
            text.append(what)
        if len(effects) < room:
            text.append(f"\n{note}", "dim")
        self.update(text, layout=False)


def _effects(
    why: "Explanation", catalogue: "Catalogue"
) -> tuple[list[tuple[str, float, str]], str]:
    """Return label, effect and description of what adds up to a part, and a note on them.

    By items of the history where scores are sums over it, otherwise by factors.
    """
    titles, noun = catalogue.titles, catalogue.noun
    if not why.part:
        return [], "this model does not tell what a score comes from"
    others = [part_name(part) for part in why.ranking.parts if part != why.part]
    rest = f"; the {' and '.join(others)} part is one number" if others else ""
    name = part_name(why.part)
    if why.items:
        shares = [(clean(titles[item]), effect) for item, effect in why.items]
        if why.own:
            shares.append(("(this person's own vector)", why.own))
        shares.sort(key=lambda share: -abs(share[1]))
        lines = [(name, effect, title) for title, effect in shares]
        whole = name if why.part == SCORE else f"{name} part"
        return lines, f"these sum exactly to the {whole}{rest}"
    lines = []
    for factor in why.factors:
        carriers = " · ".join(clean(titles[item]) for item, _ in factor.carriers)
        what = carriers or f"no {noun.singular} of the history has this direction"
        lines.append((f"{name} {factor.number:>2}", factor.effect, what))
    return lines, f"per factor, the {noun.plural} of the history behind it{rest}"
