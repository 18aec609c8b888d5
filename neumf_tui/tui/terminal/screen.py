"""The base of all screens and dialogs: rules for keys, and errors that do not end them."""

import math
from dataclasses import replace
from typing import TypeVar

from textual import events
from textual.binding import ActiveBinding, Binding
from textual.message import Message
from textual.screen import Screen

from neumf_tui.crash import message_of
from neumf_tui.data.nouns import ITEM, Noun
from neumf_tui.errors import NeumfTuiError

T = TypeVar("T")


class TerminalScreen(Screen[T]):
    """A screen whose result, if it has one, is of the type T."""

    shown_at = math.inf
    """Time of the first drawing, on the clock of events."""
    noun: Noun = ITEM
    """What the dataset of the screen calls an item; ITEM where there is none, or several."""

    # The first drawing. Styles are made when a widget is mounted; Textual would make them all again
    # when the screen is shown, and once more when it has its size. Here the screen has its classes
    # and its own CSS before anything is mounted in it.

    async def _compose(self) -> None:
        width, height = self.app.size
        classes = [
            *self._get_breakpoint_classes(width, self.app.HORIZONTAL_BREAKPOINTS or []),
            *self._get_breakpoint_classes(height, self.app.VERTICAL_BREAKPOINTS or []),
        ]
        self.add_class(*classes, update=False)
        self.update_node_styles(animate=False)
        await super()._compose()

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        event.refresh_styles &= self.shown_at < math.inf

    # Keys.

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that work now, with the dataset's noun in what footer and help say of them."""
        return {
            key: active._replace(
                binding=replace(
                    active.binding,
                    description=self.noun.fill(self.name_of_key(active.binding)),
                    tooltip=self.noun.fill(active.binding.tooltip),
                ),
                tooltip=self.noun.fill(active.tooltip),
            )
            for key, active in super().active_bindings.items()
        }

    def name_of_key(self, binding: Binding) -> str:
        """Return what the footer calls a key: a template of `Noun.fill`."""
        return binding.description

    @property
    def holds_keys(self) -> bool:
        """Whether something is about to open for which the next keys are meant; they wait."""
        return False

    def drop_held(self) -> None:
        """Give up what the keys wait for: Escape was pressed."""

    def is_answer(self, key: str) -> bool:
        """Return whether this key answers a question; typed before it was shown, it does not."""
        return False

    # Errors: most come from a run that was deleted or damaged meanwhile.

    def show_problem(self, text: str) -> None:
        """Show what went wrong, as plain text."""
        self.notify(text, severity="error", markup=False, timeout=10)

    async def _on_message(self, message: Message) -> None:
        try:
            await super()._on_message(message)
        except (NeumfTuiError, OSError) as error:
            self.show_problem(message_of(error))
