"""Duplicates and the leave-one-out split, against a plain implementation of the rule."""

import numpy as np
import pytest

from neumf_tui.data.split import Interactions, Split, SplitRule, drop_duplicates, split_interactions


def leave_one_out(rows: Interactions, num_users: int, chunk_rows: int = 1 << 20) -> Split:
    return split_interactions(rows, num_users, SplitRule(), chunk_rows=chunk_rows).split


def rows(*triples: tuple[int, int, int]) -> Interactions:
    users, items, times = (
        np.array(column, dtype=np.int64) for column in zip(*triples, strict=True)
    )
    return Interactions(users, items, times)


def test_latest_is_held_out_and_ties_go_to_the_first_in_the_file() -> None:
    split = leave_one_out(
        rows((0, 5, 10), (0, 6, 30), (0, 7, 30), (1, 1, 9), (2, 3, 2), (2, 4, 1)), 4
    )
    assert split.heldout.tolist() == [6, -1, 3, -1]
    assert list(zip(split.users.tolist(), split.items.tolist(), strict=True)) == [
        (0, 5),
        (0, 7),
        (1, 1),
        (2, 4),
    ]


def test_of_duplicates_the_latest_is_kept() -> None:
    unique, dropped = drop_duplicates(rows((0, 5, 10), (0, 5, 30), (0, 6, 20), (0, 5, 20)))
    assert dropped == 2
    assert unique.times.tolist() == [30, 20]


@pytest.mark.parametrize("seed", range(40))
def test_duplicates_and_split_are_as_the_rule_says(seed: int) -> None:
    draw = np.random.default_rng(seed)
    count = int(draw.integers(1, 60))
    chunk_rows = int(draw.choice([1, 5, 1 << 20]))
    far = 2**62 * (seed % 2)  # so that user and time do not fit into one number
    rows = Interactions(
        *(draw.integers(0, 6, count).astype(kind) for kind in (np.int32, np.int32)),
        far * draw.integers(0, 2, count) + draw.integers(0, 5, count),
    )
    latest: dict[tuple[int, int], int] = {}
    for row, pair in enumerate(zip(rows.users.tolist(), rows.items.tolist(), strict=True)):
        if pair not in latest or rows.times[row] > rows.times[latest[pair]]:
            latest[pair] = row
    keep = sorted(latest.values())
    unique, dropped = drop_duplicates(rows, chunk_rows)
    assert dropped == count - len(keep)
    for key in ("users", "items", "times"):
        assert getattr(unique, key).tolist() == getattr(rows, key)[keep].tolist()
    split = leave_one_out(unique, 7, chunk_rows)
    for user in range(7):
        mine = sorted(
            (row for row in keep if rows.users[row] == user),
            key=lambda row: (rows.times[row], -row),
        )
        held = mine.pop() if len(mine) > 1 else None
        assert split.heldout[user] == (-1 if held is None else rows.items[held])
        assert split.offsets is not None
        part = slice(split.offsets[user], split.offsets[user + 1])
        assert split.items[part].tolist() == [rows.items[row] for row in mine] and set(
            split.users[part].tolist()
        ) <= {user}
    assert {getattr(split, key).dtype for key in ("users", "items", "times", "heldout")} == {
        np.dtype(np.int64)
    }


def test_users_whose_numbers_need_more_than_16_bits_are_brought_together() -> None:
    users = np.array([70_000, 3, 65_536 + 3, 70_000, 3, 0, 65_536 + 3], dtype=np.int32)
    split = leave_one_out(
        Interactions(users, np.arange(7), np.array([9, 1, 2, 8, 1, 1, 2])), 80_000
    )
    held = np.flatnonzero(split.heldout >= 0)
    assert dict(zip(held.tolist(), split.heldout[held].tolist(), strict=True)) == {
        3: 1,
        65_539: 2,
        70_000: 0,
    }
    assert list(zip(split.users.tolist(), split.items.tolist(), strict=True)) == [
        (0, 5),
        (3, 4),
        (65_539, 6),
        (70_000, 3),
    ]
