"""Alarms of a run as text."""

from collections.abc import Collection

from neumf_tui.runs.events import Alarm

SIGN = "!"
"""Stands before what an alarm says, and beside the state of a run that has one."""


def alarm_line(alarms: Collection[Alarm]) -> str:
    """Return the newest alarm, and how many others hold, for one line; empty without any."""
    if not alarms:
        return ""
    others = f" (and {len(alarms) - 1} more, see the log)" if len(alarms) > 1 else ""
    return f"{SIGN} {[*alarms][-1].text}{others}"
