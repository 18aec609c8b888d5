"""Colours that can be read in every theme, and our own themes.

Own themes look the same with 256 colours, which terminals over SSH announce, as with millions:
every colour is one of the 256, also those that Textual would blend and the terminal would round.
"""

from collections.abc import Mapping
from dataclasses import replace

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

# Dark and light.
COLOURS = {
    "primary": ("#5fafff", "#005faf"),
    "secondary": ("#87afd7", "#5f5faf"),
    "accent": ("#d787ff", "#870087"),
    "foreground": ("#dadada", "#303030"),
    "background": ("#121212", "#eeeeee"),
    "surface": ("#1c1c1c", "#e4e4e4"),
    "panel": ("#303030", "#d7d7d7"),
    "success": ("#5fd787", "#005f00"),
    "warning": ("#ffaf5f", "#5f5f00"),
    "error": ("#ff5f5f", "#af0000"),
}
VARIABLES = {
    "foreground-darken-3": ("#6c6c6c", "#808080"),
    "foreground-muted": ("#9e9e9e", "#585858"),
    "primary-muted": ("#6c6c6c", "#808080"),
    "text": ("#dadada", "#303030"),
    "text-muted": ("#9e9e9e", "#585858"),
    "text-disabled": ("#808080", "#767676"),
    "text-primary": ("#87d7ff", "#005f87"),
    "text-secondary": ("#afafff", "#5f00d7"),
    "text-accent": ("#d7afff", "#870087"),
    "text-success": ("#87d787", "#005f00"),
    "text-warning": ("#ffaf5f", "#5f5f00"),
    "text-error": ("#ff8787", "#af0000"),
    "border": ("#5fafff", "#005faf"),
    "border-blurred": ("#6c6c6c", "#808080"),
    "block-cursor-background": ("#5fafff", "#005faf"),
    "block-cursor-foreground": ("#121212", "#eeeeee"),
    "block-cursor-text-style": ("none", "none"),
    "block-cursor-blurred-background": ("#303030", "#d7d7d7"),
    "footer-background": ("#303030", "#d7d7d7"),
    "footer-key-foreground": ("#ffaf5f", "#5f5f00"),
    "footer-description-foreground": ("#dadada", "#303030"),
    "scrollbar": ("#6c6c6c", "#808080"),
    "scrollbar-background": ("#1c1c1c", "#e4e4e4"),
    "input-cursor-background": ("#dadada", "#303030"),
    "input-selection-background": ("#005f87", "#afd7ff"),
}
# The terminal's own 16 colours. Only some of them can be read on black, and others on white: blue
# and red are too dark for the one, green, yellow and cyan too light for the other.
ANSI_VARIABLES = {
    "primary-muted": ("ansi_bright_black", "ansi_bright_black"),
    "border": ("ansi_cyan", "ansi_blue"),
    "border-blurred": ("ansi_bright_black", "ansi_bright_black"),
    "foreground-darken-3": ("ansi_bright_black", "ansi_bright_black"),
    "foreground-muted": ("ansi_default", "ansi_default"),
    "text-muted": ("ansi_default", "ansi_default"),
    "text-disabled": ("ansi_default", "ansi_default"),
    "footer-disabled": ("ansi_default", "ansi_default"),
    "text-primary": ("ansi_cyan", "ansi_blue"),
    "text-secondary": ("ansi_bright_blue", "ansi_magenta"),
    "text-accent": ("ansi_bright_magenta", "ansi_magenta"),
    "text-success": ("ansi_green", "ansi_blue"),
    "text-warning": ("ansi_yellow", "ansi_magenta"),
    "text-error": ("ansi_bright_red", "ansi_red"),
    "footer-key-foreground": ("ansi_yellow", "ansi_magenta"),
    "scrollbar": ("ansi_bright_black", "ansi_bright_black"),
    "scrollbar-background": ("ansi_default", "ansi_default"),
}
TEXT, LINE, AREA = 4.5, 3.0, 1.1
"""Least contrast of text, and of lines and marks, with what is behind them (WCAG 2.2, 1.4.3 and
1.4.11); and of an area with the area around it, which no rule asks for."""
AREAS = ("background", "surface", "panel")
TEXTS = (
    "foreground", "foreground-muted", "text-muted", "text-primary", "text-secondary",
    "text-accent", "text-success", "text-warning", "text-error",
)  # fmt: skip
LINES = (
    "border", "border-blurred", "primary-muted", "foreground-darken-3", "scrollbar",
    "block-cursor-background",
)  # fmt: skip
RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], float], ...] = (
    (("panel",), ("background", "surface"), AREA),
    (LINES, ("background", "surface"), LINE),
    (("scrollbar",), ("scrollbar-background",), LINE),
    (TEXTS, AREAS, TEXT),
    # It cannot be chosen, which is what its lower contrast says.
    (("text-disabled",), AREAS, LINE),
    (("footer-disabled",), ("footer-background",), LINE),
    (("block-cursor-foreground",), ("block-cursor-background",), TEXT),
    (("block-cursor-blurred-foreground",), ("block-cursor-blurred-background",), TEXT),
    (("input-cursor-foreground",), ("input-cursor-background",), TEXT),
    (("input-selection-foreground",), ("input-selection-background",), TEXT),
    (
        ("footer-foreground", "footer-key-foreground", "footer-description-foreground"),
        ("footer-background",),
        TEXT,
    ),
)
"""Names of colours, of what can be behind them, and their least contrast; applied in this order."""
MUTED = 0.35
"""How far muted text is from the foreground towards the background, where a theme says `auto`."""
_STEP = 0.05


def contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of two opaque colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    shares = (channel / 255 for channel in colour.rgb)
    linear = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return sum(w * share for w, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def readable(theme: Theme, variables: Mapping[str, str]) -> dict[str, str]:
    """Return a theme's CSS variables with colours that can be read on what is behind them.

    A colour with too little contrast is mixed with white or black until it has enough; others stay.
    """
    found = dict(variables)
    if theme.ansi:
        return found | {name: pair[not theme.dark] for name, pair in ANSI_VARIABLES.items()}
    base = Color.parse(found["background"])
    if found["text-muted"].startswith("auto"):  # white or black, mixed with nobody knows what
        found["text-muted"] = Color.parse(found["foreground"]).blend(base, MUTED).hex
    found.setdefault("footer-disabled", found["text-disabled"])
    for names, areas, least in RULES:
        behind = [_opaque(found[area], base) for area in areas]
        found |= {area: colour.hex for area, colour in zip(areas, behind, strict=True)}
        for name in names:
            found[name] = _with_contrast(_opaque(found[name], behind[0]), behind, least).hex
    return found


def _opaque(value: str, behind: Color) -> Color:
    """Return a CSS colour, such as `auto 87%` or `#81a1c1 35%`, as it looks on another one."""
    name, _, percent = value.partition(" ")
    share = float(percent.removesuffix("%")) / 100 if percent else 1.0
    colour = behind.get_contrast_text(1.0) if name == "auto" else Color.parse(name)
    return behind + colour.multiply_alpha(share)


def _with_contrast(colour: Color, behind: list[Color], least: float) -> Color:
    """Return the colour nearest to `colour`, towards white or black, that has enough contrast."""

    def enough(one: Color) -> bool:
        return all(contrast(one, other) >= least for other in behind)

    if enough(colour):
        return colour
    ends = [Color(255, 255, 255), Color(0, 0, 0)]
    ends.sort(key=lambda end: -min(contrast(end, other) for other in behind))
    mixed = (colour.blend(ends[0], step * _STEP) for step in range(1, round(1 / _STEP)))
    return next(filter(enough, mixed), ends[0])


def _theme(name: str, column: int) -> Theme:
    return Theme(
        name,
        dark=column == 0,
        variables={name: pair[column] for name, pair in VARIABLES.items()},
        **{name: pair[column] for name, pair in COLOURS.items()},  # type: ignore[arg-type]
    )


THEMES = (
    _theme("neumf-dark", 0),
    _theme("neumf-light", 1),
    replace(BUILTIN_THEMES["ansi-dark"], name="neumf-ansi-dark"),
    replace(BUILTIN_THEMES["ansi-light"], name="neumf-ansi-light"),
)


def theme_names() -> list[str]:
    return sorted([*(theme.name for theme in THEMES), *BUILTIN_THEMES])


def choose_theme(wanted: str, env: Mapping[str, str], light: bool, few_colours: bool) -> str:
    """Return the theme: the one wanted, or one that suits background and number of colours."""
    if wanted != "auto":
        return wanted
    colours = "ansi-" if "NO_COLOR" in env or few_colours else ""
    return f"neumf-{colours}{'light' if light else 'dark'}"
