"""Make a dataset of interactions: leave out what does not count, split it, and describe it."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import ReadFacts, SplitFacts
from neumf_tui.data.filters import above_rating, with_enough
from neumf_tui.data.options import DataOptions, SplitOptions
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.split import (
    Interactions,
    Ordered,
    Split,
    SplitRule,
    Ties,
    drop_duplicates,
    id_hashes,
    split_interactions,
)
from neumf_tui.errors import DatasetError, UsageError

DEFAULT_CUT = "0.9"
_CHUNK = 1 << 20
"""Interactions hashed at once: 8 MiB."""
_FILE_ORDER_RULE = (
    "leave-one-out: each user's latest interaction is held out; "
    "equal timestamps: first in file order"
)
"""What the fingerprint of a dataset whose rows decide ties starts with: do not reword."""
_LOW_RATING, _BEST_RATING = 2.0, 5.0


@dataclass(frozen=True)
class Content:
    """What the files of a dataset hold."""

    user_ids: Sequence[str]
    catalogue: Catalogue
    interactions: Interactions
    ties: Ties = "hash"
    has_times: bool = True
    facts: ReadFacts = field(default_factory=ReadFacts)

    def with_notices(self, *notices: str) -> "Content":
        """Return the content with more notices behind those that it has."""
        facts = msgspec.structs.replace(self.facts, notices=(*self.facts.notices, *notices))
        return replace(self, facts=facts)


def prepare(
    name: str,
    source: str,
    user_ids: Sequence[str],
    catalogue: Catalogue,
    interactions: Interactions,
    *,
    simulated: bool = False,
    ties: Ties = "file order",
    report: Report = silent,
) -> Dataset:
    """Hold out each user's latest interaction of rows in memory."""
    content = Content(user_ids, catalogue, interactions, ties)
    return replace(prepare_content(name, source, content, report=report), simulated=simulated)


def prepare_content(
    name: str,
    source: str,
    content: Content,
    options: DataOptions = DataOptions(),
    report: Report = silent,
) -> Dataset:
    """Leave out duplicates and what `options` exclude, and split the rest.

    Raises UsageError for options that do not fit the data, DatasetError if nothing is left.
    """
    report(Progress("preparing: duplicates", 0, 3))
    splitting = options.splitting
    rated = above_rating(content.interactions, splitting.min_rating)
    unique, duplicates = drop_duplicates(rated)
    rows = with_enough(unique, splitting)
    if not len(rows.users):
        raise DatasetError(
            f"{source}: --min-rating, --min-user-count and --min-item-count leave no interactions; "
            "give lower numbers"
        )
    left_out = {
        "below_rating": len(content.interactions.users) - len(rated.users),
        "below_counts": len(unique.users) - len(rows.users),
        "duplicates": duplicates,
    }
    if len(rows.users) < len(content.interactions.users) - duplicates:
        content = _present(content, rows)
    else:
        content = replace(content, interactions=rows)
    rule = _rule(source, content, splitting)
    report(Progress("preparing: split", 1, 3))
    user_ids, catalogue, rows = content.user_ids, content.catalogue, content.interactions
    hashes = None
    if rule.ties == "hash" or rule.name == "random":
        hashes = id_hashes(user_ids), id_hashes(catalogue.item_ids)
    ordered = split_interactions(rows, len(user_ids), rule, hashes)
    facts = _facts(content, rule, ordered, left_out)
    split = ordered.split
    if rule.name in ("time", "given"):
        split, user_ids, catalogue = _without_unused(split, user_ids, catalogue)
    report(Progress("preparing: fingerprint", 2, 3))
    if rule.name == "latest" and rule.ties == "file order":
        # As version 0.1.0 did it, so that its runs find their data again.
        fingerprint = _fingerprint(
            _FILE_ORDER_RULE, user_ids, catalogue, rows.users, rows.items, rows.times
        )
    else:
        arrays = split.items, split.times, split.offsets, split.heldout, split.known
        fingerprint = _fingerprint(rule.text, user_ids, catalogue, *arrays)
    report(Progress("preparing", 3, 3))
    data = Dataset(
        name, False, source, (), fingerprint, user_ids, catalogue, split,
        facts, content.facts, options,
    )  # fmt: skip
    return replace(data, notices=tuple(_notices(data)))


def _present(content: Content, rows: Interactions) -> Content:
    """Return `rows` with the users and items that they have, numbered anew."""
    users, of_users = np.unique(rows.users, return_inverse=True)
    items, of_items = np.unique(rows.items, return_inverse=True)
    return replace(
        content,
        user_ids=[content.user_ids[user] for user in users.tolist()],
        catalogue=content.catalogue.select(items.tolist()),
        interactions=replace(rows, users=of_users, items=of_items),
    )


def _without_unused(
    split: Split, user_ids: Sequence[str], catalogue: Catalogue
) -> tuple[Split, Sequence[str], Catalogue]:
    """Leave out users without training pairs, and items that are in no history and not held out."""
    users = np.flatnonzero(np.diff(split.offsets))
    present = np.zeros(len(catalogue.item_ids), dtype=bool)
    present[split.items] = True
    present[split.heldout[split.heldout >= 0]] = True
    if len(users) == len(user_ids) and present.all():
        return split, user_ids, catalogue
    rows = np.flatnonzero(present)
    new_user, new_item = (np.cumsum(kept) - 1 for kept in (np.diff(split.offsets) > 0, present))
    heldout = split.heldout[users]
    split = Split(
        users=new_user[split.users],
        items=new_item[split.items],
        times=split.times,
        heldout=np.where(heldout >= 0, new_item[heldout], -1),
        heldout_times=split.heldout_times[users],
        offsets=np.append(split.offsets[users], split.offsets[-1]),
        known=split.known[users],
    )
    return split, [user_ids[user] for user in users.tolist()], catalogue.select(rows.tolist())


def _rule(source: str, content: Content, options: SplitOptions) -> SplitRule:
    """Return the rule that the options ask for; raise UsageError if the data do not allow it."""
    is_split, rows = content.interactions.parts is not None, content.interactions
    name = options.split or ("given" if is_split else "latest" if content.has_times else "random")
    if name == "given" and not is_split:
        raise UsageError(
            f"--split given: {source} does not come split; expected files of several parts such as "
            ".train.inter and .test.inter; use latest, time or random"
        )
    if name in ("latest", "time") and not content.has_times:
        raise UsageError(
            f"--split {name}: {source} has no times; use --split random, or name the column of "
            "times with --columns …,time=NAME"
        )
    if options.cut and name != "time":
        raise UsageError(f"--cut {options.cut} needs --split time; add it, or leave the cut out")
    if name != "time":
        return SplitRule(name, content.ties)
    times = rows.times
    cut = _cut(options.cut or DEFAULT_CUT, times, rows.units_per_second)
    before = times[times < cut]
    if len(before) in (0, len(times)):
        first, last = (
            _date(int(one) // rows.units_per_second) for one in (times.min(), times.max())
        )
        raise UsageError(
            f"--cut {options.cut or DEFAULT_CUT}: all interactions are on one side of it; expected "
            f"a date after {first} and until {last}, or a share such as 0.9"
        )
    # The same share of what is before the cut is before the cut of the validation.
    validation_cut = _at_share(before, len(before) / len(times))
    return SplitRule(name, content.ties, cut, validation_cut)


def _cut(text: str, times: NDArray[Any], units_per_second: int) -> int:
    """Return the time that `--cut` names, in the units of `times`; raise UsageError."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if 0 < share < 1:
        return _at_share(times, share)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--cut {text}: expected a date such as 2024-04-13, or a share of the interactions "
            "between 0 and 1, such as 0.9"
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return math.ceil(when.timestamp()) * units_per_second


def _at_share(times: NDArray[Any], share: float) -> int:
    """Return the time before which `share` of the times lie, or a little less at equal ones."""
    place = min(int(share * len(times)), len(times) - 1)
    return int(np.partition(times, place)[place])


def _facts(
    content: Content, rule: SplitRule, ordered: Ordered, left_out: dict[str, int]
) -> SplitFacts:
    rows, split = content.interactions, ordered.split
    seconds = rows.units_per_second
    pairs, held = np.diff(split.offsets), split.heldout >= 0
    learned = np.zeros(len(content.catalogue.item_ids), dtype=bool)
    learned[split.items] = True
    ratings = ordered.heldout_ratings
    if rows.ratings is None or rows.ratings.max(initial=0) > _BEST_RATING:
        ratings = ratings[:0]
    is_cut, timed = rule.name == "time", content.has_times
    return SplitFacts(
        split=rule.name,
        ties=rule.ties,
        has_times=timed,
        cut=rule.cut // seconds if is_cut else None,
        validation_cut=rule.validation_cut // seconds if is_cut else None,
        unused=len(rows.users) - int(pairs.sum()) - int(held.sum()),
        interactions=len(rows.users),
        first_time=int(rows.times.min()) // seconds if timed else None,
        last_time=int(rows.times.max()) // seconds if timed else None,
        tied=ordered.tied if timed and rule.name != "random" else 0,
        tied_last=ordered.tied_last if timed else 0,
        heldout=int(held.sum()),
        validated=int(((split.known > 0) & (split.known < pairs)).sum()),
        cold_users=int(((pairs == 0) & (np.bincount(rows.users, minlength=len(pairs)) > 0)).sum()),
        cold_items=int((~learned[split.heldout[held]]).sum()),
        rated=len(ratings),
        rated_low=int((ratings <= _LOW_RATING).sum()),
        rating_counts=_rating_counts(rows.ratings),
        **left_out,
    )


def _rating_counts(ratings: NDArray[np.float32] | None) -> tuple[tuple[float, int], ...]:
    """Return how often each rating occurs, in tenths; nothing if some are beyond 0 to 100."""
    counts = np.zeros(1001, dtype=np.int64)
    for start in range(0, 0 if ratings is None else len(ratings), _CHUNK):
        assert ratings is not None
        part = ratings[start : start + _CHUNK]
        if np.isnan(part.min()):
            part = part[~np.isnan(part)]
        if part.min(initial=0) < 0 or part.max(initial=0) > 100:
            return ()
        # Half a tenth is added, and the rest cut off: rounding would take as long again.
        tenths = (part * np.float32(10) + np.float32(0.5)).astype(np.int64)
        counts += np.bincount(tenths, minlength=len(counts))
    return tuple((place / 10, int(counts[place])) for place in np.flatnonzero(counts).tolist())


def _notices(data: Dataset) -> list[str]:
    """Return what a person should know of the data before they believe a figure."""
    facts, notices = data.facts, list(data.read_facts.notices)
    held = f"of {facts.heldout:,} users with a held-out item"
    if not facts.has_times:
        notices.append("no times: histories are in a random order, and the split is random")
    if facts.duplicates:
        which = "the latest is kept" if facts.has_times else "one of each is kept"
        notices.append(f"{facts.duplicates:,} duplicate interactions were dropped; {which}")
    if facts.below_rating:
        notices.append(f"{facts.below_rating:,} interactions are below --min-rating")
    if facts.below_counts:
        notices.append(
            f"{facts.below_counts:,} interactions are of users below --min-user-count or of items "
            "below --min-item-count"
        )
    if 2 * facts.tied_last > facts.heldout and facts.split != "random":
        how = "by a hash of user and item" if facts.ties == "hash" else "by the order of the rows"
        notices.append(
            f"equal timestamps decide what is held out for {facts.tied_last:,} {held}: {how}"
        )
    single = data.num_users - facts.heldout
    if single and facts.split in ("latest", "random"):
        notices.append(f"{single:,} users with a single interaction are trained on, not evaluated")
    elif single:
        notices.append(f"{single:,} users with nothing held out are trained on, not evaluated")
    is_given = facts.split == "given"
    if facts.cold_users:
        before = "in the training part" if is_given else "before the cut"
        notices.append(f"{facts.cold_users:,} users have no history {before}: left out")
    if facts.cold_items and facts.split not in ("latest", "random"):
        notices.append(f"{facts.cold_items:,} {held} have one that nobody had before: a guess")
    if facts.unused:
        which = "the test part" if is_given else "what comes after the cut"
        notices.append(
            f"{facts.unused:,} interactions of {which} are not used: only the first of each user "
            "is ranked"
        )
    if data.num_items <= 50:
        notices.append(f"only {data.num_items} items: Hit@50 is always 1")
    return notices


def _fingerprint(
    rule: str, user_ids: Sequence[str], catalogue: Catalogue, *arrays: NDArray[Any]
) -> str:
    """Return the SHA-256 of the rule, the ids, and the arrays as "<i8"."""
    digest = hashlib.sha256(rule.encode())
    digest.update("\0".join([*user_ids, "", *catalogue.item_ids]).encode())
    for array in arrays:
        for start in range(0, len(array), _CHUNK):
            digest.update(array[start : start + _CHUNK].astype("<i8").tobytes())
    return digest.hexdigest()


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
