"""Download of MovieLens 100K: checked by hash, unpacked whole or not at all, never waiting long for a dead network."""

import hashlib
import os
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pooch

from neumf_tui.errors import DatasetError

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
SIZE = 4_924_029
SHA256 = "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229"
FILES = ("u.data", "u.item", "u.genre", "u.user", "u.occupation", "u.info", "README")
CITATION = (
    "MovieLens 100K is for research use and may not be redistributed; its README states the terms. Cite: F. M. Harper "
    "and J. A. Konstan (2015), The MovieLens Datasets: History and Context, ACM TiiS 5(4), 19."
)
SILENCE_LIMIT = 9.0
"""Seconds without a byte after which the network counts as unreachable."""

Progress = Callable[[int], None]
"""Called with the number of bytes that have arrived."""


class NoNetwork(DatasetError):
    """The file could not be fetched; the only failure `--dataset auto` answers with the demo set."""


class _Watch:
    """The object pooch reports arriving bytes to; remembers when the last one came."""

    def __init__(self, report: Progress) -> None:
        self.total = SIZE
        self.report = report
        self.received = 0
        self.last = time.monotonic()

    def update(self, count: int) -> None:
        self.received += count
        self.last = time.monotonic()
        self.report(self.received)

    def reset(self) -> None:
        self.received = 0

    def close(self) -> None:
        pass


def check_zip(path: Path) -> None:
    """Raise DatasetError unless the file has the published hash."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise DatasetError(
            f"{path}: not the published ml-100k.zip ({path.stat().st_size:,} bytes, SHA-256 {found[:12]}…; expected "
            f"{SIZE:,} bytes, {SHA256[:12]}…): cut short or changed; delete it, then run again"
        )


def fetch(folder: Path, report: Progress) -> None:
    """Put ml-100k.zip into `folder`, by way of a temporary file.

    Raises NoNetwork when nothing arrives for SILENCE_LIMIT seconds, or on any transfer error or wrong hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    watch = _Watch(report)
    problem: list[BaseException] = []

    def transfer() -> None:
        try:
            pooch.retrieve(
                URL,
                known_hash=SHA256,
                fname="ml-100k.zip",
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=watch, timeout=SILENCE_LIMIT),
            )
        except BaseException as error:  # noqa: BLE001 - carried to the caller below
            problem.append(error)

    pooch.get_logger().setLevel("ERROR")
    # A thread, because the look-up of a host name knows no time limit.
    thread = threading.Thread(target=transfer, daemon=True)
    thread.start()
    while thread.is_alive() and time.monotonic() - watch.last < SILENCE_LIMIT:
        thread.join(0.05)
    if thread.is_alive():
        raise NoNetwork(f"files.grouplens.org sent nothing for {SILENCE_LIMIT:.0f} seconds")
    if problem:
        name = type(problem[0]).__name__
        reason = "the file has another hash than published" if isinstance(problem[0], ValueError) else name
        raise NoNetwork(f"files.grouplens.org cannot be reached ({reason})")


def unpack(archive: Path, target: Path) -> None:
    """Unpack the dataset's own files to `target`, whole or not at all."""
    check_zip(archive)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as files:
            for name in FILES:
                (scratch / name).write_bytes(files.read(f"ml-100k/{name}"))
        os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
