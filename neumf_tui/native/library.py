"""Load the library of the kernels in C, which is compiled when the cache has none.

PyTorch does the same work, slower, where there is no C compiler.

A library's constructors run as soon as it is loaded. So one of the cache is loaded only if nobody
but this account or root can have written it, and if its name has the checksum of its content.
"""

import ctypes
import functools
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from neumf_tui.errors import UsageError
from neumf_tui.home import cache_dir
from neumf_tui.native.compiler import (
    NoKernels,
    compile_command,
    compile_into,
    processor,
    sources,
)

__all__ = ["NoKernels", "cache_problem", "load", "why_not"]

_INT, _DOUBLE, _FLOAT, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_float, ctypes.c_void_p
SIGNATURES: dict[str, tuple[type | None, list[type]]] = {
    "neumf_adam": (None, [_INT, *4 * [_POINTER], *5 * [_FLOAT]]),
    "neumf_gradient": (_DOUBLE, [_POINTER, _POINTER, _INT, _INT]),
    "neumf_scores": (ctypes.c_int, [_POINTER, _INT, _INT, *5 * [_POINTER]]),
    "neumf_draw": (ctypes.c_int, [_INT, *3 * [_POINTER], _INT, _INT, *4 * [_POINTER]]),
    "neumf_order": (ctypes.c_int, [_INT, _INT, *3 * [_POINTER]]),
    "neumf_history_sums": (
        ctypes.c_int,
        [*3 * [_INT], _POINTER, _INT, *3 * [_POINTER], _INT, *3 * [_POINTER]],
    ),
    "neumf_rank_counts": (None, [_INT, _INT, *5 * [_POINTER]]),
}
"""Result and arguments of each function of the library."""
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LARGEST = 2**26
"""Number of bytes that a library can have; the kernels need about 100,000."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ADVICE = "set NEUMF_TUI_CACHE to a folder of yours from which programs can run"


class _Outcome(NamedTuple):
    library: ctypes.CDLL | None
    why_not: str = ""
    cache_problem: str = ""


def load() -> ctypes.CDLL:
    """Return the library; the first call on a machine compiles it, in 1.2 s.

    NEUMF_TUI_CC names the compiler, with options if needed; without it the first of cc, gcc and
    clang is taken. With NEUMF_TUI_CC=none there are no kernels. Raises NoKernels.
    """
    outcome = _outcome()
    if outcome.library is None:
        raise NoKernels(outcome.why_not)
    return outcome.library


def why_not() -> str:
    """Return why there are no kernels on this machine; empty where there are."""
    return _outcome().why_not


def cache_problem() -> str:
    """Return why the cache does not serve, so that each process compiles; empty if it does."""
    return _outcome().cache_problem


def _outcome() -> _Outcome:
    try:
        folder = cache_dir() / "kernels"
    except UsageError as error:  # there is no home folder
        return _load(os.environ.get("NEUMF_TUI_CC", ""), None, str(error))
    return _load(os.environ.get("NEUMF_TUI_CC", ""), folder)


@functools.cache  # failures as well: a compiler that hangs is waited for once
def _load(wanted: str, folder: Path | None, problem: str = "") -> _Outcome:
    """Return the library of the cache; compile it if there is none, into the cache if it serves."""
    try:
        command, code = compile_command(wanted), sources()
        parts = [*code.values(), *map(str.encode, command), processor()]
        stem = f"neumf-{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:16]}-"
        if folder is not None:
            try:
                if library := _kept_library(folder, stem):
                    return _Outcome(library)
            except OSError as error:
                problem, folder = _text(error, folder), None
        with tempfile.TemporaryDirectory(prefix="neumf-tui-") as name:
            content = compile_into(Path(name), command, code)
            if folder is not None:
                try:
                    return _Outcome(_keep(folder, stem, content))
                except OSError as error:
                    problem = _text(error, folder)
            try:
                library = _keep(Path(name), stem, content)
            except OSError as error:
                text = f"{problem}; {_text(error, Path(name).parent)}; {_ADVICE}"
                return _Outcome(None, f"the compiled kernels cannot be loaded: {text}", problem)
            return _Outcome(library, "", problem)
    except NoKernels as error:
        return _Outcome(None, str(error))
    except OSError as error:  # of the compiler or the folder of temporary files
        return _Outcome(None, f"the kernels cannot be compiled: {error}")


def _text(error: OSError, folder: Path) -> str:
    return f"{folder}: {error.strerror or error}"


@contextmanager
def _private_folder(folder: Path) -> Iterator[int]:
    """Make the folder if there is none, and yield a descriptor of it.

    Raises OSError if another account owns it. If it is ours and others could write to it, it is
    emptied of libraries and closed to them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(0o700)
    place = os.open(folder, _READ | os.O_DIRECTORY)
    try:
        found = os.fstat(place)
        if found.st_uid == os.geteuid() and found.st_mode & _OTHERS_WRITE:
            os.fchmod(place, 0o700)
            for name in os.listdir(place):  # noqa: PTH208 - of a file descriptor
                if name.startswith("neumf-"):
                    os.unlink(name, dir_fd=place)
        _check_owner(os.fstat(place))
        yield place
    finally:
        os.close(place)


def _check_owner(found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise OSError(f"not used, since it belongs to another account (uid {found.st_uid})")
    if found.st_mode & _OTHERS_WRITE:
        raise OSError("not used, since other accounts can write to it")


def _kept_library(folder: Path, stem: str) -> ctypes.CDLL | None:
    """Return the library that an earlier process has kept; remove what cannot be loaded."""
    with _private_folder(folder) as place:
        for name in os.listdir(place):  # noqa: PTH208 - of a file descriptor
            if name.startswith(stem):
                try:
                    return _open(place, folder, name)
                except OSError:
                    with suppress(OSError):
                        os.unlink(name, dir_fd=place)
    return None


def _keep(folder: Path, stem: str, content: bytes) -> ctypes.CDLL:
    """Write the library in one move, since several processes may compile at once; load it."""
    name = f"{stem}{_checksum(content)}.so"
    with _private_folder(folder) as place:
        scratch = f".{name}.{os.urandom(4).hex()}"
        try:
            handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=place)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(scratch, name, src_dir_fd=place, dst_dir_fd=place)
            return _open(place, folder, name)
        except BaseException:
            for left in (scratch, name):
                with suppress(OSError):
                    os.unlink(left, dir_fd=place)
            raise


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _open(place: int, folder: Path, name: str) -> ctypes.CDLL:
    """Load a library of the folder that is open as `place`; raises OSError.

    What is loaded is the very file that was checked, even if another takes its name meanwhile.
    """
    handle = os.open(name, _READ, dir_fd=place)
    try:
        found = os.fstat(handle)
        _check_owner(found)
        if not stat.S_ISREG(found.st_mode):
            raise OSError("not a file")
        with open(handle, "rb", closefd=False) as file:
            content = file.read(_LARGEST)
        if _checksum(content) != Path(name).stem.rpartition("-")[2]:
            raise OSError("damaged: its content does not match its checksum")
        path = Path(f"/proc/self/fd/{handle}")
        try:
            library = ctypes.CDLL(str(path if path.exists() else folder / name))
        except OSError as error:
            if os.fstatvfs(handle).f_flag & os.ST_NOEXEC:
                raise OSError("mounted noexec, so that no library can be loaded from it") from error
            raise
    except BaseException:
        os.close(handle)
        raise
    # From here on the handle stays open: a later library of the same path would not be loaded.
    for symbol, (result, arguments) in SIGNATURES.items():
        function = getattr(library, symbol, None)
        if function is None:
            raise OSError(f"it has no function {symbol}")
        function.restype, function.argtypes = result, arguments
    return library
