"""Colours that look the same with 256 colours, which terminals over SSH announce, as with millions.

Every colour is one of the 256, also those that Textual would blend and the terminal would round.
"""

from collections.abc import Mapping

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="neumf-dark",
    dark=True,
    primary="#5fafff",
    secondary="#87afd7",
    accent="#d787ff",
    foreground="#dadada",
    background="#121212",
    surface="#1c1c1c",
    panel="#303030",
    success="#5fd787",
    warning="#ffaf5f",
    error="#ff5f5f",
    variables={
        "foreground-darken-3": "#585858",
        "foreground-muted": "#9e9e9e",
        "primary-muted": "#4e4e4e",
        "text": "#dadada",
        "text-muted": "#9e9e9e",
        "text-disabled": "#6c6c6c",
        "text-primary": "#87d7ff",
        "text-secondary": "#afafff",
        "text-accent": "#d7afff",
        "text-success": "#87d787",
        "text-warning": "#ffaf5f",
        "text-error": "#ff8787",
        "border": "#5fafff",
        "border-blurred": "#4e4e4e",
        "block-cursor-background": "#5fafff",
        "block-cursor-foreground": "#121212",
        "block-cursor-text-style": "none",
        "footer-background": "#303030",
        "footer-key-foreground": "#ffaf5f",
        "footer-description-foreground": "#dadada",
        "scrollbar": "#4e4e4e",
        "scrollbar-background": "#1c1c1c",
        "input-cursor-background": "#dadada",
        "input-selection-background": "#005f87",
    },
)
LIGHT = Theme(
    name="neumf-light",
    dark=False,
    primary="#005faf",
    secondary="#5f5faf",
    accent="#870087",
    foreground="#303030",
    background="#eeeeee",
    surface="#e4e4e4",
    panel="#d0d0d0",
    success="#008700",
    warning="#af5f00",
    error="#d70000",
    variables={
        "foreground-darken-3": "#a8a8a8",
        "foreground-muted": "#626262",
        "primary-muted": "#b2b2b2",
        "text": "#303030",
        "text-muted": "#626262",
        "text-disabled": "#9e9e9e",
        "text-primary": "#005faf",
        "text-secondary": "#5f5faf",
        "text-accent": "#870087",
        "text-success": "#008700",
        "text-warning": "#af5f00",
        "text-error": "#d70000",
        "border": "#005faf",
        "border-blurred": "#b2b2b2",
        "block-cursor-background": "#005faf",
        "block-cursor-foreground": "#eeeeee",
        "block-cursor-text-style": "none",
        "footer-background": "#d0d0d0",
        "footer-key-foreground": "#af5f00",
        "footer-description-foreground": "#303030",
        "scrollbar": "#b2b2b2",
        "scrollbar-background": "#e4e4e4",
        "input-cursor-background": "#303030",
        "input-selection-background": "#afd7ff",
    },
)


def _ansi(name: str, base: Theme, faint: str) -> Theme:
    """Return a theme of the terminal's own 16 colours, with a faint one for borders."""
    return Theme(
        name=name,
        ansi=True,
        dark=base.dark,
        primary=base.primary,
        secondary=base.secondary,
        accent="ansi_magenta",
        foreground=base.foreground,
        background=base.background,
        surface=base.surface,
        panel=base.panel,
        boost=base.boost,
        success=base.success,
        warning="ansi_yellow",
        error=base.error,
        variables=base.variables
        | {
            "primary-muted": faint,
            "border": "ansi_blue",
            "border-blurred": faint,
            "foreground-darken-3": faint,
            "text-muted": "ansi_default",
            "text-primary": "ansi_cyan",
            "text-secondary": "ansi_blue",
            "text-accent": "ansi_magenta",
            "text-success": "ansi_green",
            "text-warning": "ansi_yellow",
            "text-error": "ansi_red",
            "scrollbar": faint,
            "scrollbar-background": "ansi_default",
        },
    )


ANSI_DARK = _ansi("neumf-ansi-dark", BUILTIN_THEMES["ansi-dark"], "ansi_bright_black")
ANSI_LIGHT = _ansi("neumf-ansi-light", BUILTIN_THEMES["ansi-light"], "ansi_bright_black")
THEMES = (DARK, LIGHT, ANSI_DARK, ANSI_LIGHT)


def theme_names() -> list[str]:
    return sorted([*(theme.name for theme in THEMES), *BUILTIN_THEMES])


def choose_theme(wanted: str, env: Mapping[str, str], light: bool, few_colours: bool) -> str:
    """Return the theme: the one wanted, or one that suits background and number of colours."""
    if wanted != "auto":
        return wanted
    if "NO_COLOR" in env or few_colours:
        return ANSI_LIGHT.name if light else ANSI_DARK.name
    return LIGHT.name if light else DARK.name
