"""Search of users by id or held-out title: the best match is the first."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.guests import Guest
from neumf_tui.explore.user_search import (
    ID,
    ID_PART,
    ID_START,
    NO_MATCH,
    SORTS,
    TITLE,
    YEAR,
    UserList,
    UserSearch,
    best_first,
)
from neumf_tui.explore.users import Users


@pytest.fixture(scope="module")
def people(demo: Dataset) -> Users:
    """Users 1 to 700: ids that are in the titles and years of held-out items, too."""
    numbers = range(demo.num_items)
    catalogue = replace(
        demo.catalogue,
        titles=[f"Part {n} of 196" if n % 2 else f"Story {n}" for n in numbers],
        years=[1960 + n % 40 for n in numbers],
    )
    ids = [str(n + 1) for n in range(demo.num_users)]
    data = replace(demo, catalogue=catalogue, user_ids=ids)
    tape = np.arange(data.num_users, 0, -1, dtype=np.float32)[None]
    info: Any = None
    return Users(info, data, np.diff(data.offsets), [1], tape)


def test_levels_of_a_match(demo: Dataset) -> None:
    search = UserSearch(demo)
    assert (search.levels("  ") == ID).all()
    user = 7
    title = demo.catalogue.item_title(int(demo.split.heldout[user]))
    for query, level in (
        (demo.user_ids[user], ID),
        (demo.user_ids[user].upper()[:-1], ID_START),
        (demo.user_ids[user][1:], ID_PART),
        (title[1:], TITLE),
        (title.upper(), TITLE),
        (title[-5:-1], YEAR),
        ("no such title anywhere", NO_MATCH),
    ):
        assert search.levels(query)[user] == level, query
    found = np.flatnonzero(search.levels(title)).tolist()
    heldout = np.asarray(demo.split.heldout)
    assert found == np.flatnonzero(heldout == heldout[user]).tolist()


@pytest.mark.parametrize("sort", range(len(SORTS)))
def test_an_exact_id_comes_first_in_every_order(people: Users, sort: int) -> None:
    listed = UserList()
    listed.sort = sort
    listed.set_people(people, [Guest("19th", ("1",)), Guest("20", ("1",))])
    search = UserSearch(people.dataset)
    for query in ("1", "19", "196"):
        listed.search(query)
        found = [listed.who(row) for row in range(len(listed.order))]
        users = [who for who in found if isinstance(who, int)]
        assert people.dataset.user_ids[users[0]] == query and found[0] == users[0]
        levels = search.levels(query)[users]
        assert (np.diff(levels) <= 0).all() and {*levels} >= {ID, TITLE, YEAR} - {
            YEAR if query == "196" else NO_MATCH
        }
        guests = [who.name for who in found if isinstance(who, Guest)]
        assert guests == ([] if query == "196" else ["19th"])
    listed.search("+19")
    assert [listed.who(row) for row in range(len(listed.order))] == [Guest("19th", ("1",))]
    listed.search("20")
    assert listed.who(0) == Guest("20", ("1",)) and listed.who(1) == 19


def test_any_order_becomes_best_first(people: Users) -> None:
    levels = UserSearch(people.dataset).levels("196")
    order = np.arange(people.dataset.num_users)[::-1].copy()
    found = best_first(order, levels)
    assert people.dataset.user_ids[found[0]] == "196"
    assert (levels[found] > NO_MATCH).all() and len(found) == (levels > NO_MATCH).sum()
