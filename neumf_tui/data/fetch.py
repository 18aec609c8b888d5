"""Download of a release of MovieLens: checked by hash, unpacked whole or not at all, gone on with after a break, and never
waiting long for a dead network."""

import hashlib
import os
import shutil
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pooch

from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.releases import Release
from neumf_tui.errors import DatasetError

SILENCE_LIMIT = 9.0
"""Seconds without a byte after which the network counts as unreachable."""
_CHUNK = 1 << 18
"""Bytes that are taken at once."""


class NoNetwork(DatasetError):
    """The file could not be fetched; the only failure `--dataset auto` answers with the demo set."""


class _Download:
    """A downloader for pooch that keeps what has arrived in `part`, and next time asks only for the rest."""

    def __init__(self, release: Release, part: Path, report: Report) -> None:
        self.release = release
        self.part = part
        self.report = report
        self.last = time.monotonic()
        """When the latest byte came."""

    def __call__(self, url: str, output: str, _pooch: Any) -> None:
        import requests

        have = self.part.stat().st_size if self.part.exists() else 0
        if not have or have != self.release.size:
            asked = {"Range": f"bytes={have}-"} if have else {}
            with requests.get(url, headers=asked, stream=True, timeout=SILENCE_LIMIT) as answer:
                if have and answer.status_code == requests.codes.requested_range_not_satisfiable:
                    self.part.unlink()  # longer than the file is: of another one
                    self(url, output, _pooch)
                    return
                answer.raise_for_status()
                self._take(
                    answer, have if answer.status_code == requests.codes.partial_content else 0
                )
        os.replace(self.part, output)

    def _take(self, answer: Any, have: int) -> None:
        total = have + int(answer.headers.get("Content-Length", 0)) or self.release.size or 0
        with self.part.open("ab" if have else "wb") as file:
            for chunk in answer.iter_content(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                self.last = time.monotonic()
                self.report(
                    Progress(f"fetching {self.release.archive}", have, max(have, total), "B")
                )
        if have < total:
            raise ConnectionError(
                f"{have:,} of {total:,} bytes arrived; run again to fetch the rest"
            )


def fetch(release: Release, folder: Path, report: Report) -> None:
    """Put the release's zip into `folder`, by way of a temporary file; what had arrived before a break is not fetched again.

    Raises NoNetwork when nothing arrives for SILENCE_LIMIT seconds, or on any transfer error or wrong hash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    download = _Download(release, folder / f".{release.archive}.part", report)
    problem: list[BaseException] = []

    def transfer() -> None:
        try:
            pooch.retrieve(
                release.url, release.sha256, release.archive, folder, downloader=download
            )
        except BaseException as error:  # noqa: BLE001 - carried to the caller below
            problem.append(error)

    pooch.get_logger().setLevel("ERROR")
    # A thread, because the look-up of a host name knows no time limit.
    thread = threading.Thread(target=transfer, daemon=True)
    thread.start()
    while thread.is_alive() and time.monotonic() - download.last < SILENCE_LIMIT:
        thread.join(0.05)
    if (
        thread.is_alive()
        and download.part.exists()
        and download.part.stat().st_size == release.size
    ):
        thread.join()  # all is here, and its hash is being taken
    if thread.is_alive():
        raise NoNetwork(f"files.grouplens.org sent nothing for {SILENCE_LIMIT:.0f} seconds")
    if problem:
        broken = problem[0]
        reason = (
            "the file has another hash than published"
            if isinstance(broken, ValueError)
            else type(broken).__name__
        )
        raise NoNetwork(f"files.grouplens.org cannot be reached ({reason})")


def sha256_of(path: Path, report: Report = silent) -> str:
    """In hexadecimal."""
    digest, total, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
            done += len(chunk)
            report(Progress(f"checking {path.name}", done, total, "B"))
    return digest.hexdigest()


def check_zip(release: Release, path: Path, report: Report = silent) -> None:
    """Raise DatasetError unless the file has the published hash, where one is known."""
    if release.sha256 is None:
        return
    found = sha256_of(path, report)
    if found != release.sha256:
        raise DatasetError(
            f"{path}: not the published {release.archive} ({path.stat().st_size:,} bytes, SHA-256 {found[:12]}…; expected "
            f"{release.size or 0:,} bytes, {release.sha256[:12]}…): cut short or changed; delete it, then run again"
        )


def unpack(release: Release, archive: Path, target: Path, report: Report = silent) -> None:
    """Unpack the dataset's own files to `target`, whole or not at all. Raises DatasetError for a zip that is not the release."""
    check_zip(release, archive, report)
    scratch = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        with zipfile.ZipFile(archive) as files:
            sizes = {
                name: files.getinfo(f"{release.folder}/{name}").file_size for name in release.files
            }
            done, total = 0, sum(sizes.values())
            for name in release.files:
                with (
                    files.open(f"{release.folder}/{name}") as packed,
                    (scratch / name).open("wb") as file,
                ):
                    while chunk := packed.read(1 << 22):
                        file.write(chunk)
                        done += len(chunk)
                        report(Progress(f"unpacking {archive.name}", done, total, "B"))
        os.replace(scratch, target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DatasetError(
            f"{archive}: is no {release.archive} as GroupLens publishes it ({error}); delete it, then run again"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
