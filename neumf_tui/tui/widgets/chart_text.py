"""Texts beside the charts of Hit@50 and AUC: the newest figure, the reported one, what chose it."""

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
    """Return the first of `forms`, longest first, that fits in `width` cells; else the last."""
    return next((form for form in forms if len(form) <= width), forms[-1])


def marked(snapshot: Snapshot, key: str) -> Evaluated | None:
    """Return the evaluation marked ●: the best by validation, else the highest in `key`."""
    if snapshot.best is None or snapshot.best.validation:
        return snapshot.best
    return max(snapshot.evaluations, key=lambda e: (e.metrics[key], -e.epoch))


def upper(snapshot: Snapshot, key: str, title: str, width: int) -> str:
    """Return the text of an upper border above a lower one: the newest figures."""
    if not snapshot.evaluations:
        return title
    last = snapshot.evaluations[-1]
    now = f"{title} {last.metrics[key]:.3f}"
    if last.validation is None:
        return now
    named = f"{now}  {DASHED} validation"
    return fitting((f"{named} {last.validation[key]:.3f}", named, now), width)


def lower(snapshot: Snapshot, key: str, width: int) -> str:
    """Return the text of the lower border: the reported figure."""
    found = marked(snapshot, key)
    if found is None:
        return ""
    _, at, whole = _figures(found, key)
    if found.validation:
        best = f"{whole}, best by validation"
        forms = f"{best} {found.validation['hit@50']:.3f}", best, f"{whole} by validation"
        return fitting((*forms, f"{at} by valid."), width)
    chosen = f"{whole}, highest, chosen on the held-out items: optimistic"
    short = f"{whole}, highest: optimistic", f"{whole}, optimistic", f"{at}, optimistic"
    return fitting((chosen, *short), width)


def both(snapshot: Snapshot, key: str, title: str, width: int) -> str:
    """Return the text of the only border: the newest and the reported figure."""
    found = marked(snapshot, key)
    if found is None:
        return title
    now = f"{title} {snapshot.evaluations[-1].metrics[key]:.3f}"
    figure, at, whole = _figures(found, key)
    if found.validation:
        forms = (
            f"{now}  {whole} (best by {DASHED} validation)",
            f"{title} {whole} by {DASHED} validation",
            f"{title} {at} by {DASHED} validation",
            f"{title} {at} by {DASHED} valid.",
            f"{title} {figure} by {DASHED} valid.",
        )
    else:
        forms = (
            f"{now}  {whole}, chosen on the held-out items: optimistic",
            f"{now}  {whole}, highest: optimistic",
            f"{now}  {at}, optimistic",
            f"{title} {at}, optimistic",
            f"{title} {figure}, optimistic",
        )
    return fitting(forms, width)


def legend(snapshot: Snapshot, is_optimistic: bool) -> str:
    """Return a run's reported figures and what chose them; `is_optimistic`: by its negatives."""
    best = snapshot.best
    if best is None:
        return ""
    figures = f" Hit@50 {best.metrics['hit@50']:.4f}, AUC {best.metrics['auc']:.4f} @ {best.epoch}"
    if not best.validation:
        return f"{figures}, highest: optimistic"
    chosen = f"{figures}, best by validation {best.validation['hit@50']:.4f}"
    return f"{chosen}, but optimistic by its negatives" if is_optimistic else chosen


def _figures(found: Evaluated, key: str) -> tuple[str, str, str]:
    """Return the figure, with its epoch, and with half the interval of Hit@50."""
    figure, at = f"● {found.metrics[key]:.3f}", f" @ {found.epoch}"
    half = f" ±{(found.interval[1] - found.interval[0]) / 2:.3f}" if key == "hit@50" else ""
    return figure, figure + at, figure + half + at
