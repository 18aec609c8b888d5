"""The left panel of the train screen: metrics, settings, data, protocol and host."""

import time
from collections.abc import Mapping
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from neumf_tui.runs.events import METRIC_NAMES, RunInfo
from neumf_tui.runs.protocol import is_optimistic, protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.settings import DESCRIPTIONS, is_in_use
from neumf_tui.text import clean, counted
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.head_text import WARNING
from neumf_tui.views.protocol_facts import protocol_facts


class Overview(VerticalScroll):
    """The panel, which is drawn only while it is seen."""

    def __init__(self, info: RunInfo) -> None:
        super().__init__(id="overview")
        self._info, self._snapshot = info, Snapshot()
        self._drawn: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="overview-text")

    def show(self, snapshot: Snapshot) -> None:
        """Show the state of the run."""
        self._snapshot = snapshot
        self._draw()

    def on_show(self) -> None:
        self._draw()

    def _draw(self) -> None:
        if self.display and self._drawn is not self._snapshot:
            self._drawn = self._snapshot
            text, panel = overview(self._info, self._snapshot), self.query_one(Static)
            # An equal text is not drawn again: that would cost 10 ms.
            if panel.content != text:
                panel.update(text)


def overview(info: RunInfo, snapshot: Snapshot) -> Text:
    """Return metrics beside popularity's, settings, data, protocol, host and versions."""
    text = Text()
    _metrics(text, snapshot)
    _settings(text, info)
    if snapshot.planned:
        text.append(f"{'extended to':<17}{snapshot.planned} epochs\n")
    data = info.dataset
    text.append("\ndata\n", "bold")
    text.append(f"{counted(data.num_users, 'user')}  {data.num_items:,} items\n")
    text.append(f"{data.num_train:,} training pairs\n")
    _protocol(text, protocol_of(info))
    text.append("\nhost\n", "bold")
    created = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created))
    text.append(f"{clean(info.host)}\nstarted {created}\n")
    versions = info.versions | (snapshot.started.versions if snapshot.started else {})
    text.append("  ".join(f"{clean(name)} {clean(version)}" for name, version in versions.items()))
    return text


def _metrics(text: Text, snapshot: Snapshot) -> None:
    found, started = snapshot.reported, snapshot.started
    if found is None or started is None:
        return
    valid = found.validation
    text.append(f"epoch {found.epoch}, {'best by validation' if valid else 'the last'}\n", "bold")
    popular = started.popularity
    others = f"{'valid.':>8}" if valid else " "
    others += f"{'popular':>8}" if popular else ""
    text.append(f"{'':<9}{'held out':>8}{others}\n", "dim")
    for key, title in METRIC_NAMES.items():
        text.append(f"{title:<9}")
        text.append(f"{found.metrics[key]:>8.4f}", "bold")
        text.append(f"{valid[key]:>8.4f}" if valid else " ")
        text.append(f"{popular[key]:>8.4f}\n" if popular else "\n", "dim")
    text.append(f"Hit@50 95 % {found.interval[0]:.3f} to {found.interval[1]:.3f}\n", "dim")
    if popular := started.popularity_validation:
        text.append(f"popularity on validation {popular['hit@50']:.4f}\n", "dim")
    text.append("\n")


def _settings(text: Text, info: RunInfo) -> None:
    """Append the settings that decide something, by group, and the names of the others.

    Those of a run that is not ours may mean something else: they are shown as they are.
    """
    settings = info.settings
    text.append("settings\n", "bold")
    if not info.is_trained:
        for name, value in settings.items():
            text.append(f"  {clean(name):<17}{clean(_value(value))}\n")
        text.append("" if settings else "  none given\n", "dim")
        return
    known = {name for group in DESCRIPTIONS.values() for name in group}
    others = [name for name in settings if name not in known]
    off: list[str] = []
    for title, names in (*DESCRIPTIONS.items(), ("others", others)):
        given = [name for name in names if name in settings]
        used = [name for name in given if is_in_use(name, settings)]
        off += [name for name in given if name not in used]
        text.append(f"{title}\n" if used else "", "dim")
        for name in used:
            style = WARNING if name == "exclude_heldout" and settings[name] else ""
            text.append(f"  {clean(name):<17}{clean(_value(settings[name]))}\n", style)
    text.append(f"off: {', '.join(map(clean, off))}\n" if off else "", "dim")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _protocol(text: Text, protocol: Mapping[str, Any]) -> None:
    text.append("\nprotocol\n", "bold")
    for name, value in protocol_facts(protocol).items():
        if name == "seed":
            continue  # it stands among the settings
        style = WARNING if name == "negatives" and is_optimistic(protocol) else ""
        text.append(f"{clean(name)}: ", "dim")
        text.append(f"{clean(value)}\n", style)
