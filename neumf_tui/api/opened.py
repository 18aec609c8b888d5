"""What a run has found, as frames of pandas with the numbers of the commands."""

import warnings
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neumf_tui.api.dataset import LoadedDataset, Place, home_of
from neumf_tui.api.frames import to_frame
from neumf_tui.errors import UsageError
from neumf_tui.runs.reader import read_info, read_losses, read_snapshot
from neumf_tui.runs.store import find_run, split_spec
from neumf_tui.runs.summary import status_object
from neumf_tui.views.runs import card_lines, metrics_sheet

if TYPE_CHECKING:
    import pandas as pd

    from neumf_tui.explore.ranker import Ranker
    from neumf_tui.explore.users import Users


class OpenedRun:
    """A run of any kind. Each frame has in its `attrs` what holds for all of its rows."""

    def __init__(self, folder: Path, home: Path, epoch: str | None) -> None:
        self.folder, self._home, self._epoch = folder, home, epoch

    @property
    def name(self) -> str:
        return self.folder.name

    def status(self) -> dict[str, Any]:
        """Return what `neumf-tui status --json` prints."""
        return status_object(self.folder)

    def metrics(self) -> "pd.DataFrame":
        """Return the metrics of each evaluation, one row each."""
        return to_frame(metrics_sheet(read_info(self.folder), read_snapshot(self.folder)))

    def ranking(self, user: str, *, by: str = "score", top: int | None = None) -> "pd.DataFrame":
        """Return a user's candidates, best first, as `neumf-tui rank`.

        `by`: the score, or the name of a part of it. Raises NeumfTuiError.
        """
        from neumf_tui.views.person import ranking_sheet

        ranking = self._ranker.rank(self._ranker.dataset.user_index(user), by)
        return to_frame(ranking_sheet(self._ranker, ranking, top))

    def history(self, user: str) -> "pd.DataFrame":
        """Return a user's history, oldest first."""
        from neumf_tui.views.person import history_sheet

        ranking = self._ranker.rank(self._ranker.dataset.user_index(user))
        return to_frame(history_sheet(self._ranker, ranking))

    def recommend(
        self, likes: str | Iterable[str], *, top: int | None = None, seed: int = 0
    ) -> "pd.DataFrame":
        """Return the candidates of a new person, best first, as `neumf-tui recommend`.

        `likes`: ids or titles of items, a list or separated by `;`. `seed` is that of the negatives
        which some models draw for a new person. Raises NeumfTuiError.
        """
        from neumf_tui.explore.guests import Guest
        from neumf_tui.explore.newcomer import UNSAVED
        from neumf_tui.views.person import guest_sheet

        names = likes.split(";") if isinstance(likes, str) else list(likes)
        ids = self._ranker.dataset.catalogue.item_ids
        items = [self._item(name) for name in names if name.strip()]
        if not items or len(set(items)) < len(items):
            raise UsageError(f"likes: {names}: expected items, each once")
        guest = Guest(UNSAVED, tuple(ids[item] for item in items), seed)
        return to_frame(guest_sheet(self._ranker, self._ranker.rank(guest), top))

    def why(self, user: str, item: str | None = None) -> "pd.DataFrame":
        """Return what the score of an item consists of, as `neumf-tui why`.

        One row for each item of the history and what it adds, where the model is such a sum; else
        one for each factor, without rows where there are none. `attrs` have the score, its parts
        and its rank. `item`: id or title, else the held-out item. Raises NeumfTuiError.
        """
        from neumf_tui.explore.why import explain
        from neumf_tui.views.why import why_sheet

        ranker = self._ranker
        ranking = ranker.rank(ranker.dataset.user_index(user))
        if item is None:
            row = ranking.heldout
            if row < 0:
                raise UsageError(f"user {user} has no held-out item; name one")
        else:
            found = ranking.items.tolist()
            index = self._item(item)
            if index not in found:
                title = ranker.dataset.catalogue.titles[index]
                raise UsageError(
                    f"{title!r} is in the history of user {user}, so it is not ranked; name another"
                )
            row = found.index(index)
        sheet = why_sheet(ranker, explain(ranker, ranking, row))
        if films := sheet.about["films"]:
            sheet = replace(sheet, rows=films, columns=tuple(films[0]))
        return to_frame(sheet)

    def journey(self, user: str) -> "pd.DataFrame":
        """Return the rank of a user's held-out item after each epoch, as `neumf-tui journey`."""
        from neumf_tui.views.journey import journey_sheet

        users = self._users()
        losses = read_losses(self.folder)
        return to_frame(journey_sheet(users, users.dataset.user_index(user), losses))

    def failures(self, *, by: str = "rank", top: int | None = None) -> "pd.DataFrame":
        """Return users and what popularity alone would give them, as `neumf-tui failures --users`.

        `by`: rank, gain, history, popularity, age or dataset. Raises NeumfTuiError.
        """
        from neumf_tui.explore.failures import ORDERS, failures_at
        from neumf_tui.runs.checkpoint import find_rank_epoch
        from neumf_tui.views.failures import failures_sheet

        if by not in ORDERS:
            raise UsageError(f"by is {by!r}: expected one of {', '.join(ORDERS)}")
        found = failures_at(self._users(), find_rank_epoch(self.folder, self._epoch))
        return to_frame(failures_sheet(found, found.order(by)[:top], by))

    def compare(self, other: "OpenedRun | str", *, user: str | None = None) -> "pd.DataFrame":
        """Return this model (A) and another (B) side by side, as `neumf-tui compare`.

        `other`: a run, or its name, or RUN@EPOCH. Without `user` one row for each user; the tests
        over all users are in `attrs`. Raises NeumfTuiError.
        """
        other = open_run(other, home=self._home) if isinstance(other, str) else other
        return self._compare_all(other) if user is None else self._compare_one(other, user)

    def _compare_all(self, other: "OpenedRun") -> "pd.DataFrame":
        from neumf_tui.explore.compare_users import (
            check_same_dataset,
            compare_all,
            read_tape_ranks,
        )
        from neumf_tui.explore.users import dataset_of
        from neumf_tui.views.compare_users import compare_all_sheet

        a, b = (read_tape_ranks(run.folder, run._epoch) for run in (self, other))
        check_same_dataset(a.info, b.info)
        dataset = dataset_of(a.info, self._home, self.folder)
        return to_frame(compare_all_sheet(dataset, compare_all(dataset, a, b)))

    def _compare_one(self, other: "OpenedRun", user: str) -> "pd.DataFrame":
        from neumf_tui.explore.compare import compare_person
        from neumf_tui.views.compare import compare_person_sheet

        a, b = self._ranker, other._ranker
        found = compare_person(a, b, a.dataset.user_index(user))
        return to_frame(compare_person_sheet(a, b, found, None))

    @property
    def dataset(self) -> LoadedDataset:
        """The dataset of the run."""
        from neumf_tui.explore.users import dataset_of

        return LoadedDataset(dataset_of(read_info(self.folder), self._home, self.folder))

    @cached_property
    def _ranker(self) -> "Ranker":
        from neumf_tui.explore.ranker import Ranker

        ranker = Ranker(self.folder, self._home, self._epoch)
        if ranker.note:
            warnings.warn(ranker.note, stacklevel=4)
        return ranker

    def _users(self) -> "Users":
        from neumf_tui.explore.users import load_users

        return load_users(self.folder, self._home)

    def _item(self, name: str) -> int:
        """Return the row of an item; warn where its name was guessed."""
        found = self._ranker.dataset.title_search.look_up(name)
        if found.note:
            warnings.warn(found.note, stacklevel=4)
        return found.item

    def __repr__(self) -> str:
        facts = self.status()
        return f"<run {self.name}: {facts['state']}, epoch {facts['epoch']}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(chr(10).join(card_lines(self.status())))}</pre>"


def open_run(
    run: str | None = None, *, epoch: int | str | None = None, home: Place | None = None
) -> OpenedRun:
    """Open a run, as the commands do: by name, unique prefix or folder; None for the latest.

    `run` can be RUN@EPOCH, RUN@best or RUN@last, or `epoch` says so. Raises NeumfTuiError.
    """
    where = home_of(home)
    name, which = split_spec(run) if run is not None else (None, None)
    if epoch is not None:
        which = str(epoch)
    return OpenedRun(find_run(where, name), where, which)
