"""The pane beside the users of the failures screen: how all ranks are spread, and one user."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import getters
from textual.app import ComposeResult
from textual.containers import Vertical

from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.fitted_text import FittedText
from neumf_tui.views.failures import USER_LINES, fewer, user_text
from neumf_tui.views.histogram import histogram

if TYPE_CHECKING:
    from neumf_tui.explore.failures import Failures


class FailuresSide(Vertical):
    """A narrow table leaves columns out; here is everything about the user under its cursor."""

    spread_box = getters.query_one("#failures-spread", FittedText)
    user_box = getters.query_one("#failures-user", Static)

    def __init__(self) -> None:
        super().__init__(id="failures-side", classes="failures-pane")
        self.border_title = "ranks"
        self._failures: Failures | None = None
        self._members: NDArray[np.int64] | None = None
        """The users whose ranks are drawn; None for all."""

    def compose(self) -> ComposeResult:
        yield FittedText(id="failures-spread")
        yield Static(id="failures-user")

    def show_failures(
        self, failures: "Failures", members: "NDArray[np.int64] | None" = None
    ) -> None:
        """Show how the ranks of some users, or of all, are spread."""
        self._failures, self._members = failures, members
        users = failures.evaluated if members is None else members
        unlisted = int(np.isin(failures.unlisted, users).sum())
        beyond = f", {unlisted:,} beyond" if unlisted else ""
        self.border_title = f"ranks of {len(users):,} users{beyond}"
        self.on_resize()

    def show_user(self, user: int) -> None:
        if self._failures is not None:
            self.user_box.update(user_text(self._failures, user))

    def show_nobody(self, text: str) -> None:
        """Say why nobody is listed."""
        self.user_box.update(Text(text))

    def on_resize(self) -> None:
        failures = self._failures
        if failures is None:
            return
        bins = failures.bins(self._members) if len(failures.evaluated) else []
        if self.scrollable_content_region.height < len(bins) + USER_LINES:
            bins = fewer(bins)
        self.spread_box.show(partial(histogram, bins, outside="red"))
