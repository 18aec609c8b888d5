"""Why the film under the cursor stands where it does: both parts, and the GMF part factor by factor."""

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.widgets import Static

from neumf_tui.text import clean, rank_text
from neumf_tui.tui.widgets.ranking_table import side

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.why import Why

_BAR = 8


class WhyPane(Static):
    """As many factors as there are lines, the strongest first."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"why--up", "why--down", "why--muted"}
    DEFAULT_CSS = """
    WhyPane { height: 1fr; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    WhyPane > .why--up { color: $text-success; }
    WhyPane > .why--down { color: $text-error; }
    WhyPane > .why--muted { color: $text-muted; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id)
        self.why: Why | None = None
        self._dataset: Dataset | None = None

    def show(self, why: "Why", dataset: "Dataset") -> None:
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
        up = self.get_component_rich_style("why--up", partial=True)
        down = self.get_component_rich_style("why--down", partial=True)
        muted = self.get_component_rich_style("why--muted", partial=True)
        ranking = why.ranking
        titles = data.catalogue.titles
        score, gmf, mlp = ranking.centred(why.row)
        self.border_title = Text(
            f"why #{rank_text(float(ranking.ranks[why.row]))} {clean(titles[why.item])}"
        )
        text = Text.assemble(
            ("score ", muted), (f"{score:+.3f}", "bold"), (" = GMF ", muted), (f"{gmf:+.3f}", up if gmf >= 0 else down),
            (" + MLP ", muted), (f"{mlp:+.3f}", up if mlp >= 0 else down), ("  above this user's mean", muted),
        )  # fmt: skip
        room = max(1, self.size.height - 1)
        if why.films:
            self._by_film(text, why, data, room)
            self.update(text, layout=False)
            return
        longest = max((abs(factor.effect) for factor in why.factors), default=0.0) or 1.0
        for factor in why.factors[:room]:
            style = up if factor.effect >= 0 else down
            text.append(f"\nGMF {factor.number:>2} ", muted)
            text.append(f"{factor.effect:+7.3f} ", style)
            text.append(f"{side(factor.effect / longest, _BAR):<{_BAR}} ", style)
            text.append(
                " · ".join(clean(titles[item]) for item, _ in factor.carriers)
                or "no film of the history pulls that way"
            )
        if len(why.factors) < room:
            text.append(
                "\nby each factor the films of the history that carry it; the MLP is one number",
                muted,
            )
        self.update(text, layout=False)

    def _by_film(self, text: Text, why: "Why", data: "Dataset", room: int) -> None:
        """One line a film of the history: what it adds to the GMF part."""
        up = self.get_component_rich_style("why--up", partial=True)
        down = self.get_component_rich_style("why--down", partial=True)
        muted = self.get_component_rich_style("why--muted", partial=True)
        films = [(clean(data.catalogue.titles[item]), effect) for item, effect in why.films]
        shares = sorted(
            [("(what is this person's own)", why.own), *films], key=lambda share: -abs(share[1])
        )
        longest = abs(shares[0][1]) or 1.0
        for title, effect in shares[:room]:
            style = up if effect >= 0 else down
            text.append("\nGMF ", muted)
            text.append(f"{effect:+7.3f} ", style)
            text.append(f"{side(effect / longest, _BAR):<{_BAR}} ", style)
            text.append(title)
        if len(shares) < room:
            text.append("\nthese add up to the GMF part, exactly; the MLP is one number", muted)
