"""Datasets under faults: several processes at once, a full disk, and files that are no files."""

import gc
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from neumf_tui.data import download
from neumf_tui.data.load import load_dataset
from neumf_tui.data.prepared import load, prepared_dir, save
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.files import identity
from tests.support.datasets import tiny_dataset
from tests.support.rating_files import as_100k, as_csv, as_dat, as_parquet, as_recbole

OPEN = """
import sys
from pathlib import Path
from typing import ClassVar
from neumf_tui.data.progress import silent
from neumf_tui.data.load import load_dataset
from neumf_tui.data.registry import open_dataset
place, homes = Path(sys.argv[1]), Path(sys.argv[2])
for number in range(10):
    data = open_dataset("auto", place, homes / str(number), silent, silent)
    load_dataset(data.fingerprint, data.name, homes / str(number), data.source)
"""


@pytest.mark.parametrize("number", range(5))
def test_threads_that_prepare_the_same_dataset_at_once_all_end_well(
    number: int, tmp_path: Path, own_home: Path
) -> None:
    place = as_csv(tmp_path)
    (tmp_path / "copy").mkdir()
    places = [place, place, as_csv(tmp_path / "copy"), place]
    together = threading.Barrier(len(places))

    def prepare(place: Path) -> int:
        together.wait()
        return open_dataset("auto", place, own_home, silent, silent).num_train

    with ThreadPoolExecutor(len(places)) as pool:
        assert list(pool.map(prepare, places)) == [76] * 4


@pytest.mark.slow
def test_processes_that_prepare_the_same_dataset_at_once_all_end_well(tmp_path: Path) -> None:
    place = as_csv(tmp_path)
    (tmp_path / "copy").mkdir()
    places = [place, place, place, as_csv(tmp_path / "copy")]  # the same data at another place
    started = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(place), str(tmp_path / "homes")],
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in places
    ]
    ended = [(process.communicate()[1], process.returncode) for process in started]
    assert ended == [("", 0)] * 4
    for home in (tmp_path / "homes").iterdir():
        left = [path.name for path in prepared_dir(home).iterdir()]
        assert len(left) == 2 and "sources" in left
        load(prepared_dir(home), next(name for name in left if name != "sources"))


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let every write beyond `size` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 10, 200, 600])
def test_a_full_disk_leaves_nothing_of_a_prepared_dataset(
    size: int, tmp_path: Path, own_home: Path
) -> None:
    place = as_csv(tmp_path)
    with largest_file(size), pytest.raises(OSError, match=str(own_home)) as caught:
        open_dataset("auto", place, own_home, silent, silent)
    assert caught.value.strerror == "File too large"
    assert not list(prepared_dir(own_home).glob("[!s]*"))
    assert open_dataset("auto", place, own_home, silent, silent).num_users == 4


def test_too_many_open_files_are_not_taken_for_damage(tmp_path: Path, own_home: Path) -> None:
    data = open_dataset("auto", as_csv(tmp_path), own_home, silent, silent)
    before = identity(prepared_dir(own_home) / data.fingerprint)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Less than are open already, so that no file can be opened.
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            load_dataset(data.fingerprint, data.name, own_home, data.source)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert identity(prepared_dir(own_home) / data.fingerprint) == before


def test_a_dataset_that_is_refused_leaves_no_file_open(tmp_path: Path) -> None:
    data = tiny_dataset([[0, 1, 2], [3, 4]], 5)
    save(data, tmp_path)
    items = tmp_path / data.fingerprint / "items.npy"
    items.write_bytes(items.read_bytes()[:-1] + b"\1")
    gc.disable()
    try:
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(3):
            with suppress(DatasetError):
                load(tmp_path, data.fingerprint)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    finally:
        gc.enable()


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # a name of at most 107 bytes


def make_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


FOLDERS = [
    (as_100k, "u.item"),
    (as_100k, "u.data"),
    (as_csv, "movies.csv"),
    (as_csv, "ratings.csv"),
    (as_dat, "movies.dat"),
    (as_recbole, "films.inter"),
    (as_recbole, "films.item"),
    (as_parquet, "seen.parquet"),
]


@pytest.mark.parametrize("make", [make_fifo, make_socket, make_device, Path.mkdir])
@pytest.mark.parametrize(("write", "name"), FOLDERS)
def test_what_is_not_a_regular_file_is_one_message(
    write: object, name: str, make: object, tmp_path: Path, own_home: Path
) -> None:
    write(tmp_path)  # type: ignore[operator]
    (tmp_path / name).unlink()
    make(tmp_path / name)  # type: ignore[operator]
    for place in (tmp_path, tmp_path / name):
        with pytest.raises((DatasetError, UsageError)) as caught:
            open_dataset("auto", place, own_home, silent, silent)
        assert str(tmp_path) in str(caught.value)


def test_a_file_may_be_a_link(tmp_path: Path, own_home: Path) -> None:
    aside = as_csv(tmp_path)
    (tmp_path / "linked").mkdir()
    for name in ("ratings.csv", "movies.csv"):
        (tmp_path / "linked" / name).symlink_to(aside / name)
    assert open_dataset("auto", tmp_path / "linked", own_home, silent, silent).num_users == 4


def test_a_full_disk_ends_a_download_and_is_not_taken_for_a_network_that_is_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Response:
        status_code = 200
        headers: ClassVar = {"Content-Length": "5000"}

        def __enter__(self) -> "Response":
            return self

        def __exit__(self, *_: object) -> None: ...

        def raise_for_status(self) -> None: ...

        def iter_content(self, _size: int) -> Iterator[bytes]:
            yield b"x" * 5000

    monkeypatch.setattr("requests.get", lambda *_, **__: Response())
    with largest_file(1000), pytest.raises(DatasetError, match="File too large; free space") as it:
        download.download(RELEASES["ml-1m"], tmp_path, silent)
    assert not isinstance(it.value, download.NoNetwork)
