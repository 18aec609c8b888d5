"""Requests that a training has received but not carried out yet."""

from collections.abc import Mapping, Sequence

from neumf_tui.runs import events, requests
from neumf_tui.runs.reader import read_info
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.runs.writer import RunWriter
from neumf_tui.text import clean

MOST_IGNORED = 20
"""Number of unknown names in the folder of requests about which a trainer warns."""


class PendingRequests:
    """Reads requests, answers each with an event, and tells the loop what to do.

    `before` is the snapshot at the start. `refused` says why a loop cannot do some requests, by
    name.
    """

    def __init__(
        self,
        writer: RunWriter,
        user_ids: Sequence[str],
        before: Snapshot,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        self._writer = writer
        self._refused = refused or {}
        self._user_ids = user_ids
        info = read_info(writer.folder)
        self.epochs = before.planned or info.epochs
        """Number of epochs after which the run ends."""
        self._pinned = list(info.pins if before.pinned is None else before.pinned)
        self._ignored: set[str] = set()
        """Names of what lies in the folder of requests and is not a request."""
        self.stop_reason = ""
        """Why to stop; empty: do not stop."""
        self.discard = False
        """Stop without a checkpoint."""
        self.pause = False
        self.save = False
        """Write a checkpoint of the current state."""

    def read(self, epoch: int) -> None:
        """Read new requests; `epoch` is the current one, from 1."""
        taken, others = requests.take_requests(self._writer.folder)
        self._warn_of(others)
        for what, argument in taken:
            problem = self._refused.get(what) or self._apply(what, argument, epoch)
            # The answer comes after the effect: a crash in between leaves a request without
            # its answer, never an answer without its effect.
            self._writer.event(
                events.Warned(text=f"request {what}: {problem}")
                if problem
                else events.Requested(what=what, argument=argument)
            )

    def _warn_of(self, others: Mapping[str, str]) -> None:
        """Write a warning for each name in the folder of requests that is new and not a request."""
        for name in sorted(others.keys() - self._ignored)[: MOST_IGNORED - len(self._ignored)]:
            self._ignored.add(name)
            path = f"requests/{clean(name[:80])}" if name else "requests"
            self._writer.event(events.Warned(text=f"{path}: {others[name]}; it is ignored"))

    def _apply(self, what: str, argument: str, epoch: int) -> str:
        """Apply one request, and return what is wrong with it, if anything."""
        match what:
            case requests.STOP:
                self.stop_reason = "stopped on request"
            case requests.STOP_NOW:
                self.stop_reason = "stopped at once on request, without a checkpoint"
                self.discard = True
            case requests.PAUSE:
                self.pause = True
            case requests.RESUME:
                self.pause = False
            case requests.CHECKPOINT:
                self.save = True
            case requests.EXTEND:
                return self._extend(argument, epoch)
            case requests.PIN | requests.UNPIN:
                if what == requests.UNPIN:
                    self._pinned = [user for user in self._pinned if user != argument]
                elif argument not in self._user_ids:
                    return f"no user {argument[:80]!r}"
                elif argument not in self._pinned:
                    self._pinned.append(argument)
                self._writer.event(events.Pinned(users=self._pinned))
            case _:
                return "this version does not know it"
        return ""

    def _extend(self, argument: str, epoch: int) -> str:
        least = max(epoch, 1)
        number = int(argument) if argument.isdecimal() and len(argument) < 10 else 0
        if number < least:
            return f"{argument[:20]!r} is not a number of epochs from {least} (the current one) on"
        self.epochs = number
        self._writer.event(events.Extended(epochs=self.epochs))
        return ""
