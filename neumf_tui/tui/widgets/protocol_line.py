"""The line that says what stands behind a screen's ranks: simulated data, and the protocol."""

from collections.abc import Callable, Collection, Sequence

from rich.text import Text

from neumf_tui.runs.events import Alarm, RunInfo
from neumf_tui.runs.protocol import always_hits, is_optimistic, protocol_line, protocol_of
from neumf_tui.text import clean
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.views.alarms import alarm_line


def standing_notice(runs: Sequence[RunInfo], width: int) -> tuple[str, bool]:
    """Return the notice about data and protocol, and whether the figures need caution.

    Two runs, A and B, have a line each if their protocols differ.
    """
    protocols = [protocol_of(info) for info in runs]
    lines = list(dict.fromkeys(map(protocol_line, protocols)))
    names = [f"{name}: " for name in "AB"] if len(lines) > 1 else [""]
    first = runs[0].dataset
    simulated = "simulated" if first.simulated else ""
    for why in first.notices:
        # Why the demo set took the place of ml-100k, where that shortens no protocol.
        if why.startswith("demo data") and len(f"{why} · {max(lines, key=len)}") <= width:
            simulated = clean(why)
    texts = [
        name + protocol_line(protocol, width - len(name), simulated)
        for name, protocol in zip(names, protocols, strict=False)
    ]
    careful = any(always_hits(one) or is_optimistic(one) for one in protocols)
    return "\n".join(texts), first.simulated or careful


def notice_lines(
    alarms: Collection[Alarm], read_only: str, standing: Callable[[int], str], width: int
) -> str:
    """Return the lines below the charts of a run: its alarms, then what stands behind its ranks.

    `read_only` says why nothing can be changed; `standing` returns the notice for a width.
    """
    why = f"{read_only} · " if read_only else ""
    return "\n".join(filter(None, (alarm_line(alarms, width), why + standing(width - len(why)))))


class ProtocolLine(FittedText):
    """The notice in as many cells as the line has."""

    DEFAULT_CSS = """
    ProtocolLine { padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, *runs: RunInfo) -> None:
        super().__init__(id="protocol", classes="standing")
        self.show_runs(*runs)

    def show_runs(self, *runs: RunInfo) -> None:
        """Show what stands behind the ranks of these runs."""

        def layout(width: int) -> Text:
            text, careful = standing_notice(runs, width)
            return Text(text, "yellow" if careful else "dim")

        self.show(layout)
