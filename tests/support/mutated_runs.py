"""Run directories with anything in them: what a disk, a power cut or a stranger can leave there."""

import json
import os
import random
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.golden_models import add_checkpoints
from tests.support.golden_runs import make_run

SECRET = "nobody-may-read-this"
NAMES = (
    "run.json", "run.json", "status.json", "events.jsonl", "events.jsonl", "trainer.log", "lock",
    "ranks", "ranks/00001.npy", "ranks/00003.npy", "validation", "validation/00003.npy",
    "checkpoints", "checkpoints/best", "checkpoints/last", "checkpoints/00002.safetensors",
    "checkpoints/00003.safetensors", "requests", "requests/stop", ".",
)  # fmt: skip
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e18, 1e300, -1e300, 2**31, 2**53, 2**63 - 1, 10**18,
    "", "0", "4", "/", "..", "../..", "/etc/passwd", "\x1b[2J\x1b]0;x\x07", "\x9b31m", "a\nb\rc",
    "\0", "\u202ex\u2066", "finished", "running", "starting", "paused", "x" * 5000, [], {}, [[]],
    [0], [1, 2, 3], ["a"], {"hit@50": 1}, {"": None}, [None] * 50, [3, 2, 1], "best", "neumf",
    float("nan"), float("inf"), "demo", ["\x1b[2J"], {"\x1b[2J": 1},
]  # fmt: skip
"""What a value of a JSON text is replaced by."""
ODD_NAMES = (
    "9x.npy", "00002.npy", "99999.npy", "000000000.npy", "1e3.npy", "00004.safetensors",
    "00002-00005.safetensors", "99999-.safetensors", "\x1b[2J", "a\nb", os.fsdecode(b"\xff.npy"),
    "stop", "pin.x", ".hidden", ".run.json.1.abc~", "dir", "extend",
)  # fmt: skip


def make_golden(home: Path) -> None:
    """Write two whole runs, `golden` and `other`, with checkpoints, and their dataset."""
    for name, state in (("other", "stopped"), ("golden", "finished")):
        run = make_run(home, state, name=name, with_data=True, validation=(0.28, 0.36, 0.33))
        add_checkpoints(run)
        (run / "trainer.log").write_text("starting\nCUDA out of memory\n")
        (run / "requests" / "stop").write_text("")
    os.utime(home / "runs" / "other" / "run.json", (1, 1))


def make_outside(folder: Path) -> dict[str, tuple[object, ...]]:
    """Fill a folder that no command may read or change, and return its state."""
    (folder / "requests").mkdir(parents=True)
    for name in ("file", "requests/stop", "00003.npy"):
        (folder / name).write_text(SECRET)
    (folder / "named-twice").write_text("not a secret\n")
    event = {"t": 1.0, "kind": "warning", "text": SECRET}
    (folder / "events").write_text(json.dumps(event) + "\n")
    return state_of(folder)


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return what lies in a folder: kind, mode, time and content of everything."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(about.st_mode) else b""
        found[str(path.relative_to(folder))] = (about.st_mode, about.st_mtime_ns, content)
    return found


def mutate(run: Path, outside: Path, rng: random.Random) -> str:
    """Change one thing in a run directory, and return what it was."""
    name, change = rng.choice(NAMES), rng.choice(_CHANGES)
    path = run / name
    if (
        run.is_symlink()
        or path.is_symlink()
        or not (path.is_dir() or (path.is_file() and path.stat().st_nlink == 1))
    ):
        return f"nothing ({name} is changed already)"
    if name == "." and change not in (_add_odd_name, _put_link):
        change = _add_odd_name
    if path.is_dir() and change in _OF_FILES:
        change = rng.choice(_OF_FOLDERS)
    if not path.is_dir() and change in _OF_FOLDERS:
        change = _change_json
    if change is _change_json and not name.endswith((".json", ".jsonl")):
        change = rng.choice(_OF_BYTES)
    what = change(path, outside, rng)
    return f"{name}: {change.__name__.strip('_')} {what or ''}"


def _flip(path: Path, _outside: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 3, 20))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def _cut(path: Path, _outside: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(path.stat().st_size + 1))


def _empty(path: Path, _outside: Path, _rng: random.Random) -> None:
    path.write_bytes(b"")


def _fill_with_nul(path: Path, _outside: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + bytes(len(content) - at))


def _insert(path: Path, _outside: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    odd = rng.choice((
        b"\xff\xfe", b"\0" * 700, b"\x1b[2J", b"\n", b"\r\n", b"{", b"[" * 5000, b"9" * 5000,
        b"\xef\xbb\xbf", bytes(range(256)), b'{"t":1,"kind":"paused"}\n', b"\x9b31m\n", b"x" * 9000,
    ))  # fmt: skip
    path.write_bytes(content[:at] + odd + content[at:])


def _repeat(path: Path, _outside: Path, rng: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    if rng.random() < 0.5:
        rng.shuffle(lines)
    path.write_bytes(b"".join(lines + lines[: rng.randrange(len(lines) + 1)]))


def _enlarge(path: Path, _outside: Path, _rng: random.Random) -> None:
    os.truncate(path, 2**31)


def _change_json(path: Path, _outside: Path, rng: random.Random) -> str:
    lines = path.read_text("utf-8", "replace").splitlines() or [""]
    whole = path.suffix == ".json"
    number = 0 if whole else rng.randrange(len(lines))
    try:
        value = json.loads("\n".join(lines) if whole else lines[number])
    except ValueError:
        return "nothing: it is no JSON any more"
    what = _change_value(value, rng)
    text = json.dumps(value)
    content = text if whole else "\n".join([*lines[:number], text, *lines[number + 1 :]]) + "\n"
    path.write_text(content, "utf-8", "surrogatepass")
    return what


def _change_value(value: Any, rng: random.Random) -> str:
    """Replace, remove or add one value anywhere in a JSON value."""
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        keys = inner if isinstance(inner, dict) else range(len(inner))
        for key in list(keys):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                walk(inner[key])

    if not isinstance(value, dict | list):
        return "nothing: it is no object"
    walk(value)
    if not places:
        return "nothing: it is empty"
    inner, key = rng.choice(places)
    match rng.randrange(6):
        case 0:
            del inner[key]
            return f"without {key!r}"
        case 1 if isinstance(inner, dict):
            inner[rng.choice(("", "\x1b[2J", "home", "processes", "x"))] = rng.choice(ODD)
            return f"more beside {key!r}"
        case 2:
            for _ in range(rng.choice((3, 300))):
                inner[key] = [inner[key]]
            return f"{key!r} nested"
        case _:
            inner[key] = odd = rng.choice(ODD)
            return f"{key!r} = {odd!r:.60}"


def _remove(path: Path, _outside: Path, _rng: random.Random) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _put_link(path: Path, outside: Path, rng: random.Random) -> str:
    targets = [
        outside, outside / "file", outside / "events", outside / "requests", Path("/dev/zero"),
        Path("/dev/tty"), Path("/etc"), Path("nowhere"), Path(path.name), Path("run.json"),
    ]  # fmt: skip
    target = rng.choice(targets)
    if path.name == ".." or path == path.parent or path.samefile(path.parent / "."):
        return "nothing"
    _remove(path, outside, rng)
    path.symlink_to(target)
    return f"to {target}"


def _put_hard_link(path: Path, outside: Path, _rng: random.Random) -> None:
    path.unlink()
    os.link(outside / "named-twice", path)  # which may be read, but not written to


def _put_other_kind(path: Path, outside: Path, rng: random.Random) -> str:
    _remove(path, outside, rng)
    kind = rng.choice(("fifo", "folder", "socket", "file"))
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            (path / "x").mkdir(parents=True)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                here = Path.cwd()
                os.chdir(path.parent)  # the path of a socket has to be short
                bound.bind(path.name)
                os.chdir(here)
        case "file":
            path.write_bytes(b"x")
    return kind


def _add_odd_name(path: Path, outside: Path, rng: random.Random) -> str:
    new = path / rng.choice(ODD_NAMES)
    if not os.path.lexists(new):
        new.write_bytes(rng.choice((b"", b"x", b"\xff\n", b"9" * 5000, b"5")))
        if rng.random() < 0.5:
            return f"{new.name!r} {_put_other_kind(new, outside, rng)}"
    return repr(new.name)


Change = Callable[[Path, Path, random.Random], str | None]
_OF_BYTES: tuple[Change, ...] = (
    _flip, _cut, _empty, _fill_with_nul, _insert, _repeat, _enlarge,
)  # fmt: skip
_OF_FILES: tuple[Change, ...] = (*_OF_BYTES, _change_json, _put_hard_link)
_OF_FOLDERS: tuple[Change, ...] = (_add_odd_name,)
_CHANGES: tuple[Change, ...] = (
    *_OF_FILES, *(_change_json,) * 8, _remove, _put_link, _put_link, _put_other_kind, _add_odd_name
)  # fmt: skip
