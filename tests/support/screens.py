"""Helpers for screens under Textual's Pilot: wait for them, read what they show."""

from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from neumf_tui.tui.app import NeumfApp
from neumf_tui.tui.widgets.table import Table

SIZES = [(60, 20), (80, 24), (120, 40), (200, 50)]


async def settle(pilot: "Pilot[None]") -> None:
    """Wait until all workers are done, their messages are handled, and no request is open."""
    still = 0
    for _ in range(100):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        still = 0 if any(worker.is_running for worker in pilot.app.workers) else still + 1
        if still == 4:
            return


async def type_at_once(pilot: "Pilot[None]", *keys: str) -> None:
    """Press keys that arrive in one read, and wait until all have been handled."""
    app = pilot.app
    assert isinstance(app, NeumfApp)
    for key in keys:
        app.simulate_key(key)
    for _ in range(3000):
        await pilot.pause(0.005)
        if app.typed_keys.done or not app.is_running:
            return
    raise AssertionError("the keys have no end")


def text_of(where: NeumfApp | Screen[Any], selector: str) -> str:
    """Return the text of a widget of the screen, or of the app's current screen."""
    screen = where.screen if isinstance(where, NeumfApp) else where
    return str(screen.query_one(selector).render())


def cells(table: Table) -> list[list[str]]:
    """Return the cells of all rows."""
    return [list(table._cells(row)) for row in range(table.row_count)]


async def press_all(pilot: "Pilot[None]", *keys: str) -> None:
    """Press keys one after another, each as soon as the one before was handled."""
    for key in keys:
        pilot.app.simulate_key(key)
        await pilot.pause()
    # Three rounds are enough for a list that a thread finds after another has counted.
    for _ in range(3):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def screen_lines(app: NeumfApp) -> list[str]:
    """Return all that the screen says: its lines, its toasts, and what help says of its keys."""
    screen = app.screen
    keys = [active.binding for active in screen.active_bindings.values()]
    return [
        *("".join(part.text for part in strip) for strip in screen._compositor.render_strips()),
        *(str(notice.message) for notice in app._notifications),
        *(f"{key.description}: {key.tooltip}" for key in keys),
        *(f"{one.title}: {one.help}" for one in app.get_system_commands(screen)),
    ]
