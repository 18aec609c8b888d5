"""The layer that sends only what changed: any updates through it come to what whole ones show."""

import random
from collections.abc import Sequence

import pyte
import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from benchmarks.pseudo_terminal import differing
from neumf_tui.tui.terminal.differences import Cells

STYLES = [
    None,
    Style(bold=True),
    Style(color="red"),
    Style(color="#5fafff", bgcolor="#121212"),
    Style(color="#5fafff", bgcolor="#303030", bold=True),
    Style(bgcolor="#121212", reverse=True, underline=True),
]
WORDS = ["a", "bc", "  ", "日", "本語", "é", "e\u0301", "日\u0301", "█", "⠋⠙", "0123456789", "·"]


def random_strip(draw: random.Random, width: int) -> Strip:
    segments = [Segment(draw.choice(WORDS), draw.choice(STYLES)) for _ in range(width)]
    return Strip(segments).crop(0, width)


class Shown:
    """A terminal that is sent updates through the layer, and another that is sent them whole."""

    def __init__(self, size: Size) -> None:
        self.size, self.cells = size, Cells()
        self.console = Console(color_system="truecolor", force_terminal=True, width=size.width)
        assert self.console._color_system == ColorSystem.TRUECOLOR
        self.screens = [pyte.Screen(*size) for _ in range(2)]
        self.streams = [pyte.Stream(screen) for screen in self.screens]
        for stream in self.streams:
            stream.feed("\x1b[?7l")  # as the driver does: no wrap at the last column

    def update(self, update: "LayoutUpdate | ChopsUpdate") -> str:
        sent = self.cells.update(update, self.size, self.console)
        self.streams[0].feed(sent)
        return sent

    def draw(self, rows: Sequence[Strip], y: int = 0) -> str:
        """Rows of the full width; what the layer sent."""
        for row, strip in enumerate(rows, y):
            self.streams[1].feed(f"\x1b[0m\x1b[{row + 1};1H{strip.render(self.console)}")
        return self.update(
            LayoutUpdate([[strip] for strip in rows], Region(0, y, self.size.width, len(rows)))
        )

    def check(self) -> None:
        left, right = (
            [[s.buffer[y][x] for x in range(s.columns)] for y in range(s.lines)]
            for s in self.screens
        )
        assert left == right, "\n".join(differing(left, right)[:10])


def test_any_updates_in_any_order_show_what_whole_ones_do() -> None:
    draw = random.Random(7)
    shown = Shown(Size(24, 6))
    rows = [random_strip(draw, 24) for _ in range(6)]
    shown.draw(rows)
    for _ in range(400):
        y = draw.randrange(6)
        for row in range(y, min(6, y + draw.randrange(1, 4))):
            at = draw.choice([0, draw.randrange(24)])
            rows[row] = (
                Strip.join([rows[row].crop(0, at), random_strip(draw, 24 - at)])
                if draw.random() < 0.7
                else random_strip(draw, 24)
            )
        shown.draw(rows[y:], y)
        shown.check()
        assert shown.draw(rows) == "", "what is shown already costs nothing"


def test_a_part_of_a_row_is_replaced_in_its_place() -> None:
    shown = Shown(Size(12, 2))
    shown.draw([Strip([Segment("日本語abcdef")]), Strip([Segment("0123456789ab")])])
    chops: list[dict[int, Strip | None]] = [
        {0: Strip([Segment("日本語")]), 6: Strip([Segment("abXdef")])},
        {0: None},
    ]
    sent = shown.update(ChopsUpdate(chops, [(0, 6, 12)], [[6, 12], [12]]))
    assert sent == "\x1b[1;9HX"
    shown.streams[1].feed(sent)
    shown.check()


def strips(*texts: str, style: Style | None = None) -> list[Strip]:
    return [Strip([Segment(text, style)]) for text in texts]


def test_only_what_changed_is_sent() -> None:
    shown = Shown(Size(20, 1))
    assert shown.draw(strips("日本語 0123456789abc")) == "\x1b[1;1H日本語 0123456789abc"
    assert shown.draw(strips("日月語 0123456789abc")) == "\x1b[1;3H月"
    assert shown.draw(strips("日月語 0123456789xyz")) == "\x1b[1;18Hxyz"
    assert shown.draw(strips("日月語 x123456789xyz")) == "\x1b[1;8Hx"
    shown.check()


def test_a_wide_character_is_replaced_whole() -> None:
    shown = Shown(Size(6, 1))
    for text in (
        "日本語",
        "a日本b",
        "日本語",
        "日ab語",
        " 日 日",
        "ab語日",
        "e\u0301日bc日",
        "e日bc日",
    ):
        shown.draw(strips(text))
        shown.check()
    assert shown.draw(strips("e\u0301日bc日")) == "\x1b[1;1He\u0301"


def test_a_style_that_changes_without_its_text_is_sent() -> None:
    shown = Shown(Size(6, 1))
    shown.draw(strips("日abc ", style=Style(color="#5fafff")))
    assert (
        shown.draw(strips("日abc ", style=Style(color="#ff0000")))
        == "\x1b[1;1H\x1b[38;2;255;0;0m日abc \x1b[0m"
    )
    shown.check()
    assert "\x1b[0;1;" in shown.draw(strips("日abc ", style=Style(color="#ff0000", bold=True)))
    shown.draw(strips("日abc ", style=Style(color="#ff0000")))
    shown.check()
    assert shown.draw(strips("日abc ")) == "\x1b[1;1H日abc "
    shown.check()


def test_after_a_resize_nothing_is_taken_for_granted() -> None:
    shown = Shown(Size(4, 2))
    rows = strips("abcd", "efgh")
    shown.draw(rows)
    assert shown.draw(rows) == ""
    shown.cells.forget()
    assert shown.draw(rows) == "\x1b[1;1Habcd\x1b[2;1Hefgh"
    shown.size = Size(3, 2)
    assert shown.draw(strips("abc", "efg")) == "\x1b[1;1Habc\x1b[2;1Hefg"


@pytest.mark.parametrize("text", ["👩\u200d🔬", "❤\ufe0f", "🇫🇷", "\u0301a", "\u200ba"])
def test_a_cluster_takes_the_room_that_the_layout_gives_it(text: str) -> None:
    """What stands after it stands where Textual put it."""
    cells = Cells()
    size = Size(12, 1)
    console = Console(color_system="truecolor", force_terminal=True)
    row = Strip([Segment(text), Segment("x")])
    column = row.cell_length
    cells.update(LayoutUpdate([[row.extend_cell_length(12)]], Region(0, 0, 12, 1)), size, console)
    row = Strip([Segment(text), Segment("y")])
    sent = cells.update(
        LayoutUpdate([[row.extend_cell_length(12)]], Region(0, 0, 12, 1)), size, console
    )
    assert sent == f"\x1b[1;{column}Hy"


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "\x1b]0;t\x07", "\x9b31m", "\u202e", "\ud800", "\u2028"]
)
def test_no_control_character_of_a_text_is_sent(text: str) -> None:
    size = Size(20, 1)
    console = Console(color_system="truecolor", force_terminal=True)
    row = Strip([Segment(f"a{text}b")]).extend_cell_length(20)
    sent = Cells().update(LayoutUpdate([[row]], Region(0, 0, 20, 1)), size, console)
    shown = sent.removeprefix("\x1b[1;1H")
    assert shown.startswith("a") and shown.replace("\ud800", "!").isprintable(), sent
    sent.encode()
