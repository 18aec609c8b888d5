"""Compile the kernels in C with the compiler of the machine that runs them."""

import contextlib
import os
import platform
import shlex
import shutil
import signal
import subprocess
from importlib import resources
from pathlib import Path

from neumf_tui.text import clean

SOURCES = ("adam.c", "blocks.h", "draw.c", "gradient.c", "history.c", "scores.c")
COMPILERS = ("cc", "gcc", "clang")
_IS_X86 = platform.machine().lower() in ("x86_64", "amd64", "i686")
# Not -ffast-math: it removes comparisons with NaN, and linking a library with it changes the
# arithmetic of the whole process.
OPTIONS = (
    "-O3", "-march=native" if _IS_X86 else "-mcpu=native", "-fPIC", "-shared",
    "-fno-math-errno", "-fno-trapping-math",
)  # fmt: skip
COMPILE_SECONDS = 60
"""Time limit for the compiler, which needs one or two seconds."""
_MESSAGE_LENGTH = 300
"""Number of characters that are shown of a compiler's message."""
_OUTPUT_LIMIT = 2**20
"""Number of bytes that are read of a compiler's messages."""


class NoKernels(Exception):
    """The kernels cannot be used on this machine; the text says why."""


def sources() -> dict[str, bytes]:
    return {name: (resources.files("neumf_tui.native") / name).read_bytes() for name in SOURCES}


def compile_command(wanted: str) -> list[str]:
    """Return the command that `wanted` (NEUMF_TUI_CC) asks for, with the program's full path."""
    if wanted.strip() == "none":
        raise NoKernels("NEUMF_TUI_CC=none switches the C kernels off")
    try:
        words = shlex.split(wanted)
    except ValueError as error:
        raise NoKernels(f"NEUMF_TUI_CC={clean(wanted)}: {error}") from error
    for name in words[:1] or COMPILERS:
        if found := shutil.which(name):
            return [found, *words[1:], *OPTIONS]
    if words:
        raise NoKernels(f"NEUMF_TUI_CC={clean(wanted)}: not found")
    raise NoKernels(f"no C compiler found ({', '.join(COMPILERS)})")


def processor() -> bytes:
    """Describe the processor: machines with different ones may share a cache folder."""
    try:
        lines = Path("/proc/cpuinfo").read_bytes().split(b"\n\n", 1)[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()
    wanted = b"model name", b"flags", b"Features", b"CPU part"
    return b"\n".join(line for line in lines if line.startswith(wanted))


def compile_into(scratch: Path, command: list[str], code: dict[str, bytes]) -> bytes:
    """Compile in an empty folder and return the library; raises NoKernels or OSError."""
    for name, content in code.items():
        (scratch / name).write_bytes(content)
    output = scratch / "neumf.so"
    files = [name for name in code if name.endswith(".c")]
    messages = scratch / "messages"
    with messages.open("w+b") as written:
        status = _run([*command, "-o", str(output), *files, "-lm"], scratch, written.fileno())
        written.seek(0)
        lines = written.read(_OUTPUT_LIMIT).decode(errors="replace").strip().splitlines()
    if status:
        worst = next((line for line in lines if "error" in line), (lines or ["no message"])[-1])
        worst = clean(worst)[:_MESSAGE_LENGTH]
        raise NoKernels(f"{command[0]} ended with {status}: {worst}")
    if not output.is_file():
        raise NoKernels(f"{command[0]} ended with 0, but wrote no library")
    return output.read_bytes()


def _run(command: list[str], folder: Path, messages: int) -> int:
    """Return the exit status of the compiler; end it with all its processes if it takes long."""
    nothing = subprocess.DEVNULL
    started = subprocess.Popen(
        command, cwd=folder, stdin=nothing, stdout=nothing, stderr=messages, start_new_session=True
    )
    try:
        return started.wait(COMPILE_SECONDS)
    except subprocess.TimeoutExpired as error:
        text = f"{command[0]} did not finish within {COMPILE_SECONDS:g} s"
        raise NoKernels(text) from error
    finally:  # also at Ctrl-C, which the compiler in its own session does not get
        with contextlib.suppress(OSError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
