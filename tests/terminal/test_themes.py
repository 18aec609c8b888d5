"""Colours: whether every theme's text can be read, and what colour alone would say."""

import re
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

import neumf_tui
from neumf_tui.tui.terminal.themed import COLOURS, themed_style
from neumf_tui.tui.terminal.themes import (
    AREAS,
    RULES,
    TEXTS,
    THEMES,
    contrast,
    readable,
)

ALL = {theme.name: theme for theme in (*BUILTIN_THEMES.values(), *THEMES)}
PAINTED = [name for name, theme in ALL.items() if not theme.ansi]
ROOT = Path(neumf_tui.__file__).parent
STYLES = [*ROOT.rglob("*.tcss"), *(ROOT / "tui").rglob("*.py")]


def variables(theme: Theme) -> dict[str, str]:
    """Return a theme's CSS variables as Textual makes them."""
    return {**theme.to_color_system().generate(), **theme.variables}


def test_contrast_is_that_of_the_standard() -> None:
    black, white = Color(0, 0, 0), Color(255, 255, 255)
    assert contrast(black, white) == contrast(white, black) == 21
    assert contrast(white, white) == 1
    assert contrast(Color.parse("#767676"), white) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize("name", PAINTED)
def test_everything_can_be_read(name: str) -> None:
    """Text has a contrast of 4.5, lines of 3; text that cannot be chosen has 3, to say so."""
    found = readable(ALL[name], variables(ALL[name]))
    base = Color.parse(found["background"])
    for names, areas, least in RULES:
        for area in areas:
            behind = base + Color.parse(found[area])
            for one in names:
                assert contrast(Color.parse(found[one]), behind) >= least, (one, area)
    assert readable(ALL[name], found) == found


@pytest.mark.parametrize("name", ["neumf-dark", "neumf-light"])
def test_own_themes_are_shown_as_they_are(name: str) -> None:
    """So that their colours stay among the 256."""
    theme = ALL[name]
    found = readable(theme, variables(theme))
    changed = {
        one: (value, found[one])
        for one, value in theme.variables.items()
        if value.startswith("#") and Color.parse(found[one]) != Color.parse(value)
    }
    assert not changed


def test_muted_text_of_foreign_themes_has_a_colour() -> None:
    """Textual writes `auto 60%`, which is white where nobody knows what is behind it."""
    theme = ALL["textual-light"]
    assert variables(theme)["text-muted"].startswith("auto")
    assert readable(theme, variables(theme))["text-muted"].startswith("#")


# What each of the terminal's 16 colours is, for xterm and for GNOME's terminal.
ANSI = {
    "black": ("#000000", "#171421"), "red": ("#cd0000", "#c01c28"),
    "green": ("#00cd00", "#26a269"), "yellow": ("#cdcd00", "#a2734c"),
    "blue": ("#0000ee", "#12488b"), "magenta": ("#cd00cd", "#a347ba"),
    "cyan": ("#00cdcd", "#2aa1b3"), "white": ("#e5e5e5", "#d0cfcc"),
    "bright_black": ("#7f7f7f", "#5e5c64"), "bright_red": ("#ff0000", "#f66151"),
    "bright_blue": ("#5c5cff", "#2a7bde"), "bright_magenta": ("#ff00ff", "#c061cb"),
}  # fmt: skip


@pytest.mark.parametrize("palette", [0, 1], ids=["xterm", "gnome"])
@pytest.mark.parametrize("name", [name for name in ALL if name not in PAINTED])
def test_the_terminals_own_colours_can_be_read(name: str, palette: int) -> None:
    theme = ALL[name]
    found = readable(theme, variables(theme))
    behind = Color.parse("#000000" if theme.dark else "#ffffff")
    for one in (*TEXTS, "footer-key-foreground", "primary-muted", "border"):
        colour = found[one].removeprefix("ansi_")
        if colour != "default":
            # A terminal's palette is its own: gross faults only, such as yellow on white.
            assert contrast(Color.parse(ANSI[colour][palette]), behind) >= 2.9, (one, colour)


def test_only_measured_colours_are_used() -> None:
    """Every colour of a text or a line in our CSS is one that `readable` looks after."""
    measured = {name for names, _, _ in RULES for name in names}
    for path in STYLES:
        css = path.read_text("utf-8")
        for use in re.findall(r"(?:color|border[a-z-]*):[^;{}]*\$([a-z0-9-]+)", css):
            assert use in measured, (path.name, use)
        for use in re.findall(r"[^-]background:[^;{}]*\$([a-z0-9-]+)", css):
            assert use in {*AREAS, "block-cursor-background", "primary-muted"}, (path.name, use)
    assert {name.removeprefix("$") for name in COLOURS.values()} <= set(TEXTS)


RICH_COLOURS = re.compile(
    r"""["'](?:not |bold |italic )*((?:bright_|dark_|grey|gray)?(?:black|white|blue|magenta|cyan"""
    r"""|red|green|yellow|orange|purple|grey|gray)\d*|#[0-9a-f]{6})["']"""
)


def test_texts_use_no_other_colours() -> None:
    """A colour that `themed` does not know would be the same on every background."""
    for path in (*(ROOT / "tui").rglob("*.py"), *(ROOT / "views").glob("*.py")):
        if path.name != "themes.py":
            for colour in RICH_COLOURS.findall(path.read_text("utf-8")):
                assert colour in COLOURS, (path.name, colour)


def test_styles_of_texts_become_those_of_the_theme() -> None:
    assert themed_style("bold red") == "bold $text-error"
    assert themed_style("not bold dim") == "not bold $text-muted"
    assert themed_style("") == ""
