"""What the captions of pictures say of runs and of their protocols."""

from collections.abc import Sequence

from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.protocol import protocol_line, protocol_of
from neumf_tui.views.model_label import model_label


def listed(texts: Sequence[str]) -> str:
    """Return `a`, `a and b`, or `a, b and c`."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), texts[-1])))


def named_runs(infos: Sequence[RunInfo]) -> str:
    """Return the names of runs, with their models, and their datasets."""
    runs = listed([f"{info.name} ({model_label(info)})" for info in infos])
    datasets = listed([*dict.fromkeys(info.dataset.label for info in infos)])
    return f"run{'s' * (len(infos) > 1)} {runs} on {datasets}"


def protocol_text(infos: Sequence[RunInfo]) -> str:
    """Return the protocol of runs in a sentence, each once."""
    lines: dict[str, list[str]] = {}
    for info in infos:
        lines.setdefault(protocol_line(protocol_of(info)), []).append(info.name)
    if len(lines) == 1:
        return f"Protocol: {next(iter(lines))}."
    return " ".join(f"Protocol of {', '.join(names)}: {line}." for line, names in lines.items())
