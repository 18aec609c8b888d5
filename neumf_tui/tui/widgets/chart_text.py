"""Texts beside the charts of a run: newest and reported figures, and what chose them."""

from collections.abc import Sequence
from dataclasses import dataclass

from neumf_tui.runs.events import METRIC_NAMES, Evaluated
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean
from neumf_tui.tui.widgets.fitted_text import fitting

STATE_STYLES = {
    "running": "green",
    "starting": "cyan",
    "paused": "yellow",
    "finished": "green",
    "stopped": "yellow",
}
DASHED = "╌"
"""Stands for the curve of the validation items."""
CHOSEN_BY = "validation Hit@50"
"""What chooses the reported epoch of a run with validation."""


@dataclass(frozen=True)
class Caption:
    """Texts in the border of a chart, each in forms of which the first that fits is shown."""

    title: Sequence[str] = ()
    foot: Sequence[str] = ()
    alone: Sequence[str] = ()
    """The title where the chart has no lower border; empty: as above."""


def metric_title(key: str) -> str:
    """Return what people call a metric."""
    return METRIC_NAMES.get(key) or clean(key)


def marked(snapshot: Snapshot, key: str) -> Evaluated | None:
    """Return the evaluation marked ●: the best by validation, else the highest in `key`."""
    if snapshot.best is None or snapshot.best.validation:
        return snapshot.best
    known = [found for found in snapshot.evaluations if key in found.metrics]
    return max(known, key=lambda e: (e.metrics[key], -e.epoch), default=None)


def loss_caption(snapshot: Snapshot, controls: str) -> Caption:
    """Return the newest loss, how many are not finite, and the keys with their settings."""
    now = f"loss {snapshot.epochs[-1].loss:.4f}" if snapshot.epochs else "loss"
    missing = int((snapshot.points.values != snapshot.points.values).sum())
    return Caption((f"{now}  {missing} not finite" if missing else now,), (controls, ""))


def logged_caption(snapshot: Snapshot, name: str) -> Caption:
    """Return a name that was logged, with its newest value."""
    values = snapshot.scalars[name].values
    newest = f" {values[-1]:.4g}" if len(values) else ""
    name = clean(name)
    shorter = [f"{fitting((name,), cells)}{newest}" for cells in (24, 16, 8)]
    return Caption((f"{name}{newest}", *shorter))


def metric_caption(snapshot: Snapshot, key: str, is_flat: bool = False) -> Caption:
    """Return the newest figures, and at the foot the reported one with what chose it.

    is_flat: whether the run is a model without epochs, of which none is chosen.
    """
    title, found = metric_title(key), marked(snapshot, key)
    if found is None:
        return Caption((title,))
    newest = snapshot.evaluations[-1]
    now = f"{title} {newest.metrics[key]:.3f}" if key in newest.metrics else title
    above: tuple[str, ...] = (now, title)
    if newest.validation and key in newest.validation:
        value = f"{newest.validation[key]:.3f} {DASHED}"
        above = (f"{now} · validation {value}", f"{now} · val {value}", *above)
    figure = f"{found.metrics[key]:.3f}"
    at = f"● {figure} @ {found.epoch}"
    half = f" ±{(found.interval[1] - found.interval[0]) / 2:.3f}" if key == "hit@50" else ""
    if is_flat:
        return Caption(above, (f"{figure}{half}",))
    whole = f"● {figure}{half} @ {found.epoch}"
    if found.validation:
        return Caption(above, _chosen(found, whole, at), _alone(found, key, now, at))
    reason = "highest, chosen on the held-out items: optimistic"
    short = f"{whole}, highest: optimistic", f"{at}, optimistic", at, f"● {figure}"
    both = f"{now}  {at}, {reason}", f"{now}  {at}, optimistic", f"{title} {at}, optimistic"
    alone = (*both, f"{title} {figure}, optimistic", f"{title} {figure}")
    return Caption(above, (f"{whole}, {reason}", *short), alone)


def _chosen(found: Evaluated, whole: str, at: str) -> tuple[str, ...]:
    """Return the foot of a chart with the epoch that validation chose."""
    valid = f" {found.validation['hit@50']:.3f}" if found.validation else ""
    best = f", best by {CHOSEN_BY}"
    ends = f"{whole}{best}{valid}", f"{whole}{best}", f"{at}{best}", f"{at} by {CHOSEN_BY}"
    return (*ends, f"{at} by val Hit@50", at)


def _alone(found: Evaluated, key: str, now: str, at: str) -> tuple[str, ...]:
    """Return the only title of a chart with the epoch that validation chose."""
    title, figure = metric_title(key), f"{found.metrics[key]:.3f}"
    best = f"best by {CHOSEN_BY}"
    if not found.validation or key not in found.validation:
        return (f"{now}  {at}, {best}", f"{title} {at}", f"{title} {figure}")
    value = f"{found.validation[key]:.3f} {DASHED}"
    return (
        f"{now}  {at} · validation {value}, {best}",
        f"{title} {at} · validation {value}, {best}",
        f"{title} {at} · val {value}",
        f"{title} {figure} · val {value}",
        f"{title} {figure}",
    )


def legend_forms(snapshot: Snapshot, is_optimistic: bool) -> Sequence[str]:
    """Return a run's reported figures and what chose them; `is_optimistic`: by its negatives."""
    best = snapshot.best
    if best is None:
        return ("",)
    hit, auc, at = f"{best.metrics['hit@50']:.4f}", f"{best.metrics['auc']:.4f}", f"@ {best.epoch}"
    figures, short = f" Hit@50 {hit}, AUC {auc} {at}", f" Hit@50 {hit} {at}"
    if not best.validation:
        return tuple(f"{form}, {why}" for why in ("highest: optimistic", "optimistic")
                     for form in (figures, short))  # fmt: skip
    chosen = f"best by {CHOSEN_BY} {best.validation['hit@50']:.4f}"
    warning = ", but optimistic by its negatives" if is_optimistic else ""
    brief = ", optimistic" if is_optimistic else ""
    return (
        f"{figures}, {chosen}{warning}",
        f"{figures}, best by {CHOSEN_BY}{brief}",
        f"{figures}, by validation{brief}",
        f"{short}, by validation{brief}",
        f"{short}{brief}",
    )
