"""Encode a screen for a terminal that cannot show all characters."""

import codecs
import unicodedata

_LIKE = str.maketrans({
    **dict.fromkeys("─━╌┄═", "-"), **dict.fromkeys("│┃╎┆║▏▎▍▌▐▕", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛╋┣┫┳┻", "+"),
    **dict.fromkeys("▁▂▃▄▔▀", "_"), **dict.fromkeys("▅▆▇█▊▉▋", "#"),
    **dict.fromkeys("·•●○∙", "*"), **dict.fromkeys("→▸▶›", ">"), **dict.fromkeys("←◂◀‹", "<"),
    **dict.fromkeys("↑▲△", "^"), **dict.fromkeys("↓▼▽", "v"),
    **dict.fromkeys("–—−", "-"), **dict.fromkeys("“”", '"'), **dict.fromkeys("‘’", "'"),
    "…": "~", "×": "x", "±": "~", "✓": "x", "⠀": " ",
})  # fmt: skip
"""Characters of the screens, and what stands for them in ASCII."""
_DOTS = "\u2800", "\u28ff"
"""The Braille characters, of which the charts are made."""


def _like(character: str) -> str:
    """Return ASCII that is as wide as `character`."""
    if character.translate(_LIKE) != character:
        return character.translate(_LIKE)
    if _DOTS[0] < character <= _DOTS[1]:
        return "*"
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return ""
    return "??" if unicodedata.east_asian_width(character) in "WF" else "?"


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(_like, error.object[error.start : error.end])), error.end


codecs.register_error("like-ascii", _replace)


def encode(text: str, encoding: str) -> bytes:
    """Return `text` in `encoding`; ASCII stands for what it does not have."""
    return text.encode(encoding, "like-ascii")
