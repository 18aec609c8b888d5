"""Zips that are encrypted, damaged or made to fill the disk: one message, and nothing is left."""

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError

RELEASE = RELEASES["ml-10m"]
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def in_headers(content: bytes, at: int, value: int) -> bytes:
    """Set the 16 bits at `at` of each local header, which are 2 further on in the directory."""
    changed = bytearray(content)
    for mark, place in ((LOCAL, at), (CENTRAL, at + 2)):
        start = content.find(mark)
        while start >= 0:
            struct.pack_into("<H", changed, start + place, value)
            start = content.find(mark, start + 1)
    return bytes(changed)


def encrypted(content: bytes) -> bytes:
    return in_headers(content, 6, 1)


def of_another_method(content: bytes, method: int) -> bytes:
    return in_headers(content, 8, method)


def harmed(content: bytes, at: float) -> bytes:
    place = int(len(content) * at)
    return content[:place] + bytes(30) + content[place + 30 :]


HARMS: list[Callable[[bytes], bytes]] = [
    encrypted,
    lambda content: of_another_method(content, 97),
    lambda content: of_another_method(content, 12),  # bzip2: "Invalid data stream"
    lambda content: of_another_method(content, 14),  # LZMA
    lambda content: of_another_method(content, 0),
    lambda content: harmed(content, 0.1),
    lambda content: harmed(content, 0.4),
    lambda content: harmed(content, 0.95),
    lambda content: content[: len(content) // 2],
    lambda content: content[:-30],
    lambda content: content[300:],
    lambda content: content.replace(b"ratings.dat", b"../../x.dat"),
    lambda content: content.replace(b"ratings.dat", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9.dat"),
]


def write(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in RELEASE.files:
            file.writestr(f"{RELEASE.folder}/{name}", content)


@pytest.mark.parametrize("number", range(len(HARMS)))
def test_a_damaged_zip_is_one_message(number: int, own_home: Path) -> None:
    archive = own_home / "datasets" / RELEASE.archive
    archive.parent.mkdir(parents=True)
    write(archive, "".join(f"{n}::{n}::3::{n}\n" for n in range(300)).encode())
    archive.write_bytes(HARMS[number](archive.read_bytes()))
    with pytest.raises(DatasetError, match=r"ml-10m\.zip: not ml-10m\.zip .*; delete it"):
        open_dataset("ml-10m", None, own_home, silent, silent)
    assert [path.name for path in own_home.rglob("*") if path.is_file()] == [archive.name]
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


def test_a_zip_that_would_fill_the_disk_is_refused(own_home: Path) -> None:
    archive = own_home / "datasets" / RELEASE.archive
    archive.parent.mkdir(parents=True)
    write(archive, bytes(2_000_000))
    with pytest.raises(DatasetError, match="more than text can have"):
        open_dataset("ml-10m", None, own_home, silent, silent)
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]
