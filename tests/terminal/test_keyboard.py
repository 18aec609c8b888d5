"""What the bytes of a terminal mean, in whatever pieces they come."""

import random

import pytest
from textual import events
from textual.message import Message

from neumf_tui.tui.terminal.keyboard import PASTE_LIMIT, Keyboard


def name(message: Message) -> str:
    if isinstance(message, events.Paste):
        return f"paste {message.text!r}"
    return message.key if isinstance(message, events.Key) else type(message).__name__


def read(*pieces: bytes, encoding: str = "utf-8") -> list[str]:
    """Return the events of `pieces`, after which nothing comes."""
    keyboard = Keyboard(encoding)
    found = [message for piece in pieces for message in keyboard.feed(piece)]
    found += keyboard.give_up()
    assert keyboard.patience is None
    return list(map(name, found))


KEYS = [
    (b"a/B\r", ["a", "slash", "B", "enter"]),
    (b"a\n", ["a", "enter"]),
    ("é天".encode(), ["é", "天"]),
    (b"\x7f\t\x03", ["backspace", "tab", "ctrl+c"]),
    (b"\x1b[A\x1bOA", ["up", "up"]),
    (b"\x1b[1;5A\x1b[3;2~", ["ctrl+up", "shift+delete"]),
    (b"\x1b[[A\x1b[3$", ["f1", "shift+delete"]),
    (b"\x1bs", ["alt+s"]),
    (b"\x1b", ["escape"]),
    (b"\x1b\x1b[B", ["escape", "down"]),
    # The kitty protocol: pressed, repeated, with alternate codes and with text.
    (b"\x1b[97u\x1b[97;5u\x1b[27u\x1b[13u", ["a", "ctrl+a", "escape", "enter"]),
    (b"\x1b[97;1:1u\x1b[97;1:2u", ["a", "a"]),
    (b"\x1b[97:65;2;65u\x1b[97;;97u", ["A", "a"]),
    (b"\x1b[<0;3;4M\x1b[<0;3;4m\x1b[<35;1;1M", ["MouseDown", "MouseUp", "MouseMove"]),
    (b"\x1b[I\x1b[O", ["AppFocus", "AppBlur"]),
    (b"\x1b[?2026;2$y", ["TerminalSupportsSynchronizedOutput"]),
    (b"\x1b[200~one\r\ntwo\x1b[201~", ["paste 'one\\ntwo'"]),
]
IGNORED = [
    b"\xe9", b"\xff\xfe", b"\xc3", "\x9b\u202e\u2028".encode(),
    b"\x1b[97;1:3u", b"\x1b[13;1:3u", b"\x1b[1;1:3A", b"\x1b[3;1:3~", b"\x1b[97;5:3u",
    b"\x1b[u", b"\x1b[;u", b"\x1b[0u", b"\x1b[155u", b"\x1b[55296u", b"\x1b[1114112u",
    b"\x1b[" + b"9" * 60_000 + b"u", b"\x1b[97;;155u", b"\x1b[97;1:x", b"\x1b[99999999999;1A",
    b"\x1b[?62;22c", b"\x1b]11;rgb:1e1e/2222/ffff\x1b\\", b"\x1b]11;rgb:1e1e/2222/ffff\x07",
    b"\x1bP1$r0m\x1b\\", b"\x1b_G\x1b\\", b"\x1b]52;c;c3N5\x07", b"\x1b]0;unfinished",
    b"\x1b[", b"\x1b[1;", b"\x1b[48;20;30;0;0t", b"\x1b[12;40R",
    b"\x1b[M !\xff", b"\x1b[32;10;20M", b"\x1b[<0;1M", b"\x1b[<0;1;1;1M", b"\x1b[<0;-1;1M",
    b"\x1b[?2048;2$y", b"\x1b[?9999999;9$y", b"\x1b[>1;2;3c", b"\x1b[=0;0;0~", b"\x1b[25~",
]  # fmt: skip


@pytest.mark.parametrize(("data", "names"), KEYS)
def test_keys_in_any_pieces(data: bytes, names: list[str]) -> None:
    assert read(data) == names
    for seed in range(5):
        draw, pieces, rest = random.Random(seed), [], data
        while rest:
            cut = draw.randint(1, 3)
            pieces.append(rest[:cut])
            rest = rest[cut:]
        assert read(*pieces) == names, pieces


@pytest.mark.parametrize("data", IGNORED)
def test_what_is_no_key_is_ignored(data: bytes) -> None:
    assert read(data) == []
    if data not in (b"\x1b[", b"\x1b[1;", b"\x1b]0;unfinished"):
        assert read(data + b"q") == ["q"], "and it takes no key along"


def test_a_sequence_that_breaks_off_takes_no_key_along() -> None:
    assert read(b"\x1b[12\xffq") == ["q"]
    assert read(b"\x1b]0;title\x1b[Aq") == ["up", "q"]
    assert read(b"\x1b]0;title\x18q") == ["ctrl+x", "q"]
    assert read(b"\x1b[\x1b[A") == ["up"]


def test_no_part_of_a_paste_is_a_key() -> None:
    """Textual passes an escape sequence within a paste on as keys."""
    for inner in (
        b"\x1b[31m",
        b"\x1b" + b"s" * 60,
        b"\x1b\x1b",
        b"\x1b[200~",
        b"\x1b[",
        b"\x00\xff",
    ):
        whole = b"\x1b[200~s" + inner + b"y\x1b[201~q"
        for cut in range(1, len(whole)):
            pasted, *rest = read(whole[:cut], whole[cut:])
            assert rest == ["q"] and pasted.startswith("paste 's"), (inner, cut)
    assert read(b"\x1b[200~no end") == ["paste 'no end'"]
    (pasted,) = read(b"\x1b[200~", *[b"x" * 4096] * 400, b"\x1b[201~")
    assert len(pasted) == PASTE_LIMIT + len("paste ''")


def test_a_paste_is_harmless_text() -> None:
    assert read(b"\x1b[200~a\tb\x1b]0;t\x07\xe9\x1b[201~") == ["paste 'a b·]0;t·'"]
    assert read("\x1b[200~\u202eevil\x1b[201~".encode()) == ["paste 'evil'"]


def test_a_terminal_of_another_encoding() -> None:
    assert read(b"caf\xe9\r", encoding="iso-8859-1") == ["c", "a", "f", "é", "enter"]
