"""What stands in the borders of the charts of Hit@50 and AUC: the newest figure, the one that counts, and what chose it."""

from collections.abc import Sequence

from neumf_tui.runs.events import Evaluated
from neumf_tui.runs.snapshot import Snapshot

STATE_STYLES = {
    "running": "green",
    "starting": "cyan",
    "paused": "yellow",
    "finished": "green",
    "stopped": "yellow",
}
DASHED = "╌"
"""Stands for the curve of the validation items."""


def fitting(forms: Sequence[str], width: int) -> str:
    """The first of `forms`, longest first, that has at most `width` cells; else the last."""
    return next((form for form in forms if len(form) <= width), forms[-1])


def marked(snapshot: Snapshot, key: str) -> Evaluated | None:
    """The evaluation marked ● in the chart of `key`: the one that validation chose, or, without any, the highest."""
    if snapshot.best is None or snapshot.best.validation:
        return snapshot.best
    return max(snapshot.evaluations, key=lambda e: (e.metrics[key], -e.epoch))


def upper(snapshot: Snapshot, key: str, title: str, width: int) -> str:
    """The upper border where there is a lower one: the newest figures."""
    if not snapshot.evaluations:
        return title
    last = snapshot.evaluations[-1]
    now = f"{title} {last.metrics[key]:.3f}"
    if last.validation is None:
        return now
    return fitting(
        (
            f"{now}  {DASHED} validation {last.validation[key]:.3f}",
            f"{now}  {DASHED} validation",
            now,
        ),
        width,
    )


def lower(snapshot: Snapshot, key: str, width: int) -> str:
    """The lower border: the figure that counts."""
    found = marked(snapshot, key)
    if found is None:
        return ""
    figure, whole = (
        f"● {found.metrics[key]:.3f}",
        f"● {found.metrics[key]:.3f}{_margin(found, key)}",
    )
    if found.validation:
        return fitting(
            (
                f"{whole} @ {found.epoch}, best by validation {found.validation['hit@50']:.3f}",
                f"{whole} @ {found.epoch}, best by validation",
                f"{whole} @ {found.epoch} by validation",
                f"{figure} @ {found.epoch} by valid.",
            ),
            width,
        )
    return fitting(
        (
            f"{whole} @ {found.epoch}, highest, chosen on the held-out items: flatters",
            f"{whole} @ {found.epoch}, highest: flatters",
            f"{whole} @ {found.epoch}, flatters",
            f"{figure} @ {found.epoch}, flatters",
        ),
        width,
    )


def both(snapshot: Snapshot, key: str, title: str, width: int) -> str:
    """The upper border where it is the only one."""
    found = marked(snapshot, key)
    if found is None:
        return title
    now, figure = (
        f"{title} {snapshot.evaluations[-1].metrics[key]:.3f}",
        f"● {found.metrics[key]:.3f}",
    )
    whole = f"{figure}{_margin(found, key)}"
    if found.validation:
        return fitting(
            (
                f"{now}  {whole} @ {found.epoch} (best by {DASHED} validation)",
                f"{title} {whole} @ {found.epoch} by {DASHED} validation",
                f"{title} {figure} @ {found.epoch} by {DASHED} validation",
                f"{title} {figure} @ {found.epoch} by {DASHED} valid.",
                f"{title} {figure} by {DASHED} valid.",
            ),
            width,
        )
    return fitting(
        (
            f"{now}  {whole} @ {found.epoch}, chosen on the held-out items: flatters",
            f"{now}  {whole} @ {found.epoch}, highest: flatters",
            f"{now}  {figure} @ {found.epoch}, flatters",
            f"{title} {figure} @ {found.epoch}, flatters",
            f"{title} {figure}, flatters",
        ),
        width,
    )


def legend(snapshot: Snapshot, flattered: bool) -> str:
    """A run among others: the figures that count, and what chose them; `flattered` where its negatives leak."""
    best = snapshot.best
    if best is None:
        return ""
    figures = f" Hit@50 {best.metrics['hit@50']:.4f}, AUC {best.metrics['auc']:.4f} @ {best.epoch}"
    if not best.validation:
        return f"{figures}, highest: flatters"
    leaks = ", but negatives flatter" if flattered else ""
    return f"{figures}, best by validation {best.validation['hit@50']:.4f}{leaks}"


def _margin(found: Evaluated, key: str) -> str:
    """Half the interval of Hit@50."""
    return f" ±{(found.interval[1] - found.interval[0]) / 2:.3f}" if key == "hit@50" else ""
