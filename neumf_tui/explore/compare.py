"""Two models side by side for one person: both lists, what moved, and which part moved the held-out item.

The models are two checkpoints of one run or of two runs of the same dataset, called A and B.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.dataset import Dataset
from neumf_tui.errors import UsageError
from neumf_tui.explore.guests import Guest
from neumf_tui.runs.events import CUTOFF, RunInfo
from neumf_tui.runs.protocol import protocol_of
from neumf_tui.runs.reader import read_info
from neumf_tui.text import rank_text
from neumf_tui.views.sheet import Row, Sheet

if TYPE_CHECKING:
    from neumf_tui.explore.ranker import Ranker, UserRanking, Who

PERSON_COLUMNS = (
    "place",
    "a_item_id", "a_title", "a_year", "a_rank", "a_rank_in_b", "a_move", "a_left",
    "b_item_id", "b_title", "b_year", "b_rank", "b_rank_in_a", "b_move", "b_new",
)  # fmt: skip
SMALL = 0.05
"""A change of a part, in standard deviations, that is shown as 0.0."""


def check_same_dataset(a: RunInfo, b: RunInfo) -> None:
    """Raises UsageError where the runs were trained on different data: their users and items are not the same."""
    one, other = a.dataset, b.dataset
    if one.fingerprint != other.fingerprint:
        raise UsageError(
            f"run {a.name} was trained on {one.label} ({one.fingerprint[:12]}) and run {b.name} on {other.label} "
            f"({other.fingerprint[:12]}); compare two runs of one dataset, or two epochs of one run"
        )


def load_other(a: "Ranker", folder: Path, which: str | None) -> "Ranker":
    """The model to compare with `a`, sharing its dataset. Raises UsageError for another dataset, RunError."""
    from neumf_tui.explore.ranker import Ranker

    check_same_dataset(a.info, read_info(folder))
    return Ranker(folder, a.home, which, a.dataset)


@dataclass(frozen=True)
class PartChange:
    """Where one of PARTS puts the held-out item in A and in B."""

    rank_a: float
    rank_b: float
    standardised_a: float | None
    """The part less its mean over this person's candidates, in standard deviations of their scores in A.

    BPR leaves the scale of a model's scores free, so only such a figure can be set beside another model's.
    None where all scores are the same.
    """
    standardised_b: float | None

    @property
    def change(self) -> float | None:
        return (
            None
            if self.standardised_a is None or self.standardised_b is None
            else self.standardised_b - self.standardised_a
        )


@dataclass(frozen=True)
class HeldoutChange:
    """What became of the held-out item; the changes of GMF and MLP sum to that of the score."""

    item: int
    score: PartChange
    gmf: PartChange
    mlp: PartChange

    @property
    def words(self) -> str:
        """Which part moved it, as far as that can be said: a rank hangs on the other films, too."""
        whole, gmf, mlp = self.score.change, self.gmf.change, self.mlp.change
        if whole is None or gmf is None or mlp is None:
            return "no part can be named: one of the models gives all films the same score"
        unit = "standard deviations of this user's scores"
        climb = self.score.rank_a - self.score.rank_b
        figures = f"GMF {signed(gmf)}, MLP {signed(mlp)} {unit}"
        if climb == 0:
            return f"its rank is the same: {figures}"
        if abs(whole) < SMALL or (whole > 0) != (climb > 0):
            return f"the films around it moved more than it did: {figures}"
        toward = {"GMF": gmf / whole, "MLP": mlp / whole}
        if min(toward.values()) >= 1 / 3:
            return f"both moved it: {figures}"
        if toward["MLP"] > toward["GMF"]:
            return f"MLP moved it: {signed(mlp)} {unit}, GMF {signed(gmf)}"
        return f"GMF moved it: {signed(gmf)} {unit}, MLP {signed(mlp)}"


@dataclass(frozen=True, eq=False)
class PersonComparison:
    """One person's candidates as A and as B order them."""

    label_a: str
    """Run and epoch, `quiet-otter-07@3`."""
    label_b: str
    a: "UserRanking"
    b: "UserRanking"
    count: int
    """Length of the top of a list; no more than there are candidates."""
    row_in_b: NDArray[np.int64]
    """Shape (candidates,): the row in B's list of each item of A's."""
    row_in_a: NDArray[np.int64]
    heldout: HeldoutChange | None

    @property
    def in_both(self) -> int:
        """Items that stand in both tops."""
        return int((self.row_in_b[: self.count] < self.count).sum())

    @property
    def overlap(self) -> float:
        """The same as a share of a top, 0 to 1."""
        return self.in_both / self.count

    def entered(self) -> list[int]:
        """Rows of B's top that are not in A's top, the greatest climb first."""
        rows = np.flatnonzero(self.row_in_a[: self.count] >= self.count)
        return [int(row) for row in rows[np.argsort(rows - self.row_in_a[rows], kind="stable")]]

    def left(self) -> list[int]:
        """Rows of A's top that are not in B's top, the greatest fall first."""
        rows = np.flatnonzero(self.row_in_b[: self.count] >= self.count)
        return [int(row) for row in rows[np.argsort(rows - self.row_in_b[rows], kind="stable")]]

    def ranks_of_a(self, row: int) -> tuple[float, float]:
        """Rank in A and in B of the item at `row` of A's list."""
        return float(self.a.ranks[row]), float(self.b.ranks[self.row_in_b[row]])

    def ranks_of_b(self, row: int) -> tuple[float, float]:
        """Rank in A and in B of the item at `row` of B's list."""
        return float(self.a.ranks[self.row_in_a[row]]), float(self.b.ranks[row])


def compare_person(a: "Ranker", b: "Ranker", who: "Who", count: int = CUTOFF) -> PersonComparison:
    """Rank one user, or a guest, with both models. Raises UsageError for models of different datasets, RunError."""
    check_same_dataset(a.info, b.info)
    one, other = a.rank(who), b.rank(who)
    rows = np.empty((2, a.dataset.num_items), dtype=np.int64)
    rows[0, one.items] = rows[1, other.items] = np.arange(len(one.items))
    return PersonComparison(
        a.label,
        b.label,
        one,
        other,
        min(count, len(one.items)),
        rows[1, one.items],
        rows[0, other.items],
        _heldout(one, other),
    )


def _heldout(a: "UserRanking", b: "UserRanking") -> HeldoutChange | None:
    if a.heldout < 0:
        return None
    found = (_standardised(a), _standardised(b))
    changes = [
        PartChange(a.heldout_ranks[part], b.heldout_ranks[part], found[0][number], found[1][number])
        for number, part in enumerate(("score", "gmf", "mlp"))
    ]
    return HeldoutChange(int(a.items[a.heldout]), *changes)


def _standardised(ranking: "UserRanking") -> Sequence[float | None]:
    """Score, GMF and MLP part of the held-out item, centred, in standard deviations of the scores."""
    spread = float(ranking.scores.std(dtype=np.float64))
    return (
        [value / spread for value in ranking.centred(ranking.heldout)] if spread > 0 else [None] * 3
    )


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, zero always as +."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", "−")


def move_text(before: float, after: float) -> str:
    """How far a rank moved: `▲271` up, `▼5` down, `=`."""
    if before == after:
        return "="
    return f"{'▲' if after < before else '▼'}{rank_text(abs(before - after))}"


def person_words(comparison: PersonComparison) -> list[str]:
    """What a comparison says beside its lists; titles are not in it."""
    c = comparison
    lines = []
    if held := c.heldout:
        sides = ("miss", "hit")
        before, after = sides[held.score.rank_a <= CUTOFF], sides[held.score.rank_b <= CUTOFF]
        lines = [
            f"rank {_arrow(held.score)} {move_text(held.score.rank_a, held.score.rank_b)} · "
            f"{before if before == after else f'{before} → {after}'} · "
            f"GMF alone {_arrow(held.gmf)} · MLP alone {_arrow(held.mlp)}",
            held.words,
        ]
    lines.append(
        f"first {c.count}: {c.in_both} in both, {c.count - c.in_both} new in B; overlap@{c.count} {c.overlap:.2f}"
    )
    return lines


def _arrow(part: PartChange) -> str:
    return f"{rank_text(part.rank_a)} → {rank_text(part.rank_b)}"


def about_models(label_a: str, label_b: str, info_a: RunInfo, info_b: RunInfo) -> dict[str, Any]:
    """The keys that every sheet of a comparison begins with."""
    return {
        "run": info_a.name,
        "dataset": info_a.dataset.label,
        "epoch": int(label_a.rpartition("@")[2]),
        "other_run": info_b.name,
        "other_epoch": int(label_b.rpartition("@")[2]),
        "a": label_a,
        "b": label_b,
        "protocol": protocol_of(info_a),
        "other_protocol": protocol_of(info_b),
    }


def compare_person_sheet(
    a: "Ranker", b: "Ranker", comparison: PersonComparison, top: int | None = None
) -> Sheet:
    """Both lists, one row a place; the first `top` places, or all. Moves are ranks won in B, negative where lost."""
    dataset, c = a.dataset, comparison
    person = c.a.person
    user, guest = (
        (None, person.who.name)
        if isinstance(person.who, Guest)
        else (dataset.user_ids[person.who], None)
    )
    about = about_models(c.label_a, c.label_b, a.info, b.info) | {
        "user": user,
        "guest": guest,
        "history_size": len(person.history),
        "num_candidates": len(c.a.items),
        "cutoff": c.count,
        "in_both": c.in_both,
        "overlap": c.overlap,
        "heldout": _heldout_object(dataset, c.heldout),
        "entered": [
            _mover(dataset, int(c.b.items[row]), *c.ranks_of_b(row)) for row in c.entered()
        ],
        "left": [_mover(dataset, int(c.a.items[row]), *c.ranks_of_a(row)) for row in c.left()],
    }
    rows = [_person_row(dataset, c, row) for row in range(len(c.a.items))[:top]]
    name = f"compare-{c.label_a}-{c.label_b}-{person.label.replace(' ', '-')}"
    return Sheet(
        name,
        about,
        "places",
        rows,
        PERSON_COLUMNS,
        ("dataset", "a", "b", "guest" if user is None else "user"),
    )


def _person_row(dataset: Dataset, c: PersonComparison, row: int) -> Row:
    catalogue = dataset.catalogue
    one, other = int(c.a.items[row]), int(c.b.items[row])
    a_rank, a_rank_in_b = c.ranks_of_a(row)
    b_rank_in_a, b_rank = c.ranks_of_b(row)
    return {
        "place": row + 1,
        "a_item_id": catalogue.item_ids[one],
        "a_title": catalogue.titles[one],
        "a_year": catalogue.years[one],
        "a_rank": a_rank,
        "a_rank_in_b": a_rank_in_b,
        "a_move": a_rank - a_rank_in_b,
        "a_left": row < c.count <= int(c.row_in_b[row]),
        "b_item_id": catalogue.item_ids[other],
        "b_title": catalogue.titles[other],
        "b_year": catalogue.years[other],
        "b_rank": b_rank,
        "b_rank_in_a": b_rank_in_a,
        "b_move": b_rank_in_a - b_rank,
        "b_new": row < c.count <= int(c.row_in_a[row]),
    }


def _mover(dataset: Dataset, item: int, rank_a: float, rank_b: float) -> Row:
    catalogue = dataset.catalogue
    return {
        "item_id": catalogue.item_ids[item],
        "title": catalogue.titles[item],
        "rank_a": rank_a,
        "rank_b": rank_b,
    }


def _heldout_object(dataset: Dataset, held: HeldoutChange | None) -> dict[str, Any] | None:
    if held is None:
        return None
    parts = {
        name: {
            "rank_a": part.rank_a,
            "rank_b": part.rank_b,
            "standardised_a": part.standardised_a,
            "standardised_b": part.standardised_b,
            "change": part.change,
        }
        for name, part in (("score", held.score), ("gmf", held.gmf), ("mlp", held.mlp))
    }
    return _mover(dataset, held.item, held.score.rank_a, held.score.rank_b) | {
        "parts": parts,
        "words": held.words,
    }
