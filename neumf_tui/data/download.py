"""Download of a MovieLens release: resumed after a break, checked by hash, unpacked as a whole."""

import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from neumf_tui import files
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.readers.text_open import BAD_ZIP
from neumf_tui.data.releases import Release
from neumf_tui.errors import DatasetError

if TYPE_CHECKING:
    import requests

SILENCE_LIMIT = 9.0
"""Seconds without a byte after which the network counts as unreachable."""
NETWORK_CHUNK = 1 << 18
_FILE_CHUNK = 1 << 22
_LARGEST_RATIO = 100
"""Unpacked bytes per byte of a zip; ratings have about 5, a zip made to fill the disk has 1,000."""


class NoNetwork(DatasetError):
    """The file could not be downloaded; only then `--dataset auto` uses the demo dataset."""


class _Download:
    """A download into `folder`; what arrives is kept in `part` and not requested again.

    It holds `lock` until it ends, also when nobody waits for it any more.
    """

    def __init__(self, release: Release, folder: Path, report: Report, lock: BinaryIO) -> None:
        self.release = release
        self.target = folder / release.archive
        self.part = folder / f".{release.archive}.part"
        self.file = files.open_to_append(folder, self.part.name)
        self.report = report
        self.lock = lock
        self.last_byte = time.monotonic()
        self.complete = False
        """Whether all bytes have arrived; their hash may still be computed."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self.lock, self.file:
                self._request()
                self.complete = True
                expected = self.release.sha256
                if expected is not None and sha256_of(self.part) != expected:
                    self.part.unlink()
                    raise NoNetwork(
                        "the file from files.grouplens.org has another hash than published"
                    )
                self.part.rename(self.target)
        except BaseException as error:  # noqa: BLE001 - raised by `download` in the caller's thread
            self.error = error

    def _request(self) -> None:
        import requests

        have = self.file.seek(0, os.SEEK_END)
        if have and have == self.release.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        url = self.release.url
        with requests.get(url, headers=headers, stream=True, timeout=SILENCE_LIMIT) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                self.file.truncate(0)  # longer than the file on the server, so of another version
                self._request()
                return
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                have = self.file.truncate(0)
            self._receive(response, have)

    def _receive(self, response: "requests.Response", have: int) -> None:
        total = have + int(response.headers.get("Content-Length", 0)) or self.release.size or 0
        for chunk in response.iter_content(NETWORK_CHUNK):
            have += len(chunk)
            self._write(chunk)
            self.last_byte = time.monotonic()
            self.report(Progress(f"fetching {self.target.name}", have, max(have, total), "B"))
        if have < total:
            raise ConnectionError(f"{have:,} of {total:,} bytes arrived")

    def _write(self, chunk: bytes) -> None:
        try:
            while chunk:
                chunk = chunk[self.file.write(chunk) :]
        except OSError as error:  # not one of the network, for which the demo dataset is used
            raise DatasetError(
                f"{self.part}: {error.strerror}; free space, then run again"
            ) from error


def download(release: Release, folder: Path, report: Report) -> None:
    """Put the release's zip into `folder`; wait while another process does so.

    Raises NoNetwork if nothing arrives for SILENCE_LIMIT seconds, for any transfer error, and for
    a wrong hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = files.open_lock(folder, f".{release.archive}.lock")
    while not files.take_lock(lock):
        report(Progress(f"waiting for another process that fetches {release.archive}", 0, 1))
    if files.is_file(folder, release.archive):  # it has fetched the zip
        lock.close()
        return
    job = _Download(release, folder, report, lock)
    # In a thread, because the look-up of a host name has no time limit.
    thread = threading.Thread(target=job.run, daemon=True)
    thread.start()
    while thread.is_alive() and (job.complete or time.monotonic() - job.last_byte < SILENCE_LIMIT):
        thread.join(0.05)
    if thread.is_alive():
        raise NoNetwork(f"files.grouplens.org sent nothing for {SILENCE_LIMIT:.0f} seconds")
    if isinstance(job.error, DatasetError):
        raise job.error
    if job.error is not None:
        raise NoNetwork(f"files.grouplens.org cannot be reached ({type(job.error).__name__})")


def sha256_of(path: Path, report: Report = silent) -> str:
    """Return the SHA-256 of the file in hexadecimal."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with files.open_given(path) as file:
        while chunk := file.read(_FILE_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            report(Progress(f"checking {path.name}", done, total, "B"))
    return digest.hexdigest()


def unpack(release: Release, archive: Path, target: Path, report: Report = silent) -> None:
    """Unpack the dataset's files to `target`, completely or not at all.

    Raises DatasetError for a zip that is not the release, by its hash if one is known.
    """
    if release.sha256 is not None and (found := sha256_of(archive, report)) != release.sha256:
        raise DatasetError(
            f"{archive}: not the published {release.archive} ({archive.stat().st_size:,} bytes, "
            f"SHA-256 {found[:12]}…; expected {release.size or 0:,} bytes, "
            f"{release.sha256[:12]}…): the file is incomplete or changed; delete it, then run again"
        )
    files.remove_scratch(target.parent)
    with files.open_given(archive) as file, files.new_folder(target) as scratch:
        parts = _unpacked(release, archive, file, report)
        for name, contents in groupby(parts, itemgetter(0)):
            files.replace(scratch, name, partial(_write_parts, contents), to_disk=False)


def _write_parts(parts: Iterable[tuple[str, bytes]], file: BinaryIO) -> None:
    file.writelines(content for _, content in parts)


def _unpacked(
    release: Release, archive: Path, file: BinaryIO, report: Report
) -> Iterator[tuple[str, bytes]]:
    """Yield the dataset's files in parts: name and content; raise DatasetError for a bad zip."""
    try:
        limit = _LARGEST_RATIO * archive.stat().st_size
        with zipfile.ZipFile(file) as zipped:
            members = [zipped.getinfo(f"{release.folder}/{name}") for name in release.files]
            done, total = 0, sum(member.file_size for member in members)
            if total > limit:
                raise zipfile.BadZipFile(f"{total:,} bytes in it, more than text can have")
            for name, member in zip(release.files, members, strict=True):
                yield name, b""  # also of an empty file
                with zipped.open(member) as packed:
                    while chunk := packed.read(_FILE_CHUNK):
                        yield name, chunk
                        done += len(chunk)
                        report(Progress(f"unpacking {archive.name}", done, total, "B"))
    except BAD_ZIP as error:
        raise DatasetError(
            f"{archive}: not {release.archive} as GroupLens publishes it ({error}); "
            "delete it, then run again"
        ) from error
