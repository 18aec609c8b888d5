"""Requests and signals that the processes of a trainer have received but not carried out yet."""

import signal
from collections.abc import Sequence

from neumf_tui.runs.pending_requests import PendingRequests
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.distributed.group import Group


class GroupRequests(PendingRequests):
    """Rank 0 reads the requests, and all processes act on them in the same order."""

    def __init__(
        self, writer: RunWriter, user_ids: Sequence[str], before: Snapshot, group: Group
    ) -> None:
        super().__init__(writer, user_ids, before)
        self._group = group
        self._signal = ""

    def read(self, epoch: int) -> None:
        """Read new requests and signals at rank 0, and tell every rank of them."""
        if self._group.rank == 0:
            self.stop_reason = self.stop_reason or self._signal
            super().read(epoch)
        state = self.epochs, self.stop_reason, self.discard, self.pause, self.save
        state = self._group.broadcast(state, tuple[int, str, bool, bool, bool])
        self.epochs, self.stop_reason, self.discard, self.pause, self.save = state

    def on_signal(self, number: int, _frame: object) -> None:
        """Remember to stop; a handler for `signal.signal`."""
        self._signal = f"stopped by {signal.Signals(number).name}"
