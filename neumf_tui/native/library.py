"""The kernels in C, compiled by the machine that runs them and kept; without a C compiler PyTorch does the same work, slower."""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from neumf_tui.home import cache_dir

SOURCES = ("adam.c", "blocks.h", "draw.c", "gradient.c", "scores.c")
COMPILERS = ("cc", "gcc", "clang")
_TUNED = (
    "-march=native" if platform.machine().lower() in ("x86_64", "amd64", "i686") else "-mcpu=native"
)
OPTIONS = ("-O3", _TUNED, "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math")
"""Not -ffast-math: it compares NaN away, and a library linked with it changes the arithmetic of the whole process."""
_WHOLE, _REAL, _SINGLE, _AT = ctypes.c_int64, ctypes.c_double, ctypes.c_float, ctypes.c_void_p
SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "neumf_adam": (None, [_WHOLE, _AT, _AT, _AT, _AT, _SINGLE, _SINGLE, _SINGLE, _SINGLE, _SINGLE]),
    "neumf_gradient": (_REAL, [_AT, _AT]),
    "neumf_scores": (ctypes.c_int, [_AT, _WHOLE, _WHOLE, _AT, _AT, _AT, _AT, _AT]),
    "neumf_draw": (None, [_AT, _WHOLE, _WHOLE, _AT, _AT, _AT, _AT]),
    "neumf_order": (None, [_WHOLE, _WHOLE, _AT, _AT, _AT]),
    "neumf_lead": (None, [_WHOLE, _WHOLE, _AT, _AT, _AT, _AT, _AT]),
}
"""What each of their functions gives and takes."""
_SECONDS = 60
"""A compiler that takes longer than this hangs; it needs one or two."""


class NoKernels(Exception):
    """There are none here, and why."""


def load() -> ctypes.CDLL:
    """The library, compiled where this machine has not done so yet (1.2 s); raises NoKernels.

    NEUMF_TUI_CC names another compiler than the first of cc, gcc and clang, with options if need be; `none` asks for PyTorch.
    """
    return _load(os.environ.get("NEUMF_TUI_CC", ""), cache_dir() / "kernels")


@functools.cache
def _load(wanted: str, folder: Path) -> ctypes.CDLL:
    sources = {name: (resources.files("neumf_tui.native") / name).read_bytes() for name in SOURCES}
    command = [*_compiler(wanted), *OPTIONS]
    mark = hashlib.sha256(
        b"\0".join([*sources.values(), *map(str.encode, command), _processor()])
    ).hexdigest()[:16]
    path = folder / f"neumf-{mark}.so"
    try:
        library = _opened(path)
        if library is None:
            folder.mkdir(parents=True, exist_ok=True)
            _compile(command, sources, path)
            library = _opened(path)
    except OSError as error:
        raise NoKernels(f"{path}: {error}") from error
    if library is None:
        raise NoKernels(f"{command[0]} has made a library that cannot be loaded")
    for name, (gives, takes) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = gives, takes
    return library


def _opened(path: Path) -> ctypes.CDLL | None:
    """The library; None where it is missing, or damaged, which removes it."""
    if not path.exists():
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        path.unlink(missing_ok=True)
        return None


def why_not() -> str:
    """Why there are no kernels here; empty where there are."""
    try:
        load()
    except NoKernels as error:
        return str(error)
    return ""


def _compiler(wanted: str) -> list[str]:
    """The command, its program with its whole path."""
    if wanted.strip() == "none":
        raise NoKernels("NEUMF_TUI_CC=none asks for none")
    words = shlex.split(wanted)
    for name in words[:1] or COMPILERS:
        if found := shutil.which(name):
            return [found, *words[1:]]
    raise NoKernels(
        f"NEUMF_TUI_CC={wanted}: not found"
        if words
        else f"no C compiler found ({', '.join(COMPILERS)})"
    )


def _processor() -> bytes:
    """What -march=native goes by: a cache may lie on a disk that other machines see."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().split(b"\n\n", 1)[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()
    return b"\n".join(
        line
        for line in lines
        if line.startswith((b"model name", b"flags", b"Features", b"CPU part"))
    )


def _compile(command: list[str], sources: dict[str, bytes], path: Path) -> None:
    """Write the library whole or not at all: several processes may do so at once."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        for name, text in sources.items():
            Path(scratch, name).write_bytes(text)
        files, library = (
            [name for name in sources if name.endswith(".c")],
            Path(scratch, "neumf.so"),
        )
        try:
            done = subprocess.run(
                [*command, "-o", str(library), *files, "-lm"],
                cwd=scratch, capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NoKernels(f"{command[0]} has not ended after {_SECONDS} s") from error
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["it says no more"]
            worst = next((line for line in said if "error" in line), said[-1])
            raise NoKernels(f"{command[0]} ended with {done.returncode}: {worst}")
        library.replace(path)
