"""Compile the kernels in C on the machine that runs them, and keep the library in the cache.

PyTorch does the same work, slower, where there is no C compiler.
"""

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
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
# Not -ffast-math: it removes comparisons with NaN, and linking a library with it changes the
# arithmetic of the whole process.
OPTIONS = (
    "-O3", "-march=native" if _IS_X86 else "-mcpu=native", "-fPIC", "-shared",
    "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
_INT, _DOUBLE, _FLOAT, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_float, ctypes.c_void_p
SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "neumf_adam": (None, [_INT, *4 * [_POINTER], *5 * [_FLOAT]]),
    "neumf_gradient": (_DOUBLE, [_POINTER, _POINTER, _INT, _INT]),
    "neumf_scores": (ctypes.c_int, [_POINTER, _INT, _INT, *5 * [_POINTER]]),
    "neumf_draw": (None, [_INT, *3 * [_POINTER], _INT, _INT, *4 * [_POINTER]]),
    "neumf_order": (None, [_INT, _INT, *3 * [_POINTER]]),
    "neumf_rank_counts": (None, [_INT, _INT, *5 * [_POINTER]]),
}
"""Result and arguments of each function of the library."""
COMPILE_SECONDS = 60
"""Time limit for the compiler, which needs one or two seconds."""


class NoKernels(Exception):
    """The kernels cannot be used on this machine; the text says why."""


def load() -> ctypes.CDLL:
    """Return the library; the first call on a machine compiles it, in 1.2 s.

    NEUMF_TUI_CC names the compiler, with options if needed; without it the first of cc, gcc and
    clang is taken. With NEUMF_TUI_CC=none there are no kernels. Raises NoKernels.
    """
    return _load(os.environ.get("NEUMF_TUI_CC", ""), cache_dir() / "kernels")


def why_not() -> str:
    """Return why there are no kernels on this machine; empty where there are."""
    try:
        load()
    except NoKernels as error:
        return str(error)
    return ""


@functools.cache
def _load(wanted: str, folder: Path) -> ctypes.CDLL:
    sources = {name: (resources.files("neumf_tui.native") / name).read_bytes() for name in SOURCES}
    command = [*_compiler(wanted), *OPTIONS]
    parts = [*sources.values(), *map(str.encode, command), _processor()]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    path = folder / f"neumf-{digest}.so"
    try:
        library = _open(path)
        if library is None:
            folder.mkdir(parents=True, exist_ok=True)
            _compile(command, sources, path)
            library = _open(path)
    except OSError as error:
        raise NoKernels(f"{path}: {error}") from error
    if library is None:
        raise NoKernels(f"the library that {command[0]} made cannot be loaded")
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _open(path: Path) -> ctypes.CDLL | None:
    """Return the library; None where it is missing or damaged. A damaged file is removed."""
    if not path.exists():
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        path.unlink(missing_ok=True)
        return None


def _compiler(wanted: str) -> list[str]:
    """Return the command that `wanted` (NEUMF_TUI_CC) asks for, with the program's full path."""
    if wanted.strip() == "none":
        raise NoKernels("NEUMF_TUI_CC=none switches the C kernels off")
    words = shlex.split(wanted)
    for name in words[:1] or COMPILERS:
        if found := shutil.which(name):
            return [found, *words[1:]]
    if words:
        raise NoKernels(f"NEUMF_TUI_CC={wanted}: not found")
    raise NoKernels(f"no C compiler found ({', '.join(COMPILERS)})")


def _processor() -> bytes:
    """Describe the processor: machines with different ones may share a cache folder."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().split(b"\n\n", 1)[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()
    wanted = b"model name", b"flags", b"Features", b"CPU part"
    return b"\n".join(line for line in lines if line.startswith(wanted))


def _compile(command: list[str], sources: dict[str, bytes], path: Path) -> None:
    """Write the library in one move, since several processes may compile at once."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        for name, content in sources.items():
            Path(scratch, name).write_bytes(content)
        files = [name for name in sources if name.endswith(".c")]
        library = Path(scratch, "neumf.so")
        try:
            done = subprocess.run(
                [*command, "-o", str(library), *files, "-lm"],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=COMPILE_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired as error:
            text = f"{command[0]} did not finish within {COMPILE_SECONDS} s"
            raise NoKernels(text) from error
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it printed no message"]
            worst = next((line for line in lines if "error" in line), lines[-1])
            raise NoKernels(f"{command[0]} ended with {done.returncode}: {worst}")
        library.replace(path)
