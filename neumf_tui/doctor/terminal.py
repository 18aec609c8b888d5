"""Checks of the terminal: size, colours, encoding, SSH, tmux, clipboard, notices."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from neumf_tui.doctor.check import Finding, Probes, State, note, ok, problem
from neumf_tui.terminal import colour_depth, is_light, notice_kind

_TMUX_CONF = "# in ~/.tmux.conf, then: tmux source-file ~/.tmux.conf"
_UNKNOWN = "whether the terminal supports it cannot be detected"


def check_terminal(probes: Probes) -> Finding:
    term = probes.env.get("TERM", "")
    size = probes.size()
    text = f"TERM={term}" if term else "TERM is not set"
    if size is None:
        return note(f"{text}; no terminal to measure")
    columns, lines = size
    text += f", {columns} columns, {lines} lines"
    if columns < 60 or lines < 16:
        return note(f"{text}: too small; use at least 60 columns and 16 lines")
    return ok(text)


def check_screen(probes: Probes) -> Finding:
    why = probes.no_screen()
    if not why:
        return ok("possible")
    # A redirected stream concerns this call only.
    state: State = "note" if why.endswith("is not a terminal") else "problem"
    return Finding(state, f"not possible: {why}; `train` continues as with --plain")


def check_colours(probes: Probes) -> Finding:
    env = probes.env
    depth = colour_depth(env)
    if depth == 1 << 24:
        return ok("24-bit")
    if "NO_COLOR" in env:
        return note("none: NO_COLOR is set", "unset NO_COLOR")
    if depth == 0:
        return note("none: TERM says that the terminal has no colours")
    text = f"{depth} colours: COLORTERM is not truecolor; set it if the terminal has 24-bit colours"
    fix: tuple[str, ...] = ("# in ~/.profile on this host", "export COLORTERM=truecolor")
    if "TMUX" in env:
        fix += (
            _TMUX_CONF,
            'set -g default-terminal "tmux-256color"',
            'set -as terminal-features ",*:RGB"',
        )
    elif _over_ssh(env):
        text += ", or let SSH pass it on"
        fix += (
            "# or in ~/.ssh/config on your own computer",
            "SendEnv COLORTERM",
            "# and in /etc/ssh/sshd_config on this host",
            "AcceptEnv COLORTERM",
        )
    return note(text, *fix)


def check_background(probes: Probes) -> Finding:
    rgb = probes.background()
    if rgb is None:
        return note("unknown: the terminal does not answer (OSC 11)")
    shade = "light" if is_light(rgb) else "dark"
    return ok(f"{shade} (#{rgb[0]:02x}{rgb[1]:02x}{rgb[2]:02x})")


def check_unicode(probes: Probes) -> Finding:
    encoding, env = probes.encoding(), probes.env
    name = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if env.get(name)), "")
    value = env.get(name, "")
    setting = f"{name}={value}" if name else "no LANG or LC_ variable"
    unset = ("unset LC_ALL LC_CTYPE",) if name.startswith("LC") else ()
    fix = ("# in ~/.profile on this host", *unset, "export LANG=C.UTF-8")
    if not _is_utf8(encoding):
        text = f"{encoding} ({setting}): chart lines and titles are displayed wrongly"
        return problem(text, *fix)
    if not _is_utf8(value):
        return note(f"UTF-8 for this program, but {setting}: tmux and others may differ", *fix)
    return ok(f"UTF-8 ({setting})")


def _is_utf8(name: str) -> bool:
    return "utf8" in name.lower().replace("-", "")


def _over_ssh(env: Mapping[str, str]) -> bool:
    return bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY"))


def check_ssh(probes: Probes) -> Finding:
    if not _over_ssh(probes.env):
        return ok("no: this terminal is on this machine")
    client = probes.env.get("SSH_CONNECTION", "").partition(" ")[0]
    return ok(f"yes, from {client}" if client else "yes")


@dataclass(frozen=True)
class _Tmux:
    """Options of tmux; empty if tmux does not know them."""

    version: str
    default_terminal: str
    set_clipboard: str
    allow_passthrough: str
    focus_events: str

    @property
    def passes(self) -> bool:
        """Whether it passes sequences on; before 3.3, which added the option, it always did."""
        return self.allow_passthrough != "off"


def _ask_tmux(probes: Probes) -> _Tmux:
    def ask(*command: str) -> str:
        try:
            return probes.run(["tmux", *command])
        except (OSError, subprocess.SubprocessError):
            return ""

    return _Tmux(
        version=ask("-V").removeprefix("tmux "),
        default_terminal=ask("show", "-gv", "default-terminal"),
        set_clipboard=ask("show", "-sv", "set-clipboard"),
        allow_passthrough=ask("show", "-gv", "allow-passthrough"),
        focus_events=ask("show", "-sv", "focus-events"),
    )


def check_tmux(probes: Probes) -> Finding:
    if "TMUX" not in probes.env:
        screen = "; inside GNU screen" if "STY" in probes.env else ""
        return ok(f"not inside tmux{screen}")
    tmux = _ask_tmux(probes)
    if not tmux.version:
        return note("inside tmux, but the command tmux does not answer")
    options = {
        "set-clipboard": (tmux.set_clipboard, tmux.set_clipboard == "on", "-s set-clipboard on"),
        "allow-passthrough": (tmux.allow_passthrough, tmux.passes, "-g allow-passthrough on"),
        "focus-events": (tmux.focus_events, tmux.focus_events != "off", "-g focus-events on"),
        "default-terminal": (
            tmux.default_terminal,
            tmux.default_terminal.partition("-")[0] != "screen",
            '-g default-terminal "tmux-256color"',
        ),
    }
    values = ", ".join(f"{name} {value or 'unknown'}" for name, (value, _, _) in options.items())
    text = f"inside tmux {tmux.version}: {values}"
    fix = tuple(f"set {line}" for _, good, line in options.values() if not good)
    if fix:
        return note(text, _TMUX_CONF, *fix)
    return ok(text)


def check_clipboard(probes: Probes) -> Finding:
    text = f"{_UNKNOWN}, so copies are always written to a file too"
    if "TMUX" not in probes.env:
        return ok(f"OSC 52; {text}")
    tmux = _ask_tmux(probes)
    if tmux.version and tmux.set_clipboard != "on" and not tmux.passes:
        return note("blocked by tmux's options (see tmux); copies are always written to a file too")
    return ok(f"OSC 52 through tmux; {text}")


def check_notices(probes: Probes) -> Finding:
    names = {"osc9": "OSC 9", "osc777": "OSC 777", "both": "OSC 9 and OSC 777"}
    kind = names[notice_kind(probes.env)]
    if "TMUX" not in probes.env:
        return ok(f"bell, {kind}; {_UNKNOWN}")
    tmux = _ask_tmux(probes)
    if tmux.version and not tmux.passes:
        return note(f"bell only: tmux's options block {kind} (see tmux)")
    return ok(f"bell, and {kind} through tmux")
