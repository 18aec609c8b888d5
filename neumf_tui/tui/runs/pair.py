"""Two runs of the list whose models are compared."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neumf_tui.errors import UsageError
from neumf_tui.tui.navigation import OpenComparison


def pair_of(marked: Sequence[Path], chosen: Path) -> tuple[Path, Path]:
    """Return the two marked runs, or the marked one and the one under the cursor.

    Raises UsageError where these are not two.
    """
    if len(marked) > 2:
        raise UsageError(f"{len(marked)} runs are marked, two can be compared: unmark some (space)")
    pair = [*marked, *(folder for folder in (chosen,) if len(marked) < 2 and folder not in marked)]
    if len(pair) < 2:
        raise UsageError("mark the run to compare with first (space), then go to another one")
    return pair[0], pair[1]


def open_pair(pair: tuple[Path, Path], home: Path) -> OpenComparison:
    """Open the first run's model, and make sure that there is one of the other run to compare with.

    Raises UsageError where the runs have different data, RunError where one has no model.
    """
    from neumf_tui.explore.compare_users import check_same_dataset
    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.checkpoint import find_epoch
    from neumf_tui.runs.reader import read_info

    folder, other = pair
    check_same_dataset(read_info(folder), read_info(other))
    find_epoch(other, None)
    users = load_users(folder, home)
    ranker = Ranker(folder, home, None, users.dataset)
    with_rank = np.flatnonzero(~np.isnan(users.ranks_at(ranker.epoch)))
    who = int(with_rank[0]) if len(with_rank) else 0
    return OpenComparison(ranker, users, who, (other, None))
