"""Colours that look the same with 256 colours, which terminals over SSH announce, as with millions.

Every colour is one of the 256, also those that Textual would blend and the terminal would round.
"""

from collections.abc import Mapping
from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

# Dark and light.
COLOURS = {
    "primary": ("#5fafff", "#005faf"),
    "secondary": ("#87afd7", "#5f5faf"),
    "accent": ("#d787ff", "#870087"),
    "foreground": ("#dadada", "#303030"),
    "background": ("#121212", "#eeeeee"),
    "surface": ("#1c1c1c", "#e4e4e4"),
    "panel": ("#303030", "#d0d0d0"),
    "success": ("#5fd787", "#008700"),
    "warning": ("#ffaf5f", "#af5f00"),
    "error": ("#ff5f5f", "#d70000"),
}
VARIABLES = {
    "foreground-darken-3": ("#585858", "#a8a8a8"),
    "foreground-muted": ("#9e9e9e", "#626262"),
    "primary-muted": ("#4e4e4e", "#b2b2b2"),
    "text": ("#dadada", "#303030"),
    "text-muted": ("#9e9e9e", "#626262"),
    "text-disabled": ("#6c6c6c", "#9e9e9e"),
    "text-primary": ("#87d7ff", "#005faf"),
    "text-secondary": ("#afafff", "#5f5faf"),
    "text-accent": ("#d7afff", "#870087"),
    "text-success": ("#87d787", "#008700"),
    "text-warning": ("#ffaf5f", "#af5f00"),
    "text-error": ("#ff8787", "#d70000"),
    "border": ("#5fafff", "#005faf"),
    "border-blurred": ("#4e4e4e", "#b2b2b2"),
    "block-cursor-background": ("#5fafff", "#005faf"),
    "block-cursor-foreground": ("#121212", "#eeeeee"),
    "block-cursor-text-style": ("none", "none"),
    "footer-background": ("#303030", "#d0d0d0"),
    "footer-key-foreground": ("#ffaf5f", "#af5f00"),
    "footer-description-foreground": ("#dadada", "#303030"),
    "scrollbar": ("#4e4e4e", "#b2b2b2"),
    "scrollbar-background": ("#1c1c1c", "#e4e4e4"),
    "input-cursor-background": ("#dadada", "#303030"),
    "input-selection-background": ("#005f87", "#afd7ff"),
}
# The terminal's own 16 colours; faint borders differ from bold ones.
ANSI_VARIABLES = {
    "primary-muted": "ansi_bright_black",
    "border": "ansi_blue",
    "border-blurred": "ansi_bright_black",
    "foreground-darken-3": "ansi_bright_black",
    "text-muted": "ansi_default",
    "text-primary": "ansi_cyan",
    "text-secondary": "ansi_blue",
    "text-accent": "ansi_magenta",
    "text-success": "ansi_green",
    "text-warning": "ansi_yellow",
    "text-error": "ansi_red",
    "scrollbar": "ansi_bright_black",
    "scrollbar-background": "ansi_default",
}


def _theme(name: str, column: int) -> Theme:
    return Theme(
        name,
        dark=column == 0,
        variables={name: pair[column] for name, pair in VARIABLES.items()},
        **{name: pair[column] for name, pair in COLOURS.items()},  # type: ignore[arg-type]
    )


def _ansi_theme(name: str, base: Theme) -> Theme:
    variables = base.variables | ANSI_VARIABLES
    accents = {"accent": "ansi_magenta", "warning": "ansi_yellow"}
    return replace(base, name=name, ansi=True, variables=variables, **accents)  # type: ignore[arg-type]


THEMES = (
    _theme("neumf-dark", 0),
    _theme("neumf-light", 1),
    _ansi_theme("neumf-ansi-dark", BUILTIN_THEMES["ansi-dark"]),
    _ansi_theme("neumf-ansi-light", BUILTIN_THEMES["ansi-light"]),
)


def theme_names() -> list[str]:
    return sorted([*(theme.name for theme in THEMES), *BUILTIN_THEMES])


def choose_theme(wanted: str, env: Mapping[str, str], light: bool, few_colours: bool) -> str:
    """Return the theme: the one wanted, or one that suits background and number of colours."""
    if wanted != "auto":
        return wanted
    colours = "ansi-" if "NO_COLOR" in env or few_colours else ""
    return f"neumf-{colours}{'light' if light else 'dark'}"
