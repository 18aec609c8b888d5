"""What people have asked of a trainer, by request or by signal, and it has not done yet."""

import signal
import time
from collections.abc import Sequence

from neumf_tui.runs import events, requests
from neumf_tui.runs.reader import read_info, read_snapshot
from neumf_tui.runs.requests import Request, take_requests
from neumf_tui.runs.writer import RunWriter
from neumf_tui.training.distributed.group import Group


class Orders:
    """Takes requests, answers each with an event, and says what is to be done; the loop does it."""

    def __init__(self, writer: RunWriter, user_ids: Sequence[str], group: Group) -> None:
        self._writer = writer
        self._group = group
        self._signal = ""
        self._user_ids = user_ids
        info, before = read_info(writer.folder), read_snapshot(writer.folder)
        self.epochs = before.planned or info.epochs
        """The run ends after this many."""
        self._pinned = list(info.pins if before.pinned is None else before.pinned)
        self.stop_reason = ""
        """Not empty: stop, for this reason."""
        self.discard = False
        """Stop without a checkpoint."""
        self.pause = False
        self.save = False
        """Write a checkpoint of where the run stands."""

    def take(self, epoch: int) -> None:
        """Take the requests and signals that have come in; `epoch` is the one under way, from 1.

        Rank 0 takes them, and every rank then knows of the same: what they do together they do in the same order.
        """
        if self._group.rank == 0:
            self._take_all(epoch)
        if self._group.size > 1:
            own = self.epochs, self.stop_reason, self.discard, self.pause, self.save
            self.epochs, self.stop_reason, self.discard, self.pause, self.save = self._group.first(
                own
            )

    def _take_all(self, epoch: int) -> None:
        self.stop_reason = self.stop_reason or self._signal
        for request in take_requests(self._writer.folder):
            problem = self._take(request, epoch)
            # The effect first: a crash in between leaves a request without its answer, never an answer without its effect.
            if problem:
                self._writer.event(
                    events.Warned(t=time.time(), text=f"request {request.what}: {problem}")
                )
            else:
                self._writer.event(
                    events.Requested(t=time.time(), what=request.what, argument=request.argument)
                )

    def _take(self, request: Request, epoch: int) -> str:
        """Note one request; what is wrong with it, if anything."""
        match request.what:
            case requests.STOP:
                self.stop_reason = "stopped on request"
            case requests.STOP_NOW:
                self.stop_reason, self.discard = (
                    "stopped at once on request, without a checkpoint",
                    True,
                )
            case requests.PAUSE:
                self.pause = True
            case requests.RESUME:
                self.pause = False
            case requests.CHECKPOINT:
                self.save = True
            case requests.EXTEND:
                return self._extend(request.argument, epoch)
            case requests.PIN | requests.UNPIN:
                return self._pin(request)
            case _:
                return "not known to this version"
        return ""

    def _extend(self, argument: str, epoch: int) -> str:
        if not argument.isdecimal() or int(argument) < max(epoch, 1):
            return f"{argument!r} is not a number of epochs from {max(epoch, 1)}, the one under way"
        self.epochs = int(argument)
        self._writer.event(events.Extended(t=time.time(), epochs=self.epochs))
        return ""

    def _pin(self, request: Request) -> str:
        user = request.argument
        if request.what == requests.PIN:
            if user not in self._user_ids:
                return f"no user {user!r}"
            self._pinned += [user] * (user not in self._pinned)
        elif user in self._pinned:
            self._pinned.remove(user)
        self._writer.event(events.Pinned(t=time.time(), users=self._pinned))
        return ""

    def on_signal(self, number: int, _frame: object) -> None:
        self._signal = f"stopped by {signal.Signals(number).name}"
