"""Make one dataset of the files of a given split: training, validation and test part."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.prepare import Content
from neumf_tui.data.readers.rows import in_order
from neumf_tui.data.split import TEST, Interactions


def merge_parts(contents: Sequence[Content], parts: Sequence[int]) -> Content:
    """Return the contents of several files as one; `parts` are values of `Interactions.parts`."""
    user_ids, users = _merged_ids([content.user_ids for content in contents])
    item_ids, items = _merged_ids([content.catalogue.item_ids for content in contents])
    rows = [content.interactions for content in contents]
    units = max(one.units_per_second for one in rows)
    times = [one.times.astype(np.int64) * (units // one.units_per_second) for one in rows]
    merged = Interactions(
        np.concatenate([places[one.users] for places, one in zip(users, rows, strict=True)]),
        np.concatenate([places[one.items] for places, one in zip(items, rows, strict=True)]),
        np.concatenate(times),
        _merged_ratings(rows),
        np.repeat(np.array(parts, np.uint8), [len(one.users) for one in rows]),
        units,
    )
    merged, repeating = _with_unseen(merged)
    first = contents[0]
    has_times = all(content.has_times for content in contents)
    catalogue = Catalogue([], [], [], []).with_untitled(item_ids)
    facts = _merged_facts([content.facts for content in contents])
    content = Content(user_ids, catalogue, merged, first.ties, has_times, facts)
    if not repeating:
        return content
    return content.with_notices(
        f"{repeating:,} users have no test interaction that is not in another part as well: the "
        "first one is held out, and not learned from"
    )


def _merged_ids(
    ids_of_parts: Sequence[Sequence[str]],
) -> tuple[list[str], list[NDArray[np.int32]]]:
    """Return all ids in order, and for each part the place of each of its ids among them."""
    distinct = list(dict.fromkeys(one for ids in ids_of_parts for one in ids))
    ordered, _ = in_order(distinct)
    places = {one: place for place, one in enumerate(ordered)}
    return ordered, [np.array([places[one] for one in ids], np.int32) for ids in ids_of_parts]


def _with_unseen(rows: Interactions) -> tuple[Interactions, int]:
    """Return the rows with something to hold out for each user of the test part.

    A pair that is in another part as well counts there. Where a user has no other test interaction,
    the first one counts in the test part alone; the number of these users is returned, too.
    """
    assert rows.parts is not None
    pairs = rows.users.astype(np.int64) * (int(rows.items.max(initial=0)) + 1) + rows.items
    is_test = rows.parts == TEST
    test = np.flatnonzero(is_test)
    is_new = ~np.isin(pairs[test], pairs[~is_test])
    test = test[~np.isin(rows.users[test], rows.users[test[is_new]])]
    test = test[np.lexsort((rows.times[test], rows.users[test]))]
    _, firsts = np.unique(rows.users[test], return_index=True)
    repeated = np.isin(pairs, pairs[test[firsts]]) & ~is_test
    return (rows.select(~repeated), len(firsts)) if len(firsts) else (rows, 0)


def _merged_ratings(rows: Sequence[Interactions]) -> NDArray[np.float32] | None:
    """Return all ratings, NaN for the rows of a part without; None if no part has ratings."""
    if all(one.ratings is None for one in rows):
        return None
    ratings = (
        np.full(len(one.users), np.nan, np.float32) if one.ratings is None else one.ratings
        for one in rows
    )
    return np.concatenate([*ratings])


def _merged_facts(facts: Sequence[ReadFacts]) -> ReadFacts:
    """Return the facts of all parts; what is the same for all of them is told once."""
    first = facts[0]
    known = [one.ratings for one in facts if one.ratings is not None]
    return ReadFacts(
        files=tuple(name for one in facts for name in one.files),
        form=first.form,
        columns=first.columns,
        header=first.header,
        first_rows=first.first_rows,
        rows=sum(one.rows for one in facts),
        bad_rows=tuple(row for one in facts for row in one.bad_rows),
        ratings=(min(low for low, _ in known), max(high for _, high in known)) if known else None,
        notices=tuple(dict.fromkeys(notice for one in facts for notice in one.notices)),
    )
