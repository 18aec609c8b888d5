"""The abilities of this terminal: screen, colours, background, clipboard, notices."""

import base64
import os
import re
import select
import sys
import termios
import time
from collections.abc import Mapping
from contextlib import suppress

from neumf_tui.text import clean

Rgb = tuple[int, int, int]
"""Red, green and blue, each from 0 to 255."""

NOTICES = ("auto", "osc9", "osc777", "both", "bell", "off")
"""Values of `how` in `notice_sequences`."""

_MUTE = ("", "dumb", "unknown", "linux")
"""Values of TERM whose terminals do not answer OSC 11 and may print the question."""
_CONSOLES = ("linux", "vt", "ansi", "cons", "dumb", "unknown")
"""Beginnings of the TERM of terminals that may print a sequence they do not know."""
_SCREEN_LIMIT = 768
"""Largest number of bytes of a sequence that GNU screen passes on."""
_DEPTHS = {"truecolor": 1 << 24, "256": 256, "standard": 16}
_ASK = b"\x1b]11;?\x1b\\"
_ASK_KIND = b"\x1b[c"
"""Primary device attributes (DA1): every terminal answers it, in order, which ends the wait."""
_KIND = re.compile(rb"\x1b\[\?[\d;]*c")
_COLOUR = re.compile(
    # With its end, so that a cut answer does not match. xterm's `rgba:` has a fourth part.
    rb"\x1b\]11;(?:rgba?:([\da-f]{1,4})/([\da-f]{1,4})/([\da-f]{1,4})"
    rb"|#([\da-f]{2})([\da-f]{2})([\da-f]{2}))(?=[\x07\x1b\x9c/])",
    re.IGNORECASE,
)
_ANSWER = re.compile(rb"\x1b\]1[01];[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|" + _KIND.pattern)
_XTERM_16: tuple[Rgb, ...] = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0),
    (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0),
    (92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255),
)  # fmt: skip


def why_no_screen() -> str:
    """Return why no screen can be opened, or nothing. Textual draws on stderr and reads stdin."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return "TERM is unset or dumb"
    for stream, name in (
        (sys.__stdin__, "stdin"),
        (sys.__stderr__, "stderr"),
        (sys.__stdout__, "stdout"),
    ):
        if stream is None or not stream.isatty():
            return f"{name} is not a terminal"
    return ""


def colour_depth(env: Mapping[str, str]) -> int:
    """Return how many colours the screen will use: 16777216, 256, 16, or 0 for none.

    The rule is Rich's (`Console._detect_color_system`). As in Textual, NO_COLOR counts even if it
    is empty.
    """
    if "NO_COLOR" in env:
        return 0
    forced = env.get("TEXTUAL_COLOR_SYSTEM", "auto")
    if forced != "auto":
        return _DEPTHS.get(forced, 0)
    term = env.get("TERM", "").strip().lower()
    if term in ("dumb", "unknown"):
        return 0
    if env.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        return 1 << 24
    return 256 if term.rpartition("-")[2] in ("256color", "kitty") else 16


def ask_background(
    limit: float = 0.3, env: Mapping[str, str] | None = None, typed: bytearray | None = None
) -> Rgb | None:
    """Ask the terminal on stdin and stderr for its background colour (OSC 11).

    Without an answer within `limit` seconds the colour comes from COLORFGBG, or is None. Nothing
    else may read stdin meanwhile. Keys that are pressed before the answer are appended to `typed`;
    an answer after `limit` reaches the next reader.
    """
    env = os.environ if env is None else env
    answer = b"" if env.get("TERM", "").lower() in _MUTE else _ask(limit)
    if typed is not None:
        typed += _ANSWER.sub(b"", answer)
    if found := _COLOUR.search(answer):
        red, green, blue = (
            round(int(part, 16) * 255 / (16 ** len(part) - 1)) for part in found.groups() if part
        )
        return red, green, blue
    # `foreground;background`; rxvt may add a part between them. `default` is not a colour.
    index = env.get("COLORFGBG", "").rpartition(";")[2]
    return _XTERM_16[int(index)] if index.isdecimal() and int(index) < 16 else None


def _ask(limit: float) -> bytes:
    """Return what the terminal sends within `limit` seconds, or until its DA1 answer."""
    stdin, stderr = sys.__stdin__, sys.__stderr__
    try:
        if stdin is None or stderr is None or not (stdin.isatty() and stderr.isatty()):
            return b""
        source, target = stdin.fileno(), stderr.fileno()
        if not _in_foreground(source):
            return b""
        before = termios.tcgetattr(source)
    except (OSError, ValueError, termios.error):
        return b""
    got = b""
    try:
        modes = termios.tcgetattr(source)
        modes[3] &= ~(termios.ECHO | termios.ICANON)  # Ctrl-C stays a signal
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        # TCSANOW: waiting for the output to drain could take forever on a stalled connection.
        termios.tcsetattr(source, termios.TCSANOW, modes)
        end = time.monotonic() + limit
        if select.select([], [target], [], limit)[1]:
            os.write(target, _ASK + _ASK_KIND)
            while (
                not _KIND.search(got)
                and select.select([source], [], [], max(0.0, end - time.monotonic()))[0]
            ):
                more = os.read(source, 4096)
                if not more:
                    break
                got += more
    except (OSError, ValueError, termios.error):
        pass
    finally:
        with suppress(OSError, termios.error):
            termios.tcsetattr(source, termios.TCSANOW, before)
    return got


def _in_foreground(fd: int) -> bool:
    """Return False for a background job, which is stopped if it changes the modes (SIGTTOU)."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True  # not the controlling terminal of this session, so the rule does not apply


def is_light(rgb: Rgb) -> bool:
    """Return whether black is easier to read on `rgb` than white.

    The limit of the relative luminance (WCAG 2) is √(1.05 × 0.05) − 0.05 = 0.179.
    """
    red, green, blue = (
        (c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in rgb
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179


def through_tmux(sequence: str) -> str:
    """Wrap `sequence` so that tmux passes it on; needs tmux's option `allow-passthrough`."""
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def through_screen(sequence: str) -> str:
    """Wrap `sequence`, which ends with BEL, in pieces of a length that GNU screen takes."""
    step = _SCREEN_LIMIT - len("\x1bP\x1b\\")
    pieces = (sequence[start : start + step] for start in range(0, len(sequence), step))
    return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)


def _in_screen(env: Mapping[str, str]) -> bool:
    """Return whether GNU screen may draw this terminal; over SSH only TERM says so."""
    return "TMUX" not in env and ("STY" in env or env.get("TERM", "").startswith("screen"))


def _through_multiplexer(sequence: str, env: Mapping[str, str]) -> str:
    """Wrap `sequence` for tmux or GNU screen; return an empty text outside both."""
    if "TMUX" in env:
        return through_tmux(sequence)
    return through_screen(sequence) if _in_screen(env) else ""


def clipboard_sequences(text: str, env: Mapping[str, str]) -> str:
    """Return what to write to the terminal to copy `text` to the clipboard (OSC 52).

    Inside tmux it is sent plain and wrapped, for `set-clipboard on` and for `allow-passthrough on`.
    GNU screen would print a long one, so there it is only wrapped, and a console gets nothing.
    The terminal does not confirm it.
    """
    if env.get("TERM", "").lower().startswith(_CONSOLES):
        return ""
    sequence = f"\x1b]52;c;{base64.b64encode(text.encode(errors='replace')).decode()}\a"
    wrapped = _through_multiplexer(sequence, env)
    if not _in_screen(env):
        return sequence + wrapped
    # Without STY, TERM may be that of tmux on another host.
    return wrapped if "STY" in env or len(sequence) >= _SCREEN_LIMIT else sequence + wrapped


def notice_kind(env: Mapping[str, str]) -> str:
    """Return what `auto` means in `notice_sequences`: `osc9`, `osc777`, or `both` if unknown.

    Over SSH little more than TERM is known; iTerm2 sends LC_TERMINAL for this reason.
    """
    term = env.get("TERM", "")
    if term.startswith(("rxvt", "foot")) or "VTE_VERSION" in env:
        return "osc777"
    known = (
        env.get("TERM_PROGRAM") in ("iTerm.app", "WezTerm", "ghostty")
        or env.get("LC_TERMINAL") == "iTerm2"
    )
    return "osc9" if known or term in ("xterm-kitty", "xterm-ghostty", "wezterm") else "both"


def notice_sequences(title: str, body: str, how: str, env: Mapping[str, str]) -> str:
    """Return what to write to the terminal for a desktop notice.

    All ways but `off` also ring the bell, which every terminal supports. tmux and GNU screen drop
    unknown sequences, so inside them only the wrapped form is sent. Raises ValueError unless `how`
    is one of NOTICES.
    """
    if how not in NOTICES:
        raise ValueError(f"{how}: expected one of {', '.join(NOTICES)}")
    if how == "off":
        return ""
    kind = notice_kind(env) if how == "auto" else how
    if env.get("TERM", "").lower().startswith(_CONSOLES):
        kind = "bell"
    title, body = clean(title).replace(";", ","), clean(body)
    sequences = ""
    if kind in ("osc9", "both"):
        sequences += f"\x1b]9;{title}: {body}\a"
    if kind in ("osc777", "both"):
        sequences += f"\x1b]777;notify;{title};{body}\a"
    if sequences:
        sequences = _through_multiplexer(sequences, env) or sequences
    return sequences + "\a"
