"""Pass keys to the screens one by one, and keep typed-ahead keys away from questions.

Textual gives a key to the widget that has the focus when the key arrives. What the keys before it
do, such as `/` which moves the focus to a line, has often not happened by then. So each key waits
here until everything that the one before it has caused is done.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual import events
from textual.app import App
from textual.message_pump import MessagePump
from textual.screen import Screen

from neumf_tui.tui.terminal.screen import TerminalScreen

LOOK_SECONDS = 0.001
"""Time between two looks whether the effects of a key are done."""
LOOKS_AT_ONCE = 30
"""Looks that do not wait for this time: most keys take less."""
MOST_LOOKS = 5_000
"""Looks after which a key no longer waits, for a screen that never comes to rest."""

Typed = events.Key | events.Paste


class TypedKeys:
    """The keys of an app that have been typed and not been handled yet."""

    def __init__(self, app: App[Any], handle: Callable[[Typed], Awaitable[None]]) -> None:
        self._app, self._handle = app, handle
        self._waiting: deque[Typed] = deque()
        self._looks_later = False
        self._looks = 0
        self._rested_on: Screen[Any] | None = None
        """The screen on which all effects of the last key were done; None while they are not."""

    @property
    def done(self) -> bool:
        """Whether all keys have been handled, with all their effects."""
        return not self._waiting and not self._looks_later and _nothing_follows(self._app)

    async def add(self, event: Typed) -> None:
        rules = self._app.screen
        if isinstance(rules, TerminalScreen) and rules.holds_keys and _name(event) == "escape":
            self._waiting.clear()
            rules.drop_held()
            return
        self._waiting.append(event)
        if not self._looks_later:
            await self._pass_on()

    async def _pass_on(self) -> None:
        """Handle the next key, if all effects of the one before it are done."""
        self._looks_later = False
        screen = self._app.screen
        if self._rested_on is not screen:
            self._looks += 1
            if self._looks < MOST_LOOKS and not _at_rest(self._app):
                self._look_later()
                return
            self._rested_on, self._looks = screen, 0
        if not self._waiting:
            return
        if isinstance(screen, TerminalScreen) and screen.holds_keys:
            self._rested_on, self._looks = None, LOOKS_AT_ONCE
            self._look_later()
            return
        event = self._waiting.popleft()
        if not _is_premature(event, screen):
            self._rested_on = None
            await self._handle(event)
        self._look_later()

    def _look_later(self) -> None:
        self._looks_later = True
        loop = asyncio.get_running_loop()
        pause = LOOK_SECONDS if self._looks > LOOKS_AT_ONCE else 0
        loop.call_later(pause, self._app.call_later, self._pass_on)


def _name(event: Typed) -> str:
    return event.key if isinstance(event, events.Key) else ""


def _is_premature(event: Typed, screen: Screen[Any]) -> bool:
    """Return whether a key would answer a question that was not shown when it was typed."""
    return (
        isinstance(screen, TerminalScreen)
        and event.time < screen.shown_at
        and screen.is_answer(_name(event))
    )


def _at_rest(app: App[Any]) -> bool:
    """Return whether the app and its present screen have handled all their messages."""
    screen = app.screen
    return (
        _nothing_follows(app)
        and not screen._callbacks
        and all(map(_has_handled_all, (screen, *screen.walk_children())))
    )


def _nothing_follows(pump: MessagePump) -> bool:
    """Return whether the message that `pump` handles at the moment is its last one."""
    # It may have taken the next one from its queue already.
    return pump._message_queue.empty() and pump._pending_message is None


def _has_handled_all(pump: MessagePump) -> bool:
    if pump._closing:
        return True
    queue: Any = pump._message_queue
    is_waiting = bool(queue.ready_event._waiters)
    return pump._is_mounted and queue.empty() and is_waiting and not pump._next_callbacks
