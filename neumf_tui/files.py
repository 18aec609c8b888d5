"""Read and write the files of a home: no other module opens them.

Every function takes a folder and the name of a file in it: `read_bytes(run, "checkpoints/last")`.
Links on the way to the folder are followed, and so is one in its place (a run in `runs` can be a
link), since the owner of the home has made them. Links within it are not, since the folder can come
from somebody else: a link would lead out of it. Only regular files are opened: a FIFO would stop
the program, and a device can do anything.

All functions raise OSError with a message that names the whole path; what lies in the way of a
file is an `UnusableFileError`, which is an OSError as well.
"""

import errno
import fcntl
import io
import os
import platform
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
READ_LIMIT = 64 * 2**20
"""Largest size in bytes of a file that is read as a whole, unless the caller says otherwise."""
SCRATCH = "~"
"""Ending of the names of files and folders that are still being written."""
_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {
    stat.S_IFLNK: "a symbolic link, and links are not followed here",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnusableFileError(OSError):
    """A file that is not what its name promises: a link, a FIFO, too large, or damaged."""

    def __init__(self, path: Path, what: str, number: int = errno.EINVAL) -> None:
        super().__init__(number, what, str(path))


def open_to_read(folder: Path, name: str) -> io.BufferedReader:
    return os.fdopen(_open(folder, name, os.O_RDONLY), "rb")


def open_given(path: Path) -> io.BufferedReader:
    """Open a file that a person has named: links are followed, but it has to be a regular file."""
    _check_kind(path, path.stat(), stat.S_IFREG)
    handle = os.open(path, os.O_RDONLY | _SAFE & ~os.O_NOFOLLOW)
    try:  # again, since another process can have replaced it in between
        _check_kind(path, os.fstat(handle), stat.S_IFREG)
    except OSError:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def may_write(folder: Path) -> bool:
    """Return whether this account may add files to a folder, or to the nearest one that exists."""
    place = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    return os.access(place, os.W_OK | os.X_OK)


def owner(path: Path) -> int:
    """Return the number of the account that a file or folder belongs to."""
    return path.stat().st_uid


def is_own(path: Path) -> bool:
    """Return whether no other account can change a file, apart from its mode and root."""
    return owner(path) in (0, os.geteuid())


def identity(path: Path) -> tuple[int, ...]:
    """Return numbers of which one changes whenever the file is written to or replaced.

    A program can set the size and the time of modification, but not the time of the last change.
    """
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def open_to_append(folder: Path, name: str) -> BinaryIO:
    """Open a file for unbuffered reading and appending; create it if it is not there.

    A file with a second name (a hard link) is refused: that one would be written to as well.
    """
    handle = _open(folder, name, os.O_RDWR | os.O_APPEND | os.O_CREAT, alone=True)
    return os.fdopen(handle, "rb+", buffering=0)


def open_lock(folder: Path, name: str) -> BinaryIO:
    """Open a lock file for `take_lock`; create it if it is not there, never change its content."""
    handle = _open(folder, name, os.O_RDWR | os.O_CREAT)
    return open(folder / name, "rb+", opener=lambda *_: handle)


def take_lock(file: IO[Any]) -> bool:
    """Lock `file` while it is open, here or in a process that inherits it; False if it is taken.

    A reader that tests the lock holds it for a moment, so this tries five times.
    """
    for attempt in range(5):
        time.sleep(0.02 * attempt)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError as error:
            what = f"no file can be locked here ({error.strerror}); use a home on another disk"
            raise UnusableFileError(Path(file.name), what, error.errno or 0) from error
        return True
    return False


def read_bytes(folder: Path, name: str, limit: int = READ_LIMIT) -> bytes:
    """Return the content of a file of at most `limit` bytes."""
    with open_to_read(folder, name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        what = f"larger than the {limit:,} bytes that such a file can have"
        raise UnusableFileError(folder / name, what, errno.EFBIG)
    return content


def read_text(folder: Path, name: str, limit: int = READ_LIMIT) -> str:
    content = read_bytes(folder, name, limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableFileError(folder / name, f"line {line}: not UTF-8") from error


def read_json(folder: Path, name: str, form: type[T], limit: int = READ_LIMIT) -> T:
    """Return the content of a JSON file as an object of the type `form`."""
    content = read_bytes(folder, name, limit)
    try:
        return msgspec.json.decode(content, type=form)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise UnusableFileError(folder / name, str(error) or "not JSON") from error


def read_array(folder: Path, name: str, *, mapped: bool = False) -> "NDArray[np.generic]":
    """Return the array of a `.npy` file; `mapped`: its pages are read when they are needed."""
    import numpy as np
    from numpy.lib import format as npy

    try:
        with open_to_read(folder, name) as file:
            if not mapped:
                return np.asarray(npy.read_array(file, allow_pickle=False))
            version = npy.read_magic(file)
            header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = header(file)
            if dtype.hasobject:
                raise ValueError("it holds Python objects")
            if 0 in shape:
                return np.empty(shape, dtype)
            start, order = file.tell(), "F" if fortran else "C"
            # np.memmap would extend the file if it were opened for writing; here it is an error.
            return np.memmap(file, dtype, "r", start, shape, order)  # type: ignore[call-overload, no-any-return]
    except OSError:
        raise
    except Exception as error:  # numpy has no common error for what a header can hold
        raise UnusableFileError(folder / name, f"not a whole array file: {error}") from error


def write_array(file: BinaryIO, array: "NDArray[Any]") -> None:
    """Write an array as `np.save` does, which reports a full disk without its error number."""
    import numpy as np
    from numpy.lib import format as npy

    array = np.asarray(array, order="C")
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
    file.write(array.data)


def replace(
    folder: Path,
    name: str,
    content: bytes | Callable[[BinaryIO], object],
    *,
    to_disk: bool = True,
) -> None:
    """Write a file as a whole, so that no reader sees a part of it.

    `content` may be a function that writes to the open file. `to_disk`: the file survives a power
    cut as soon as this returns. If an error is raised, the file is as it was before.
    """
    with _parent(folder, name) as (parent, last):
        scratch = _scratch_name(last)
        handle = os.open(
            scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE, 0o666, dir_fd=parent
        )
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    content(file)
                file.flush()
                if to_disk:
                    os.fsync(file.fileno())
            os.replace(scratch, last, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            with suppress(OSError):
                os.unlink(scratch, dir_fd=parent)
            raise
        if to_disk:
            os.fsync(parent)


def overwrite(folder: Path, name: str, content: bytes) -> None:
    """Write `content` over that of a file, which needs no space if the file is small enough.

    Spaces fill the rest of a longer file. Only for a disk on which `replace` has failed: a reader
    can see a part of it.
    """
    handle = _open(folder, name, os.O_RDWR, alone=True)
    with named(folder / name), os.fdopen(handle, "rb+", buffering=0) as file:
        file.write(content.ljust(os.fstat(file.fileno()).st_size))


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Add `path` to errors that are raised within: those of an open file have none."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def check_kind(folder: Path, name: str, *, is_folder: bool = False, alone: bool = False) -> None:
    """Raise OSError if `name` is there and is not a file, or not a folder if `is_folder`.

    `alone`: a file with a second name (a hard link) is refused, too.
    """
    with suppress(FileNotFoundError), _parent(folder, name) as (parent, last):
        wanted = stat.S_IFDIR if is_folder else stat.S_IFREG
        _check_kind(folder / name, os.lstat(last, dir_fd=parent), wanted, alone=alone)


def make_folder(folder: Path, name: str) -> None:
    """Make a folder within `folder`, which exists; one that is there already is kept."""
    with _parent(folder, name) as (parent, last):
        try:
            os.mkdir(last, dir_fd=parent)
        except FileExistsError:
            _check_kind(folder / name, os.lstat(last, dir_fd=parent), stat.S_IFDIR)


def make_private_folder(folder: Path, name: str, *names: str) -> None:
    """Make a folder with empty files, all for this account alone; the folder must not exist."""
    with _parent(folder, name) as (parent, last):
        os.mkdir(last, 0o700, dir_fd=parent)
    for file in names:
        with _parent(folder, f"{name}/{file}") as (parent, last):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE
            os.close(os.open(last, flags, 0o600, dir_fd=parent))


def file_names(folder: Path, name: str = ".") -> list[str]:
    """Return the names of the regular files in a folder, sorted; none if it does not exist."""
    return _names(folder, name, stat.S_IFREG)


def folder_names(folder: Path, name: str = ".") -> list[str]:
    """Return the names of the folders in a folder, sorted; none if it does not exist."""
    return _names(folder, name, stat.S_IFDIR)


def _names(folder: Path, name: str, kind: int) -> list[str]:
    try:
        with _parent(folder, f"{name}/x") as (parent, _), os.scandir(parent) as entries:
            found = []
            for entry in entries:
                with suppress(FileNotFoundError):  # it has gone since
                    mode = entry.stat(follow_symlinks=False).st_mode
                    if stat.S_IFMT(mode) == kind and not entry.name.endswith(SCRATCH):
                        found.append(entry.name)
            return sorted(found)
    except FileNotFoundError:
        return []


def entries(folder: Path, name: str = ".") -> dict[str, os.stat_result]:
    """Return what lies in a folder, by name, without following links; empty if there is none."""
    found = {}
    with suppress(FileNotFoundError), _parent(folder, f"{name}/x") as (parent, _):
        for entry in os.listdir(parent):  # noqa: PTH208 - of a file descriptor
            with suppress(FileNotFoundError):  # it has gone since
                found[entry] = os.lstat(entry, dir_fd=parent)
    return found


def is_file(folder: Path, name: str) -> bool:
    """Return whether there is a regular file, which is not reached through a link."""
    try:
        checked_path(folder, name)
    except OSError:
        return False
    return True


def size(folder: Path, name: str) -> int:
    """Return the number of bytes of a file."""
    with open_to_read(folder, name) as file:
        return os.fstat(file.fileno()).st_size


def free_space(folder: Path) -> int:
    """Return the free bytes of the disk that has a folder."""
    return shutil.disk_usage(folder).free


def checked_path(folder: Path, name: str) -> Path:
    """Return the path of a regular file, for a library that opens files itself."""
    open_to_read(folder, name).close()
    return folder / name


def remove(folder: Path, name: str) -> None:
    """Remove a file or a link, not what the link leads to; do nothing if there is none."""
    with suppress(FileNotFoundError), _parent(folder, name) as (parent, last):
        os.unlink(last, dir_fd=parent)


def remove_if_empty(folder: Path, name: str) -> None:
    """Remove a folder if nothing is left in it."""
    with suppress(FileNotFoundError), _parent(folder, name) as (parent, last):
        try:
            os.rmdir(last, dir_fd=parent)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise


def remove_scratch(folder: Path, name: str = ".") -> None:
    """Remove what killed processes of this machine have left half written."""
    with suppress(FileNotFoundError), _parent(folder, f"{name}/x") as (parent, _):
        for entry in os.listdir(parent):  # noqa: PTH208 - of a file descriptor
            if entry.startswith(".") and entry.endswith(SCRATCH) and not _writer_lives(entry):
                _remove_any(entry, parent)


def _remove_any(name: str | Path, parent: int | None = None) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=parent)
    shutil.rmtree(name, ignore_errors=True, dir_fd=parent)


def _scratch_name(name: str) -> str:
    return f".{name[:40]}.{_host()}-{os.getpid()}.{os.urandom(3).hex()}{SCRATCH}"


def _writer_lives(scratch: str) -> bool:
    """Return whether the process that writes it may still run; one of another machine may."""
    host, _, pid = scratch.split(".")[-2].partition("-")
    return pid.isdecimal() and len(pid) < 20 and (host != _host() or Path("/proc", pid).exists())


def _host() -> str:
    return f"{zlib.crc32(os.fsencode(platform.node())):08x}"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Let the caller fill a folder that appears at `target` when it is complete.

    If another process was faster, its folder stays and this one is discarded.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(_scratch_name(target.name))
    scratch.mkdir()
    try:
        yield scratch
        try:
            scratch.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove_folder(target: Path) -> None:
    """Remove a folder, or what is in its place, so that no reader sees a part of it."""
    scratch = target.with_name(_scratch_name(target.name))
    with suppress(FileNotFoundError):
        target.rename(scratch)
        _remove_any(scratch)


def _open(folder: Path, name: str, flags: int, *, alone: bool = False) -> int:
    with _parent(folder, name) as (parent, last):
        try:
            _check_kind(folder / name, os.lstat(last, dir_fd=parent), stat.S_IFREG, alone=alone)
        except FileNotFoundError:
            if not flags & os.O_CREAT:
                raise
        handle = os.open(last, flags | _SAFE, 0o666, dir_fd=parent)
        try:  # again, since another process can have replaced it in between
            _check_kind(folder / name, os.fstat(handle), stat.S_IFREG, alone=alone)
        except OSError:
            os.close(handle)
            raise
        return handle


@contextmanager
def _parent(folder: Path, name: str) -> Iterator[tuple[int, str]]:
    """Yield an open descriptor of the folder that holds `name`, and the last part of `name`.

    The path is added to errors that are raised within.
    """
    *middle, last = PurePosixPath(name).parts or ("",)
    handles: list[int] = []
    path = folder
    try:
        if (
            last == ""
            or ".." in (*middle, last)
            or name.startswith("/")
            or not _is_path(path / name)
        ):
            raise UnusableFileError(folder / name, "not the name of a file within the folder")
        handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in middle:
            path = path / part
            _check_kind(path, os.lstat(part, dir_fd=handles[-1]), stat.S_IFDIR)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            handles.append(os.open(part, flags, dir_fd=handles[-1]))
        path = folder / name
        yield handles[-1], last
    except UnusableFileError:
        raise
    except OSError as error:
        if not isinstance(error.filename, str) or not Path(error.filename).is_absolute():
            error.filename = str(path)
            if error.filename2 is not None:
                del error.filename2  # None would be shown as a name
        raise
    finally:
        for handle in handles:
            os.close(handle)


def _is_path(path: Path) -> bool:
    """Return whether a file can have this path: not with a NUL or half a letter in it."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def _check_kind(path: Path, found: os.stat_result, wanted: int, *, alone: bool = False) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != wanted:
        expected = "a folder" if wanted == stat.S_IFDIR else "a file"
        raise UnusableFileError(path, f"expected {expected}, found {_KINDS.get(kind, 'a file')}")
    if alone and found.st_nlink > 1:
        what = "this file has a second name (a hard link); replace it by a copy of itself"
        raise UnusableFileError(path, what)
