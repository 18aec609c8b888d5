"""Print the findings of `doctor`."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence

from neumf_tui.doctor.check import Check
from neumf_tui.text import clean
from neumf_tui.views.output import print_line


def checks_json(checks: Iterable[Check]) -> list[dict[str, object]]:
    """Return the findings as `doctor --json` prints them; `mend` lists the lines of `fix`."""
    return [
        {"name": one.name, "state": one.state, "text": one.text, "mend": list(one.fix)}
        for one in checks
    ]


def print_checks(checks: Sequence[Check]) -> None:
    """Print the findings; texts are wrapped, the lines to copy are not."""
    width = max(40, shutil.get_terminal_size((100, 24)).columns)
    names = max((len(check.name) for check in checks), default=0)
    indent = " " * (len("problem") + 2 + names + 2)
    for check in checks:
        label = f"{check.state:<{len('problem')}}  {check.name:<{names}}  "
        lines = textwrap.wrap(
            clean(check.text),
            width,
            initial_indent=label,
            subsequent_indent=indent,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for line in lines or [label.rstrip()]:
            print_line(line)
        for line in check.fix:
            print_line(indent + line)
