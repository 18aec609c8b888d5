"""Whether adopted weights rank as they should: beside popularity, and beside what was reported.

A model whose rows belong to other users or items looks like a bad model, so neighbouring rows are
tried as well.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neumf_tui.adopt.contents import Side
from neumf_tui.adopt.layouts import Model
from neumf_tui.adopt.rows import RULES, RowMap, Rows, fitting_rules, ids_of, rows_by
from neumf_tui.adopt.tensors import adopted
from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from neumf_tui.evaluation.chance import compare_with_chance
from neumf_tui.evaluation.intervals import (
    Interval,
    hit_difference_interval,
    mean_difference_interval,
)
from neumf_tui.evaluation.metrics import aucs_from_ranks
from neumf_tui.evaluation.ranks import rank_among
from neumf_tui.runs.events import CUTOFF, MEASURED
from neumf_tui.scorers.open import open_scorer
from neumf_tui.scorers.scorer import Scorer

SAMPLE = 500
"""Users by whom other rows are judged, about."""
_LARGEST = 2**30
"""Bytes of a model up to which other rows are tried: each try copies it."""
_BETTER, _DEVIATIONS = 0.02, 5.0
"""By how much the mean AUC must rise, and by how many standard errors, to speak of other rows."""


@dataclass(frozen=True)
class Expectation:
    """A metric that was reported elsewhere."""

    metric: str
    text: str
    """As it was written: its last digit says how exact it is."""

    @property
    def value(self) -> float:
        return float(self.text)

    def holds(self, found: float) -> bool:
        """Return whether `found` rounds to the value, at the digits that it was written with."""
        digits = len(self.text.partition(".")[2])
        return abs(found - self.value) <= 0.5 * 10.0**-digits + 1e-9


def parse_expectations(texts: list[str]) -> list[Expectation]:
    """Return what `--expect METRIC=VALUE` says, several also as one text with commas."""
    found = []
    for text in ",".join(texts).split(",") if texts else []:
        name, _, value = (part.strip() for part in text.partition("="))
        if name.lower() not in MEASURED or not re.fullmatch(r"[01](\.[0-9]{1,20})?", value):
            raise UsageError(
                f"--expect {text.strip()}: expected METRIC=VALUE with a value from 0 to 1, such as "
                f"hit@50=0.361; the metrics are {', '.join(MEASURED)}"
            )
        found.append(Expectation(name.lower(), value))
    return found


@dataclass(frozen=True)
class Beside:
    """A model's ranks beside popularity's, over the same users."""

    hits: float
    """Hit@50 less popularity's."""
    hits_interval: Interval
    auc: float
    auc_interval: Interval
    by_chance: bool
    """Whether the ranks are no better than those of items in random order."""

    @property
    def is_better(self) -> bool:
        """Whether Hit@50 or AUC is above popularity's by more than chance."""
        return self.hits_interval[0] > 0 or self.auc_interval[0] > 0


def beside_popularity(
    ranks: NDArray[np.float32], popular: NDArray[np.float32], candidates: NDArray[np.int64]
) -> Beside:
    """Compare ranks with those by popularity; all (num_users,), NaN where nothing is held out."""
    held = ~np.isnan(ranks)
    hit, before = ranks[held] <= CUTOFF, popular[held] <= CUTOFF
    won, lost = int((hit & ~before).sum()), int((~hit & before).sum())
    aucs = [aucs_from_ranks(each[held], candidates[held]) for each in (ranks, popular)]
    findings = compare_with_chance(ranks, candidates, 0.001)
    return Beside(
        (won - lost) / len(hit),
        hit_difference_interval(won, lost, len(hit) - won - lost),
        float(np.mean(aucs[0] - aucs[1])),
        mean_difference_interval(aucs[0] - aucs[1], resamples=2_000),
        all(finding.verdict != "above" for finding in findings),
    )


@dataclass(frozen=True)
class BetterRows:
    """Other rows, with which a sample of users is ranked much better."""

    what: str
    remedy: str
    users: int
    auc: float
    """Mean AUC of the sample with the rows that were used."""
    better_auc: float

    @property
    def text(self) -> str:
        return (
            f"with {self.what} the mean AUC of {self.users:,} users would be "
            f"{self.better_auc:.3f} instead of {self.auc:.3f}: {self.remedy}"
        )


def find_better_rows(
    where: str, model: Model, rows: RowMap, data: Dataset, report: Callable[[float], None]
) -> BetterRows | None:
    """Try neighbouring rows and other orders; return the best if it is much better.

    `report` gets the share done. Returns None for models too large to try.
    """
    size = sum(array.nbytes for array in model.arrays.values())
    size += model.sparse.values.nbytes if model.sparse else 0
    if model.triples or size > _LARGEST:
        return None
    others = list(_others(rows, data))

    def aucs(of: Mapping[Side, Rows]) -> NDArray[np.float64]:
        made = adopted(where, model, dict(of), data)
        return _sampled_aucs(open_scorer(made.kind, made.tensors, made.shape, data), data)

    now = aucs(rows.rows)
    best: tuple[float, str, dict[Side, Rows]] | None = None
    for number, (what, other) in enumerate(others, start=1):
        gain = aucs(other) - now
        report(number / len(others))
        error = float(gain.std()) / math.sqrt(len(gain))
        mean = float(gain.mean())
        if mean > max(_BETTER, _DEVIATIONS * error) and (best is None or mean > best[0]):
            best = mean, what, other
    if best is None:
        return None
    mean, what, other = best
    before = float(now.mean())
    return BetterRows(what, _remedy(other, data), len(now), before, before + mean)


def _others(rows: RowMap, data: Dataset) -> Iterator[tuple[str, dict[Side, Rows]]]:
    """Yield other rows with their names: of one side at a time, and of both alike."""
    found: dict[str, dict[Side, Rows]] = {}
    for side, own in rows.rows.items():
        count, ids = rows.counts[side], ids_of(data)[side]
        named = {
            "rows one later": (own + 1).clip(max=count - 1),
            "rows one earlier": (own - 1).clip(min=0),
        }
        if len(ids) == count:
            texts = sorted(range(count), key=ids.__getitem__)
            named["rows in the order of ids as text (1, 10, 2)"] = np.argsort(texts)
        for rule in fitting_rules(count, ids):
            if (by_rule := rows_by(rule, ids)) is not None:
                named[f"rows by --rows {rule}"] = by_rule
        for what, other in named.items():
            if not np.array_equal(other, own):
                found.setdefault(what, {})[side] = other
    for what, sides in found.items():
        for side, other in sides.items():
            yield f"the {side}s' {what}", {**rows.rows, side: other}
        if len(sides) > 1:
            yield f"all {what}", {**rows.rows, **sides}


def _remedy(other: Mapping[Side, Rows], data: Dataset) -> str:
    ids = ids_of(data)
    for rule in RULES:
        by_rule = {side: rows_by(rule, ids[side]) for side in other}
        if all(rows is not None and np.array_equal(rows, other[s]) for s, rows in by_rule.items()):
            return f"adopt it again with --rows {rule}"
    return "adopt it again with the ids of the rows (--user-ids, --item-ids)"


def _sampled_aucs(scorer: Scorer, data: Dataset) -> NDArray[np.float64]:
    """Return the AUC of about SAMPLE users with a held-out item, the same for each such model.

    Stretches of users are scored at once, which can be much faster than one by one.
    """
    size = min(scorer.chunk_users, SAMPLE, data.num_users)
    held = np.flatnonzero(np.asarray(data.split.heldout) >= 0)
    # With a split by time few users may have a held-out item.
    expected = max(1.0, size * len(held) / data.num_users)
    count = min(math.ceil(SAMPLE / expected), max(1, data.num_users // size))
    places = held[np.linspace(0, len(held) - 1, count).astype(np.int64)]
    found, end = [], 0
    for start in places.clip(max=data.num_users - size).tolist():
        stretch = range(max(start, end), start + size)  # each user once
        end = stretch.stop
        if not stretch:
            continue
        for user, scores in zip(stretch, scorer.scores(stretch), strict=True):
            target, history = int(data.split.heldout[user]), data.history(user)
            if target >= 0:
                scores[history] = np.nan
                rank = rank_among(scores, scores[target]).reshape(1)
                found.append(aucs_from_ranks(rank, np.array([data.num_items - len(history)]))[0])
    return np.array(found)
