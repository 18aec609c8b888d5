"""Say what ended a command or a screen, and keep the details of a fault of the program."""

import errno
import os
import platform
import re
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from neumf_tui import __version__
from neumf_tui.errors import NeumfTuiError
from neumf_tui.home import cache_dir, home_dir

KEPT = 10
"""Number of files with details that stay in a folder; older ones are removed."""
_ELSEWHERE = (
    "use another folder: NEUMF_TUI_HOME or --home names the home, NEUMF_TUI_CACHE the cache"
)
_SPACE = f"free space there, or {_ELSEWHERE}"
_RIGHTS = f"change who may use it, or {_ELSEWHERE}"
_DAMAGED = "remove it or replace it"
_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f unlimited`)",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _ELSEWHERE,
    errno.ENOTDIR: f"a part of this path is a file; {_ELSEWHERE}",
    errno.EEXIST: f"something else has this name; {_ELSEWHERE}",
    errno.EISDIR: _DAMAGED,
    errno.EINVAL: _DAMAGED,
    errno.ELOOP: _DAMAGED,
    errno.ENXIO: _DAMAGED,
    errno.ENOENT: f"check the path, or {_ELSEWHERE}",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "raise the limit on open files (`ulimit -n 1024`)",
    errno.ENFILE: "this machine has too many files open; end other programs",
    errno.EIO: "the disk may be failing; copy what it holds",
    errno.ENOLCK: f"this file system has no locks; {_ELSEWHERE}",
    errno.ENOMEM: "end other programs, or raise the limit on memory (`ulimit -v unlimited`)",
    errno.EAGAIN: "end other programs, or raise the limit on processes (`ulimit -u`)",
}
_MEMORY = re.compile("allocate memory|failed to map segment|can't start new thread|out of memory")
_NUMPY = re.compile(r"\d+ requested and \d+ written")


def message_of(error: BaseException) -> str:
    """Return the one message for an error that ends a command or a screen.

    An error that no user can be expected to understand is a fault of the program: its details are
    written to a file, which the message names.
    """
    if isinstance(error, NeumfTuiError):
        return str(error)
    if isinstance(error, OSError):
        return _system_message(error)
    if isinstance(error, UnicodeEncodeError) and isinstance(error.object, str):
        return (
            f"{error.object!a}: the encoding {error.encoding} of this locale or file cannot hold "
            "this text; use other characters, or set LC_ALL to a UTF-8 locale such as C.UTF-8"
        )
    if isinstance(error, MemoryError) or _MEMORY.search(str(error)):
        return f"not enough memory ({_kind(error)}); {_REMEDIES[errno.ENOMEM]}"
    path = write_details(error)
    details = f"{path} has the details" if path else "its details could not be written anywhere"
    return f"a fault of the program: {_kind(error)}; {details}"


def _kind(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def _system_message(error: OSError) -> str:
    what = error.strerror or str(error) or type(error).__name__
    number = error.errno
    if _NUMPY.search(what):  # numpy does not say why
        what, number = os.strerror(errno.ENOSPC), errno.ENOSPC
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if _is_name(name)]
    remedy = "" if number is None or "; " in what else _REMEDIES.get(number, "")
    message = ": ".join([*([" to ".join(names)] if names else []), what])
    return f"{message}; {remedy}" if remedy else message


def _is_name(name: object) -> bool:
    return isinstance(name, str | bytes | os.PathLike)


def write_details(error: BaseException) -> Path | None:
    """Write the traceback of `error` to a new file that only its owner may read.

    It lies in the home, or in the cache or the folder of temporary files if the home cannot be
    written. Returns None if no file can be written.
    """
    lines = [
        f"neumf-tui {__version__}, Python {platform.python_version()}, {platform.platform()}",
        shlex.join(sys.argv),
        *traceback.format_exception(error),
    ]
    content = "\n".join(lines).encode("utf-8", "backslashreplace")
    for folder in _folders():
        with suppress(OSError, NeumfTuiError):
            prefix = time.strftime("neumf-tui-fault-%Y%m%d-%H%M%S-")
            handle, name = tempfile.mkstemp(".txt", prefix, folder)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            return Path(name)
    return None


def _folders() -> Iterator[Path]:
    """Yield folders for details; remove the oldest files of those in the home and the cache."""
    for place in (home_dir, cache_dir):
        with suppress(OSError, NeumfTuiError):
            folder = place() / "faults"
            folder.mkdir(0o700, parents=place is cache_dir, exist_ok=True)
            for old in sorted(folder.glob("*.txt"))[: 1 - KEPT]:
                old.unlink()
            yield folder
    yield Path(tempfile.gettempdir())
