"""Open files as they are: compressed ones, those in a zip, and text of any encoding.

A zip is read like a folder: `shop.zip/shop/purchases.csv` is the path of a file in it. Nothing is
unpacked to disk. Imports no pyarrow, which takes 0.1 s: the header alone decides whether a file is
a dataset.
"""

import bz2
import codecs
import errno
import gzip
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, BinaryIO

from neumf_tui import files
from neumf_tui.errors import DatasetError

LARGEST_RATIO = 200
"""Unpacked bytes per byte of a compressed file; ratings have 3 to 30, a file made to fill the
memory has 1,000 and more."""
FREE_BYTES = 1 << 26
"""Unpacked bytes that are not limited."""
BAD_ZIP = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, LookupError, OSError,
    OverflowError, MemoryError, RuntimeError, ValueError,
)  # fmt: skip
"""What zipfile and the decompressors raise for damaged, encrypted and unknown content."""
_CHUNK = 1 << 18
_PACKED_SUFFIXES = {".gz", ".bz2", ".xz", ".zst", ".zip"}
_ZIP = b"PK\x03\x04"
_BOMS = (  # that of UTF-32 starts with that of UTF-16
    (codecs.BOM_UTF8, "UTF-8"),
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_LETTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
"""A letter of several bytes in UTF-8."""
_LATIN_1_ONLY = b"\x81\x8d\x8f\x90\x9d"
"""Bytes that are control characters in Latin-1, and nothing in Windows-1252."""


@dataclass
class Opened:
    """A file that is being read."""

    file: BinaryIO
    size: int
    """Bytes on disk."""
    position: Callable[[], int]
    """Return how many of them have been read."""
    packing: str = ""
    """How it is compressed: gzip, bzip2, xz, Zstandard, zip."""


class NotUtf8Error(Exception):
    """The text is not UTF-8, as was assumed."""


@contextmanager
def open_bytes(path: Path) -> Iterator[Opened]:
    """Open a file that a person has named, also one in a zip; decompress it.

    Raises DatasetError if it cannot be opened or, while it is read, if it is damaged.
    """
    with ExitStack() as stack:
        try:
            place = _in_zip(path)
            if place is not None and place[1] not in _names(place[0]):
                raise FileNotFoundError(errno.ENOENT, f"not in {place[0].name}")
            given: BinaryIO = stack.enter_context(files.open_given(place[0] if place else path))
            size = given.seek(0, io.SEEK_END)
            given.seek(0)
        except OSError as error:
            raise unreadable(path, error) from error
        found = Opened(given, size, given.tell)
        if place is not None:
            member = stack.enter_context(_member(path, given, place[1]))
            found = _unpacked(path, found, member, "zip")
        start = found.file.peek(6)[:6]  # type: ignore[attr-defined]
        for magic, packing, unpack in _PACKINGS:
            if start.startswith(magic):
                inner = stack.enter_context(unpack(found.file))
                yield _unpacked(path, found, inner, packing)
                return
        yield found


@contextmanager
def open_text(path: Path, encoding: str = "UTF-8") -> Iterator[Opened]:
    """Open a text as UTF-8 without a byte order mark; `encoding`: that of the file."""
    with open_bytes(path) as found:
        if encoding == "UTF-8":
            if found.file.peek(3)[:3] == codecs.BOM_UTF8:  # type: ignore[attr-defined]
                found.file.read(3)
            yield found
        else:
            recoded = _Recoded(path, found.file, encoding)
            yield Opened(io.BufferedReader(recoded, _CHUNK), found.size, found.position)


def encoding_of(path: Path, start: bytes) -> str:
    """Return the encoding of a text that starts with `start`; the rest is read only if needed.

    What is not UTF-8 is Windows-1252, which has all printable characters of Latin-1. Raises
    DatasetError for UTF-8 with a damaged byte.
    """
    for mark, encoding in _BOMS:
        if start.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return single_byte_encoding(path)
    return "UTF-8"


def encoding_throughout(path: Path) -> str:
    """Return the encoding of a text, all of which is read to find it out."""
    with open_bytes(path) as found:
        start = found.file.read(_CHUNK)
        encoding = encoding_of(path, start)
        if encoding == "UTF-8":
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                while start:
                    decoder.decode(start)
                    start = found.file.read(_CHUNK)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                return single_byte_encoding(path)
    return encoding


def single_byte_encoding(path: Path) -> str:
    """Return Windows-1252 or Latin-1 for a text that is not UTF-8.

    Raises DatasetError, naming the line, if it has the mark of UTF-8 or more letters of it than
    other bytes: then it is UTF-8 with a damaged byte.
    """
    letters, others, latin_1, first, number = 0, 0, False, None, 1
    with open_bytes(path) as found:
        is_marked = found.file.peek(3)[:3] == codecs.BOM_UTF8  # type: ignore[attr-defined]
        for line in iter(lambda: found.file.readline(_CHUNK), b""):
            if not line.isascii():
                letters += len(_LETTER.findall(line))
                bad = [byte for byte in _LETTER.sub(b"", line) if byte > 127]
                others += len(bad)
                latin_1 = latin_1 or any(byte in _LATIN_1_ONLY for byte in bad)
                if bad and first is None:
                    first = (number + count_lines(_until_fault(line)), bad[0])
            number += count_lines(line)
    if first is not None and (is_marked or letters >= others):
        raise DatasetError(
            f"{path}, line {first[0]}: byte 0x{first[1]:02x} is not UTF-8, but the rest of the "
            "file is; fix the line, or convert the file (from Latin-1: iconv -f LATIN1 -t UTF-8)"
        )
    return "Latin-1" if latin_1 else "Windows-1252"


def _until_fault(line: bytes) -> bytes:
    """Return what comes before the first byte that is not UTF-8."""
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        return line[: error.start]
    return line


def count_lines(text: bytes) -> int:
    """Return the number of line ends of any kind."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def is_file(path: Path) -> bool:
    """Return whether this is a file, on disk or in a zip."""
    try:
        place = _in_zip(path)
        return path.is_file() if place is None else place[1] in _names(place[0])
    except (OSError, DatasetError):  # no permission to search the folder
        return False


def entries(folder: Path) -> list[Path]:
    """Return the visible files and folders in a folder or zip, sorted; none if unreadable.

    Hidden are those whose name starts with a dot or an underline, such as `_SUCCESS`.
    """
    try:
        place = (folder, "") if is_zip(folder) else _in_zip(folder)
        if place is None:
            found = list(folder.iterdir())
        else:
            start = f"{place[1]}/" if place[1] else ""
            inside = [name[len(start) :] for name in _names(place[0]) if name.startswith(start)]
            found = [folder / one for one in {name.split("/")[0] for name in inside}]
    except (OSError, DatasetError):
        return []
    return sorted(path for path in found if not path.name.startswith((".", "_")))


def is_zip(path: Path) -> bool:
    """Return whether a file on disk starts like a zip."""
    try:
        with files.open_given(path) as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def file_on_disk(path: Path) -> Path:
    """Return the file itself, or the zip that it is in."""
    place = _in_zip(path)
    return place[0] if place else path


def plain_name(path: Path) -> str:
    """Return the name of a file without the suffix of its compression: `x.csv` for `x.csv.gz`."""
    return path.stem if path.suffix.lower() in _PACKED_SUFFIXES else path.name


def unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"{path}: cannot be read ({error.strerror}); expected it beside the other files of its "
        "dataset; check --data-dir or NEUMF_TUI_DATA"
    )


class _Checked(io.RawIOBase):
    """The content of a compressed file: errors are DatasetErrors, and it has a limit."""

    def __init__(self, path: Path, inner: IO[bytes], size: int) -> None:
        self._path, self._inner = path, inner
        self._left = max(FREE_BYTES, LARGEST_RATIO * size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            chunk = self._inner.read(len(buffer))
        except BAD_ZIP as error:
            raise _damaged(self._path, error) from error
        self._left -= len(chunk)
        if self._left < 0:
            raise DatasetError(
                f"{self._path}: unpacks to more than {LARGEST_RATIO} times its size; expected a "
                "table of interactions; if it is one, unpack it and name the unpacked file"
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Recoded(io.RawIOBase):
    """A text in UTF-8, read from a text in another encoding."""

    def __init__(self, path: Path, inner: BinaryIO, encoding: str) -> None:
        self._path, self._inner, self._encoding = path, inner, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._waiting = b""
        self._lines = 1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._waiting:
            chunk = self._inner.read(_CHUNK)
            try:
                text = self._decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise DatasetError(
                    f"{self._path}, line {self._lines} or later: is not {self._encoding} "
                    f"({error.reason}); get the file again, or convert it to UTF-8 with iconv"
                ) from error
            self._lines += text.count("\n")
            self._waiting = text.encode()
            if not chunk:
                break
        taken = self._waiting[: len(buffer)]
        self._waiting = self._waiting[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _unpacked(path: Path, packed: Opened, inner: IO[bytes], packing: str) -> Opened:
    checked = io.BufferedReader(_Checked(path, inner, packed.size), _CHUNK)
    return Opened(checked, packed.size, packed.position, packing)


@contextmanager
def _zstandard(file: BinaryIO) -> Iterator[IO[bytes]]:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd") as stream:
        yield stream


_PACKINGS: tuple[tuple[bytes, str, Any], ...] = (
    (b"\x1f\x8b", "gzip", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\0", "xz", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", "Zstandard", _zstandard),
)


@contextmanager
def _member(path: Path, file: BinaryIO, name: str) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            member = stack.enter_context(archive.open(name))
        except BAD_ZIP as error:
            raise _damaged(path, error) from error
        yield member


def _damaged(path: Path, error: BaseException) -> DatasetError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return DatasetError(f"{path}: is damaged and cannot be unpacked ({reason}); get it again")


def _in_zip(path: Path) -> tuple[Path, str] | None:
    """Return the zip that `path` leads into and the name in it, None for a path on disk."""
    if path.exists():
        return None
    for parent in path.parents:
        if parent.is_dir():
            break
        if is_zip(parent):
            return parent, path.relative_to(parent).as_posix()
    return None


def _names(archive: Path) -> frozenset[str]:
    return _names_of_version(archive, files.identity(archive))


@lru_cache(maxsize=8)
def _names_of_version(archive: Path, _: tuple[int, ...]) -> frozenset[str]:
    """Return the names of all files in the zip that has this `files.identity`."""
    try:
        with files.open_given(archive) as file, zipfile.ZipFile(file) as opened:
            return frozenset(name for name in opened.namelist() if not name.endswith("/"))
    except BAD_ZIP as error:
        raise _damaged(archive, error) from error
