"""Search of users by id or held-out title."""

import numpy as np

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.user_search import UserSearch


def test_a_user_matches_by_start_of_id_or_part_of_the_heldout_title(demo: Dataset) -> None:
    search = UserSearch(demo)
    assert search.matching("  ").all()
    user = 7
    title = demo.catalogue.item_title(int(demo.split.heldout[user]))
    for query in (demo.user_ids[user], title[1:], title.upper()):
        assert search.matching(query)[user]
    found = np.flatnonzero(search.matching(title)).tolist()
    heldout = np.asarray(demo.split.heldout)
    assert found == np.flatnonzero(heldout == heldout[user]).tolist()
    assert not search.matching("no such title anywhere").any()
