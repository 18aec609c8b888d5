"""Download of a MovieLens release: resumed after a break, checked by hash, unpacked as a whole."""

import hashlib
import os
import shutil
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.releases import Release
from neumf_tui.errors import DatasetError

if TYPE_CHECKING:
    import requests

SILENCE_LIMIT = 9.0
"""Seconds without a byte after which the network counts as unreachable."""
NETWORK_CHUNK = 1 << 18
_FILE_CHUNK = 1 << 22


class NoNetwork(DatasetError):
    """The file could not be downloaded; only then `--dataset auto` uses the demo dataset."""


class _Download:
    """A download into `folder`; what arrives is kept in `part` and not requested again."""

    def __init__(self, release: Release, folder: Path, report: Report) -> None:
        self.release = release
        self.target = folder / release.archive
        self.part = folder / f".{release.archive}.part"
        self.report = report
        self.last_byte = time.monotonic()
        self.complete = False
        """Whether all bytes have arrived; their hash may still be computed."""
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self._request()
            self.complete = True
            expected = self.release.sha256
            if expected is not None and sha256_of(self.part) != expected:
                self.part.unlink()
                raise NoNetwork("the file from files.grouplens.org has another hash than published")
            os.replace(self.part, self.target)
        except BaseException as error:  # noqa: BLE001 - raised by `download` in the caller's thread
            self.error = error

    def _request(self) -> None:
        import requests

        have = self.part.stat().st_size if self.part.exists() else 0
        if have and have == self.release.size:
            return
        headers = {"Range": f"bytes={have}-"} if have else {}
        url = self.release.url
        with requests.get(url, headers=headers, stream=True, timeout=SILENCE_LIMIT) as response:
            if have and response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()  # longer than the file on the server, so of another version
                self._request()
                return
            response.raise_for_status()
            if response.status_code != requests.codes.partial_content:
                have = 0
            self._receive(response, have)

    def _receive(self, response: "requests.Response", have: int) -> None:
        total = have + int(response.headers.get("Content-Length", 0)) or self.release.size or 0
        with self.part.open("ab" if have else "wb") as file:
            for chunk in response.iter_content(NETWORK_CHUNK):
                file.write(chunk)
                have += len(chunk)
                self.last_byte = time.monotonic()
                self.report(Progress(f"fetching {self.target.name}", have, max(have, total), "B"))
        if have < total:
            raise ConnectionError(f"{have:,} of {total:,} bytes arrived")


def download(release: Release, folder: Path, report: Report) -> None:
    """Put the release's zip into `folder`.

    Raises NoNetwork if nothing arrives for SILENCE_LIMIT seconds, for any transfer error, and for
    a wrong hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = _Download(release, folder, report)
    # In a thread, because the look-up of a host name has no time limit.
    thread = threading.Thread(target=job.run, daemon=True)
    thread.start()
    while thread.is_alive() and (job.complete or time.monotonic() - job.last_byte < SILENCE_LIMIT):
        thread.join(0.05)
    if thread.is_alive():
        raise NoNetwork(f"files.grouplens.org sent nothing for {SILENCE_LIMIT:.0f} seconds")
    if isinstance(job.error, NoNetwork):
        raise job.error
    if job.error is not None:
        raise NoNetwork(f"files.grouplens.org cannot be reached ({type(job.error).__name__})")


def sha256_of(path: Path, report: Report = silent) -> str:
    """Return the SHA-256 of the file in hexadecimal."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
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
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = [zipped.getinfo(f"{release.folder}/{name}") for name in release.files]
            done, total = 0, sum(member.file_size for member in members)
            for name, member in zip(release.files, members, strict=True):
                with zipped.open(member) as packed, (scratch / name).open("wb") as file:
                    while chunk := packed.read(_FILE_CHUNK):
                        file.write(chunk)
                        done += len(chunk)
                        report(Progress(f"unpacking {archive.name}", done, total, "B"))
        os.replace(scratch, target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DatasetError(
            f"{archive}: not {release.archive} as GroupLens publishes it ({error}); "
            "delete it, then run again"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
