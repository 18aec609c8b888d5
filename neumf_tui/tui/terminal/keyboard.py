"""Turn the bytes that a terminal sends into keys, mouse events and pastes; ignore all others.

Textual knows what a sequence means. Where it begins and ends is found here, by the grammar of
ECMA-48: Textual reads a sequence that it does not know on into the keys behind it, passes those on
as other keys, takes parts of a paste for keys, and ends at bytes that are not UTF-8.
"""

import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator

from textual import constants, events, messages
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.keys import Keys
from textual.message import Message

from neumf_tui.text import clean

REST_SECONDS = 1.0
"""Time to wait for the rest of a sequence or a paste, which a slow link sends in pieces."""
PASTE_START, PASTE_END = b"\x1b[200~", b"\x1b[201~"
KEY_LIMIT = 64
"""Bytes of the longest sequence that can be a key; Textual takes minutes for a long one."""
PASTE_LIMIT, STRING_LIMIT = 1 << 20, 1 << 16
"""Bytes after which a paste, or a string such as an answer of the terminal, is not kept."""

_SEQUENCE = re.compile(
    rb"\x1b(?:"
    rb"\[M[^\x1b]{3}"  # the old mouse protocol: three bytes of any value
    rb"|\[\[[A-E]"  # F1 to F5 of the Linux console
    rb"|\[\d+\$(?![@-~])"  # rxvt: keys with Shift
    rb"|\[<[-\d;]*[Mm]"  # the mouse, which some terminals see left of the screen
    rb"|\[[0-?]*[ -/]*[@-Z\\-~]"
    rb"|O[\d;]*[@-~]"
    rb"|[\]PX^_][^\x07\x18\x1a\x1b]*(?:\x07|\x1b\\)"  # a string, such as the answer to a query
    rb"|[^\[O\]PX^_\x1b]"  # Alt and a key
    rb")"
)
_BEGUN = re.compile(
    rb"\x1b(?:\[M[^\x1b]{0,2}|\[\[|\[<[-\d;]*|\[[0-?]*[ -/]*|O[\d;]*"
    rb"|[\]PX^_][^\x07\x18\x1a\x1b]*\x1b?)?"
)
"""What can still become a sequence."""
_KITTY = re.compile(
    r"\x1b\[(?P<code>\d{1,7})?(?::[\d:]*)?"
    r"(?:;(?P<modifiers>\d{1,4})?(?::(?P<event>\d+))?(?:;(?P<text>[\d:]*))?)?(?P<end>[u~A-FHP-S])"
)
"""Keys of the kitty protocol: code and alternates, modifiers and kind of event, text."""
_MOUSE = re.compile(r"\x1b\[<\d{1,3};-?\d{1,5};-?\d{1,5}[Mm]")
_REPORTS: dict[str, Callable[[], Message]] = {
    "\x1b[I": events.AppFocus,
    "\x1b[O": events.AppBlur,
    **{
        f"\x1b[?2026;{state}$y": messages.TerminalSupportsSynchronizedOutput
        for state in (1, 2, 3, 4)
    },
}


class Keyboard:
    """Reads input piece by piece, as it arrives."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._textual = XTermParser()
        # A byte that is no text in this encoding is no key either.
        self._decoder = getincrementaldecoder(encoding)(errors="ignore")
        self._rest = b""
        self._pasted: bytearray | None = None
        """The part of a paste that has arrived; None outside a paste."""

    @property
    def patience(self) -> float | None:
        """Seconds to wait for more input before `give_up`; None if nothing is incomplete."""
        if self._pasted is None and not self._rest:
            return None
        is_key = self._pasted is None and len(self._rest) <= 2
        return constants.ESCAPE_DELAY if is_key else REST_SECONDS

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield what `data` and the input before it mean."""
        self._rest += data
        while self._rest:
            read = self._paste() if self._pasted is not None else self._read_unit()
            if read is None:
                return
            yield from read

    def give_up(self) -> Iterator[Message]:
        """Yield what the incomplete input means: nothing more has come."""
        rest, self._rest = self._rest, b""
        if self._pasted is not None:
            pasted, self._pasted = self._pasted + rest, None
            yield from self._end_paste(bytes(pasted))
        elif rest == b"\x1b":
            yield events.Key("escape", "\x1b")
        elif len(rest) == 2 and rest[1:].isalnum():
            yield from self._alt(rest[1:])

    def _paste(self) -> Iterator[Message] | None:
        assert self._pasted is not None
        content, end, after = self._rest.partition(PASTE_END)
        if not end:
            # The end may have come in part.
            keep = next(
                (n for n in range(len(PASTE_END) - 1, 0, -1) if content.endswith(PASTE_END[:n])), 0
            )
            content, after = content[: len(content) - keep], content[len(content) - keep :]
        self._rest = after
        self._pasted += content[: PASTE_LIMIT - len(self._pasted)]
        if not end:
            return None
        pasted, self._pasted = bytes(self._pasted), None
        return self._end_paste(pasted)

    def _end_paste(self, content: bytes) -> Iterator[Message]:
        text = content.decode(errors="ignore").replace("\t", " ")
        yield events.Paste("\n".join(map(clean, text.splitlines())))

    def _read_unit(self) -> Iterator[Message] | None:
        """Take the first key or sequence from the rest; None if it is incomplete."""
        rest = self._rest
        if rest[0] != 0x1B:
            text, escape, after = rest.partition(b"\x1b")
            self._rest = escape + after
            return self._keys(self._decoder.decode(text, final=bool(escape)))
        if rest.startswith(PASTE_START):
            self._rest, self._pasted = rest[len(PASTE_START) :], bytearray()
            return iter(())
        if found := _SEQUENCE.match(rest):
            self._rest = rest[found.end() :]
            return self._meaning(found.group())
        begun = _BEGUN.match(rest)
        assert begun is not None, "the pattern matches a lone escape"
        end = begun.end()
        if end == len(rest) <= STRING_LIMIT:
            return None
        if end > 1 and rest[end - 1] == 0x1B:  # it begins another sequence
            end -= 1
        self._rest = rest[end:]
        return iter([events.Key("escape", "\x1b")] if end == 1 else [])

    def _meaning(self, sequence: bytes) -> Iterator[Message]:
        """Yield the events of a whole sequence; none if it is unknown."""
        text = sequence.decode("latin-1")
        if text[1] not in "[O]PX^_":
            yield from self._alt(sequence[1:])
        elif text in _REPORTS:
            yield _REPORTS[text]()
        elif _MOUSE.fullmatch(text):
            if event := self._textual.parse_mouse_code(text):
                yield event
        elif text[1] in "[O" and len(text) <= KEY_LIMIT:
            yield from self._events(_without_kind(text))

    def _alt(self, key: bytes) -> Iterator[Message]:
        for character in self._decoder.decode(key):
            yield from self._events(character, alt=True)

    def _keys(self, text: str) -> Iterator[Message]:
        for character in text:
            # Enter, typed before the terminal was told to send it as a carriage return.
            yield from self._events("\r" if character == "\n" else character)

    def _events(self, sequence: str, alt: bool = False) -> Iterator[Message]:
        try:
            found = list(self._textual._sequence_to_key_events(sequence, alt))
        except (ValueError, OverflowError):  # no character has this code
            return
        for event in found:
            if event.key != Keys.Ignore and _is_harmless(event.character):
                yield event


def _is_harmless(character: str | None) -> bool:
    """Return whether a terminal can show this character, or it is a key of its own."""
    return character is None or character <= "\x7f" or clean(character) == character


def _without_kind(sequence: str) -> str:
    """Return a key of the kitty protocol as Textual reads it; empty if there is no such key.

    Alternate codes are left out, and so is a key that is released.
    """
    if not (match := _KITTY.fullmatch(sequence)):
        return sequence
    code, modifiers, kind, text, end = match.groups(default="")
    is_character = end == "u" and len(code) > 1 and int(code) >= 32
    is_known = is_character or f"{code or 1}{end}" in FUNCTIONAL_KEYS
    if kind == "3" or not is_known:
        return ""
    return "\x1b[" + f"{code};{modifiers};{text}".rstrip(";") + end
