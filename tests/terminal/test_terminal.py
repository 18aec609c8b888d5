"""Terminal: what the environment says, what a terminal answers, and what is sent to it."""

import base64
import os
import pty
import re
import select
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from rich.console import Console

from neumf_tui import terminal

KIND = b"\x1b[?62;22c"


@pytest.mark.parametrize("colorterm", [None, "", "truecolor", " 24BIT ", "yes"])
@pytest.mark.parametrize(
    "term",
    [
        None,
        "xterm",
        "xterm-256color",
        "XTERM-KITTY",
        "tmux-256color",
        "screen",
        "rxvt-16color",
        "dumb",
        "unknown",
    ],
)
def test_colour_depth_agrees_with_rich(term: str | None, colorterm: str | None) -> None:
    env = {
        key: value
        for key, value in {"TERM": term, "COLORTERM": colorterm}.items()
        if value is not None
    }
    system = Console(force_terminal=True, force_jupyter=False, _environ=env).color_system
    assert (
        terminal.colour_depth(env)
        == {None: 0, "standard": 16, "256": 256, "truecolor": 1 << 24}[system]
    )


@pytest.mark.parametrize("value", ["", "0", "1"])
def test_no_color_means_none_however_it_is_set(value: str) -> None:
    assert (
        terminal.colour_depth(
            {"NO_COLOR": value, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        )
        == 0
    )


def test_a_forced_colour_system_is_what_textual_uses() -> None:
    assert (
        terminal.colour_depth(
            {"TEXTUAL_COLOR_SYSTEM": "256", "TERM": "xterm", "COLORTERM": "truecolor"}
        )
        == 256
    )


class Answerer:
    """The terminal's side of a pseudo-terminal: reads what is asked, and gives `answers` for it."""

    def __init__(self, master: int, answers: list[bytes]) -> None:
        self.asked = b""
        self._master, self._answers, self._stop = master, answers, threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._master], [], [], 0.01)[0]:
                continue
            with suppress(OSError):
                self.asked += os.read(self._master, 4096)
            if self.asked.endswith(b"\x1b[c"):
                for answer in self._answers:
                    os.write(self._master, answer)
                return

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """A pseudo-terminal, (master, slave); its slave is stdin, stdout and stderr."""
    master, slave = pty.openpty()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("COLORFGBG", raising=False)
    with os.fdopen(slave, "r+b", buffering=0) as stream:
        for name in ("__stdin__", "__stdout__", "__stderr__"):
            monkeypatch.setattr(sys, name, stream)
        yield master, slave
    os.close(master)


def waiting(fd: int) -> bool:
    """Whether something is left to be read as keys."""
    modes = termios.tcgetattr(fd)
    modes[3] &= ~termios.ICANON
    termios.tcsetattr(fd, termios.TCSANOW, modes)
    return bool(select.select([fd], [], [], 0)[0])


@pytest.mark.parametrize(
    ("answer", "rgb"),
    [
        (b"\x1b]11;rgb:1e1e/2222/ffff\x1b\\", (0x1E, 0x22, 0xFF)),
        (b"\x1b]11;rgb:f/0/8\x07", (255, 0, 136)),
        (b"\x1b]11;rgb:800/fff/000\x07", (128, 255, 0)),
        (b"\x1b]11;rgba:ffff/ffff/ffff/8000\x07", (255, 255, 255)),
        (b"\x1b]11;#1E1e2E\x07", (0x1E, 0x1E, 0x2E)),
        (b"", None),
        (b"qq\x1b[Aj\x00\xff\x1b]11;rgb:zz/1/1\x07\x1b]10;rgb:11/22/33\x07", None),
        (b"typed\x1b]11;rgb:00/80/ff\x07ahead", (0, 128, 255)),
    ],
)
def test_the_background_is_asked_and_nothing_is_left_behind(
    ends: tuple[int, int], answer: bytes, rgb: tuple[int, int, int] | None
) -> None:
    master, slave = ends
    before = termios.tcgetattr(slave)
    other = Answerer(master, [part for part in (answer[:7], answer[7:], KIND) if part])
    # Far beyond what it takes: the answer about its kind ends the wait.
    assert terminal.ask_background(60) == rgb
    other.close()
    assert other.asked == b"\x1b]11;?\x1b\\\x1b[c"
    assert termios.tcgetattr(slave) == before
    assert not waiting(slave)


@pytest.mark.parametrize(
    "colorfgbg", ["", "0;15", "0;default;15", "default;default", "15;99", "x;-1"]
)
def test_a_terminal_that_never_answers(
    ends: tuple[int, int], colorfgbg: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORFGBG", colorfgbg)
    before = termios.tcgetattr(ends[1])
    assert terminal.ask_background(0.01) == ((255, 255, 255) if colorfgbg.endswith(";15") else None)
    assert termios.tcgetattr(ends[1]) == before


def test_half_an_answer_is_not_believed(ends: tuple[int, int]) -> None:
    os.write(ends[0], b"\x1b]11;rgb:ffff/ffff/ff\n")  # a line, to be there whatever the mode
    assert terminal.ask_background(0.01) is None


def test_modes_are_put_back_after_ctrl_c(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def search(self, _: bytes) -> None:
            assert not termios.tcgetattr(ends[1])[3] & (termios.ECHO | termios.ICANON)
            raise KeyboardInterrupt

    before = termios.tcgetattr(ends[1])
    monkeypatch.setattr(terminal, "_KIND", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        terminal.ask_background(60)
    assert termios.tcgetattr(ends[1]) == before


@pytest.mark.parametrize("term", ["dumb", "unknown", "linux", ""])
def test_a_terminal_that_might_print_the_question_is_not_asked(
    ends: tuple[int, int], term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    assert terminal.ask_background(0.01) is None
    assert not select.select([ends[0]], [], [], 0)[0]


def test_without_a_terminal_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with os.fdopen(read) as source, os.fdopen(write, "w") as target:
        monkeypatch.setattr(sys, "__stdin__", source)
        monkeypatch.setattr(sys, "__stderr__", target)
        assert terminal.ask_background(60, {"TERM": "xterm", "COLORFGBG": "15;0"}) == (0, 0, 0)
        assert terminal.why_no_screen() in (
            "TERM is unset or dumb",
            "stdin is not a terminal",
        )
    assert terminal.ask_background(60, {"TERM": "xterm"}) is None, "closed streams"
    monkeypatch.setattr(sys, "__stdin__", None)
    assert terminal.ask_background(60, {"TERM": "xterm"}) is None


def test_why_no_screen(ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal.why_no_screen() == ""
    with Path(os.devnull).open("w") as nowhere:
        monkeypatch.setattr(sys, "__stdout__", nowhere)
        assert terminal.why_no_screen() == "stdout is not a terminal"
    monkeypatch.setenv("TERM", "dumb")
    assert "dumb" in terminal.why_no_screen()


@pytest.mark.parametrize(
    ("rgb", "light"),
    [
        ((0, 0, 0), False),
        ((255, 255, 255), True),
        ((0x28, 0x2C, 0x34), False),  # One Dark
        ((0xFD, 0xF6, 0xE3), True),  # Solarized light
        ((0, 0, 255), False),
        ((0, 255, 0), True),
        ((117, 117, 117), False),  # the last grey on which white reads better,
        ((118, 118, 118), True),  # and the first on which black does
    ],
)
def test_light_and_dark(rgb: tuple[int, int, int], light: bool) -> None:
    assert terminal.is_light(rgb) is light


def test_through_tmux_doubles_escapes() -> None:
    assert terminal.through_tmux("\x1b]9;x\x1b\\") == "\x1bPtmux;\x1b\x1b]9;x\x1b\x1b\\\x1b\\"


PLAIN = {"TERM": "xterm-256color"}
TMUX = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-1/default,1,0", "STY": "1.x"}
SCREEN = {"TERM": "screen.xterm-256color", "STY": "1.x"}


TEXTS = ["", "Amélie 天", "\x1b]0;evil\x07", "\ud800", "many rows\n" * 500]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("env", [PLAIN, TMUX])
def test_the_clipboard_gets_the_text_and_the_terminal_sees_none_of_it(
    text: str, env: Mapping[str, str]
) -> None:
    sent = terminal.clipboard_sequences(text, env)
    codes = re.findall(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\a", sent)
    assert [base64.b64decode(code) for code in codes] == [text.encode(errors="replace")] * (
        1 if env is PLAIN else 2
    )
    if env is TMUX:
        assert "\x1bPtmux;\x1b\x1b]52;" in sent and sent.endswith("\a\x1b\\")


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("env", [SCREEN, {"TERM": "screen-256color"}])
def test_gnu_screen_passes_the_clipboard_on_and_prints_none_of_it(
    text: str, env: Mapping[str, str]
) -> None:
    sent = terminal.clipboard_sequences(text, env)
    pieces = re.findall(r"\x1bP[^\x1b]*(?:\x1b[^\\][^\x1b]*)*\x1b\\", sent)
    assert pieces and all(len(piece) <= 768 for piece in pieces)
    sequence = "".join(piece[2:-2] for piece in pieces)
    assert sequence == terminal.clipboard_sequences(text, PLAIN)
    plain = sent.removesuffix("".join(pieces))
    assert plain in ("", sequence) and len(plain) < 768
    assert not plain or env is not SCREEN


@pytest.mark.parametrize("term", ["linux", "vt220", "ansi", "cons25"])
def test_a_console_is_sent_no_sequence_that_it_could_print(term: str) -> None:
    assert terminal.clipboard_sequences("text", {"TERM": term}) == ""
    assert terminal.notice_sequences("t", "b", "both", {"TERM": term}) == "\a"


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        (PLAIN, "both"),
        ({}, "both"),
        ({"TERM": "rxvt-unicode-256color"}, "osc777"),
        ({"TERM": "foot"}, "osc777"),
        (PLAIN | {"VTE_VERSION": "7600"}, "osc777"),
        (PLAIN | {"TERM_PROGRAM": "iTerm.app"}, "osc9"),
        (PLAIN | {"TERM_PROGRAM": "WezTerm"}, "osc9"),
        (PLAIN | {"TERM_PROGRAM": "ghostty"}, "osc9"),
        (PLAIN | {"LC_TERMINAL": "iTerm2"}, "osc9"),
        ({"TERM": "xterm-kitty"}, "osc9"),
        ({"TERM": "xterm-ghostty"}, "osc9"),
        ({"TERM": "wezterm"}, "osc9"),
    ],
)
def test_auto_sends_what_the_terminal_knows(env: Mapping[str, str], kind: str) -> None:
    assert terminal.notice_kind(env) == kind
    assert terminal.notice_sequences("a", "b", "auto", env) == terminal.notice_sequences(
        "a", "b", kind, env
    )


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ("osc9", "\x1b]9;t: b\a\a"),
        ("osc777", "\x1b]777;notify;t;b\a\a"),
        ("both", "\x1b]9;t: b\a\x1b]777;notify;t;b\a\a"),
        ("bell", "\a"),
        ("off", ""),
    ],
)
def test_notices(how: str, sent: str) -> None:
    assert terminal.notice_sequences("t", "b", how, PLAIN) == sent


def test_a_notice_cannot_carry_a_sequence_of_its_own() -> None:
    sent = terminal.notice_sequences("a;b\x1b]0;evil", "c\x07\n\x9c;d", "osc777", PLAIN)
    assert sent == "\x1b]777;notify;a,b·]0,evil;c···;d\a\a"


def test_inside_tmux_only_the_wrapped_form_is_sent() -> None:
    assert (
        terminal.notice_sequences("t", "b", "osc9", TMUX) == "\x1bPtmux;\x1b\x1b]9;t: b\a\x1b\\\a"
    )
    assert terminal.notice_sequences("t", "b", "bell", TMUX) == "\a"


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of auto, osc9"):
        terminal.notice_sequences("t", "b", "loud", PLAIN)
