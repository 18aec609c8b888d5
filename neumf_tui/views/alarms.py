"""Alarms of a run as text."""

from collections.abc import Collection

from rich.text import Text

from neumf_tui.runs.events import Alarm
from neumf_tui.text import clean

SIGN = "!"
"""Stands before what an alarm says, and beside the state of a run that has one."""


def alarm_line(alarms: Collection[Alarm], width: int) -> str:
    """Return the newest alarm, and how many others hold, in `width` cells; empty without any."""
    if not alarms:
        return ""
    others = f" (+{len(alarms) - 1})" if len(alarms) > 1 else ""
    text = Text(f"{SIGN} {clean([*alarms][-1].text)}")
    text.truncate(max(1, width - len(others)), overflow="ellipsis")
    return text.plain + others
