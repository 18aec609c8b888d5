"""The splits once more, written plainly with pandas and Python's integers."""

import hashlib
from dataclasses import dataclass

import pandas as pd

MASK = 2**64 - 1


@dataclass(frozen=True)
class PlainSplit:
    """Item ids by user id."""

    history: dict[str, list[str]]
    known: dict[str, int]
    heldout: dict[str, str]


def tie_of(user: str, item: str) -> int:
    """Return the number that orders a user's interactions of the same time."""
    of_user, of_item = (
        int.from_bytes(hashlib.blake2b(one.encode(), digest_size=8).digest(), "little")
        for one in (user, item)
    )
    mixed = (of_user * 0x9E3779B97F4A7C15 & MASK) ^ of_item
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & MASK
    return mixed ^ mixed >> 31


def without_duplicates(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the latest of each pair, of equal times the first row."""
    order = frame.sort_values("time", ascending=False, kind="stable")
    return order.drop_duplicates(["user", "item"]).sort_index()


def filtered(
    frame: pd.DataFrame, min_rating: float | None = None, users: int = 0, items: int = 0
) -> pd.DataFrame:
    """Leave out low ratings, duplicates, and then rare users and items until none is left."""
    if min_rating is not None:
        frame = frame[frame["rating"] >= min_rating]
    frame = without_duplicates(frame)
    while True:
        enough = frame.groupby("user")["item"].transform("size") >= users
        enough &= frame.groupby("item")["user"].transform("size") >= items
        if enough.all():
            return frame
        frame = frame[enough]


def split_latest(frame: pd.DataFrame, *, at_random: bool = False) -> PlainSplit:
    """Hold out the last of each user's interactions by time and hash, or by hash alone."""
    frame = _with_ties(frame)
    history, known, heldout = {}, {}, {}
    for user, rows in frame.groupby("user"):
        columns = ["tie"] if at_random else ["time", "tie"]
        items = rows.sort_values(columns)["item"].tolist()
        if len(items) > 1:
            heldout[user] = items.pop()
        history[user], known[user] = items, max(1, len(items) - 1)
    return PlainSplit(history, known, heldout)


def split_time(frame: pd.DataFrame, cut: float | str = 0.9) -> PlainSplit:
    """Hold out each user's first interaction from the cut on: a share, or a date in UTC."""
    times = sorted(frame["time"])
    first = times[int(cut * len(times))] if isinstance(cut, float) else _seconds(cut)
    before = [time for time in times if time < first]
    earlier = before[int(len(before) / len(times) * len(before))]
    history, known, heldout = {}, {}, {}
    for user, rows in _with_ties(frame).groupby("user"):
        ordered = rows.sort_values(["time", "tie"])
        past, rest = ordered[ordered["time"] < first], ordered[ordered["time"] >= first]
        if not len(past):
            continue
        history[user], known[user] = past["item"].tolist(), int((past["time"] < earlier).sum())
        if len(rest):
            heldout[user] = rest["item"].iloc[0]
    return PlainSplit(history, known, heldout)


def split_given(frame: pd.DataFrame) -> PlainSplit:
    """Hold out the first interaction of the part 2; part 1 is for validation."""
    history, known, heldout = {}, {}, {}
    for user, rows in _with_ties(frame).groupby("user"):
        parts = {part: of.sort_values(["time", "tie"]) for part, of in rows.groupby("part")}
        past = [item for part in (0, 1) if part in parts for item in parts[part]["item"]]
        if not past:
            continue
        history[user], known[user] = past, len(parts[0]) if 0 in parts else 0
        if 2 in parts:
            heldout[user] = parts[2]["item"].iloc[0]
    return PlainSplit(history, known, heldout)


def _with_ties(frame: pd.DataFrame) -> pd.DataFrame:
    ties = [tie_of(*pair) for pair in zip(frame["user"], frame["item"], strict=True)]
    return frame.assign(tie=pd.array(ties, dtype="UInt64"))


def _seconds(date: str) -> int:
    return int(pd.Timestamp(date, tz="UTC").timestamp())
