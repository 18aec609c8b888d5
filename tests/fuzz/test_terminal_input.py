"""Bytes of a terminal into living screens: nothing ends them, and `q` still leaves.

Streams are random bytes, keys, text of other encodings, events of the kitty protocol, reports of
the mouse, answers of terminals, pastes, and any of these cut off; in one write or in pieces.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from neumf_tui.tui.terminal.keyboard import Keyboard
from tests.support.fuzzing import FACTOR
from tests.support.golden_runs import make_run
from tests.support.live_app import Session, foreign, live_app

STREAMS = {"empty": 30, "runs": 5, "explore": 5}
"""Streams of a session in the fast suite, by screen; a list of runs without runs takes little."""
FIRST = int(os.environ.get("NEUMF_TUI_FUZZ_FIRST", "0"))
"""Number of the first stream."""
ENDED = b"\x07\x1b[201~"
"""Ends a string and a paste that a stream has left open."""
KEYS = b"abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPRSTUVWXYZ0123456789/?[] \r\t\x7f\x02\x0c\x10\x15"
SLOW = b"?\x0c\x10\t"
"""Keys that draw the whole screen, left out where many streams are tried."""
SEQUENCES = [
    b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1b[5~", b"\x1b[6~", b"\x1b[H", b"\x1b[F",
    b"\x1bOA", b"\x1b[1;2C", b"\x1b[3~", b"\x1b[Z", b"\x1b", b"\x1b\x1b", b"\x1b[I", b"\x1b[O",
    b"\x1b[?62;22c", b"\x1b]11;rgb:1e1e/2222/ffff\x1b\\", b"\x1bP1$r0m\x1b\\", b"\x1b[?2026;2$y",
    b"\x1b[?2048;2$y", b"\x1b[48;99;99;0;0t", b"\x1b[12;40R", b"\x1b_Gi=1;OK\x1b\\", b"\x9b31m",
]  # fmt: skip


def number(draw: random.Random) -> bytes:
    return str(draw.choice([0, 1, 2, 13, 27, 97, 115, 155, 0xD800, 0x110000, 10**30])).encode()


def kitty(draw: random.Random) -> bytes:
    parts = [b":".join(number(draw) for _ in range(draw.randint(0, 3))) for _ in range(3)]
    return b"\x1b[" + b";".join(parts[: draw.randint(1, 3)]) + draw.choice([b"u", b"~", b"A", b"P"])


def mouse(draw: random.Random) -> bytes:
    at = b";".join(str(draw.randint(-2, 100)).encode() for _ in range(2))
    if draw.random() < 0.1:
        return b"\x1b[M" + draw.randbytes(3)
    button = draw.choice([0, 1, 2, 32, 35, 64, 65, 66, 67, 128])
    return b"\x1b[<%d;%b%b" % (button, at, draw.choice([b"M", b"m"]))


def paste(draw: random.Random) -> bytes:
    inner = b"".join(block(draw) for _ in range(draw.randint(0, 4)))
    return b"\x1b[200~" + inner + (b"\x1b[201~" if draw.random() < 0.8 else b"")


def block(draw: random.Random) -> bytes:
    make = draw.choices(
        [
            lambda: bytes(draw.choice(KEYS) for _ in range(draw.randint(1, 8))),
            lambda: draw.choice(SEQUENCES),
            lambda: kitty(draw),
            lambda: mouse(draw),
            lambda: paste(draw),
            lambda: draw.randbytes(draw.randint(1, 20)),
            lambda: draw.choice(["é天\u202e\x9b", "Amélie", "🎬"]).encode(
                draw.choice(["utf-8", "utf-16"])
            ),
            lambda: b"Am\xe9lie\xff",
        ],
        [6, 4, 3, 3, 1, 2, 1, 1],
    )[0]
    made = make()
    return made[: draw.randint(1, len(made))] if draw.random() < 0.2 else made


def stream(seed: int) -> bytes:
    draw = random.Random(seed)
    return b"".join(block(draw) for _ in range(draw.randint(1, 6)))


def test_the_parser_is_never_stuck() -> None:
    for seed in range(200 * FACTOR):
        draw, keyboard, rest = random.Random(seed), Keyboard(), stream(seed)
        while rest:
            cut = draw.randint(1, 9)
            for _ in keyboard.feed(rest[:cut]):
                pass
            rest = rest[cut:]
        assert list(keyboard.give_up()) is not None and keyboard.patience is None
        (message,) = keyboard.feed(b"q")
        assert getattr(message, "key", "") == "q", seed


async def feed(session: Session, first: int, count: int, is_light: bool) -> None:
    app = session.app
    for seed in range(first, first + count):
        draw = random.Random(seed)
        data = stream(seed)
        if is_light:
            data = data.translate(None, SLOW)
        cut = draw.randint(0, len(data)) if draw.random() < 0.5 else len(data)
        try:
            await session.send(data[:cut])
            await session.send(data[cut:] + ENDED)
        except BaseException as error:
            error.add_note(f"seed {seed}: {data!r}")
            raise
        assert app.is_running, (seed, data)
        assert not (found := foreign(session.output.decode(errors="replace"))), (seed, data, found)
        if seed % 10 == 0:
            await session.base()
            app.left = 0
            await session.send(b"q")
            assert app.left == 1, (seed, data, app.screen_stack, app.focused, app.screen.maximized)
            session.output.clear()


@pytest.mark.parametrize("screen", STREAMS)
async def test_living_screens_survive_any_bytes(
    trained: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if screen == "empty":
        shutil.rmtree(trained)
    else:
        for name, state in (("alpha", "finished"), ("[red]x[/]", "crashed")):
            make_run(own_home, state, name=name)
    first, folder = ("explore", trained) if screen == "explore" else ("runs", None)
    async with live_app(monkeypatch, own_home, first, folder) as session:
        await feed(session, FIRST, STREAMS[screen] * FACTOR, screen == "empty")
