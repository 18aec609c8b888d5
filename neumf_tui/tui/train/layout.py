"""Show and hide the panes of the train screen by classes, which app.tcss explains."""

from textual.screen import Screen

PANES = ("charts", "race", "host", "log")
"""Panes by the number of their key."""


def toggle_pane(screen: Screen[None], pane: str) -> None:
    """Show or hide a pane. A narrow screen shows at most one of them below the charts."""
    if not screen.has_class("-narrow"):
        screen.toggle_class(f"-hide-{pane}")
        return
    at_first = "" if screen.has_class("-short") else "race"
    shown = next((p for p in PANES[1:] if screen.has_class(f"-show-{p}")), at_first)
    hidden = screen.has_class("-hide-lower")
    for name in PANES:
        screen.set_class(name == pane and (shown != pane or hidden), f"-show-{name}")
    screen.set_class(shown == pane and not hidden, "-hide-lower")


def toggle_settings(screen: Screen[None]) -> None:
    """Show or hide the settings, which only a very wide screen shows at first."""
    narrower = screen.app.size.width < 160
    screen.toggle_class("-show-overview" if narrower else "-hide-overview")


def toggle_side(screen: Screen[None]) -> None:
    """Show or hide this epoch and the host."""
    if screen.has_class("-narrow"):
        toggle_pane(screen, "host")
    else:
        screen.toggle_class("-hide-side")
