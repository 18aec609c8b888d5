"""Downloads of releases, and the progress line."""

import hashlib
import io
import re
import socket
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from neumf_tui.data import download, releases
from neumf_tui.data.find_originals import datasets_dir
from neumf_tui.data.progress import Progress, silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError, UsageError
from neumf_tui.views.progress_line import ProgressLine
from tests.support.rating_files import as_csv, as_dat, patch_release, ratings_100k, write_100k


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def told(stream: io.StringIO, work: list[tuple[float, Progress]]) -> str:
    """Return the output for progress that arrives at these times."""
    clock = Clock()
    line = ProgressLine(stream, clock)
    for at, progress in work:
        clock.now = at
        line(progress)
    return stream.getvalue()


def reading(done: float) -> Progress:
    return Progress("reading ratings.csv", int(done * 1e6), 500_000_000, "B")


def test_short_work_is_not_spoken_of() -> None:
    work = [(100 + at / 10, reading(50 * at)) for at in range(10)] + [(100.95, reading(500))]
    assert told(Terminal(), work) == told(io.StringIO(), work) == ""


def test_a_terminal_has_one_line_with_rate_and_time_left() -> None:
    text = told(Terminal(), [(100 + at / 10, reading(10 * at)) for at in range(0, 51)])
    lines = [line.removesuffix("\x1b[K") for line in text.split("\r")[1:]]
    assert lines[0] == "reading ratings.csv  100.0 of 500.0 MB  20 %  100.0 MB/s  4 s left"
    assert (
        lines[-1] == "reading ratings.csv  500.0 of 500.0 MB  100 %  100.0 MB/s  0 s left\x1b[K\n"
        and text.count("\n") == 1
    )
    assert 15 < len(lines) < 25, "five times a second"


def test_a_log_has_a_line_every_ten_seconds() -> None:
    text = told(io.StringIO(), [(100 + at, reading(at)) for at in range(0, 41)])
    assert [re.findall(r"[\d.]+(?= of)", line)[0] for line in text.splitlines()] == [
        "1.0",
        "11.0",
        "21.0",
        "31.0",
    ]
    assert "8:19 min left" in text.splitlines()[0] and "\r" not in text


def test_steps_have_no_rate_and_rows_are_counted_in_millions() -> None:
    steps = [
        (100, Progress("preparing: split", 2, 3)),
        (102, Progress("preparing: split", 2, 3)),
        (103, reading(1)),
        (104.5, reading(2)),
    ]
    assert re.sub(r"[\r\n]|\x1b\[K", "|", told(Terminal(), steps)).strip("|").split("|||") == [
        "preparing: split  2 of 3",
        "reading ratings.csv  2.0 of 500.0 MB  0 %  0.7 MB/s  12:27 min left",
    ]
    rows = [
        (100, Progress("x", 0, 2_000_000, "rows")),
        (102, Progress("x", 1_000_000, 2_000_000, "rows")),
    ]
    assert "x  1.0 of 2.0 million rows  50 %  0.5 million rows/s  2 s left" in told(
        Terminal(), rows
    )


# Releases, downloaded from a local server.


class Server(ThreadingHTTPServer):
    files: dict[str, bytes]
    asked: list[tuple[str, str | None]]
    breaks_at: int | None = None


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, Server)
            span = self.headers.get("Range")
            self.server.asked.append((self.path, span))
            content = self.server.files[self.path.strip("/")]
            start = int(span.removeprefix("bytes=").rstrip("-")) if span else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if span else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start : self.server.breaks_at])

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.asked = {}, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(releases, "BASE", f"http://127.0.0.1:{server.server_port}/")
    yield server
    server.shutdown()
    server.server_close()


def offer(server: Server, monkeypatch: pytest.MonkeyPatch, name: str, folder: Path) -> bytes:
    """Let the server offer this folder as a release, with its true size and hash."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for part in RELEASES[name].files:
            file.writestr(
                f"{RELEASES[name].folder}/{part}",
                (folder / part).read_bytes() if (folder / part).exists() else b"",
            )
    content = server.files[f"{name}.zip"] = archive.getvalue()
    patch_release(monkeypatch, name, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    return content


@pytest.mark.parametrize("name", ["ml-latest-small", "ml-1m", "ml-20m", "ml-25m"])
def test_a_release_is_fetched_by_its_name_once(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_home: Path
) -> None:
    offer(server, monkeypatch, name, as_dat(tmp_path) if name == "ml-1m" else as_csv(tmp_path))
    said: list[str] = []
    progress: list[Progress] = []
    data = open_dataset(name, None, own_home, said.append, progress.append)
    assert (data.name, data.num_users, data.source) == (name, 4, str(datasets_dir(own_home) / name))
    assert said[0].startswith(f"fetching {name} (") and "Cite: F. M. Harper" in said[1]
    assert {one.what.split()[0] for one in progress} >= {
        "fetching",
        "checking",
        "unpacking",
        "reading",
        "writing",
    }
    assert open_dataset(name, None, own_home, said.append, silent).fingerprint == data.fingerprint
    assert server.asked == [(f"/{name}.zip", None)]


def test_what_had_arrived_before_a_break_is_not_fetched_again(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_home: Path
) -> None:
    content = offer(server, monkeypatch, "ml-1m", as_dat(tmp_path))
    monkeypatch.setattr(download, "NETWORK_CHUNK", 100)
    server.breaks_at = 1000
    with pytest.raises(
        DatasetError,
        match=r"ml-1m is not on this machine and files\.grouplens\.org cannot be reached",
    ):
        open_dataset("ml-1m", None, own_home, silent, silent)
    part = datasets_dir(own_home) / ".ml-1m.zip.part"
    assert (
        part.read_bytes() == content[:1000] and not (datasets_dir(own_home) / "ml-1m.zip").exists()
    )
    server.breaks_at = None
    assert open_dataset("ml-1m", None, own_home, silent, silent).num_users == 4
    assert (
        server.asked == [("/ml-1m.zip", None), ("/ml-1m.zip", "bytes=1000-")] and not part.exists()
    )


@pytest.mark.parametrize("length", [-1, 0, 1])
def test_a_part_as_long_as_the_whole_or_longer(
    length: int, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_home: Path
) -> None:
    content = offer(server, monkeypatch, "ml-1m", as_dat(tmp_path))
    part = datasets_dir(own_home) / ".ml-1m.zip.part"
    part.parent.mkdir(parents=True)
    part.write_bytes((content + b"x")[: len(content) + length])
    download.download(RELEASES["ml-1m"], part.parent, silent)
    assert (part.parent / "ml-1m.zip").read_bytes() == content and not part.exists()


@pytest.mark.parametrize("name", ["ml-10m", "ml-32m"])
def test_a_release_without_a_known_hash_is_only_fetched_when_that_is_accepted(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own_home: Path
) -> None:
    content = offer(
        server, monkeypatch, name, as_dat(tmp_path) if name == "ml-10m" else as_csv(tmp_path)
    )
    patch_release(monkeypatch, name, size=None, sha256=None)
    with pytest.raises(
        UsageError, match=rf"no hash of {name}\.zip is known here.*--accept-unverified"
    ):
        open_dataset(name, None, own_home, silent, silent)
    assert not server.asked
    said: list[str] = []
    assert (
        open_dataset(name, None, own_home, said.append, silent, accept_unverified=True).name == name
    )
    assert (
        f"unverified, {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"
        in said[1]
    )


def test_a_zip_that_is_something_else_is_refused(own_home: Path) -> None:
    archive = datasets_dir(own_home) / "ml-32m.zip"
    archive.parent.mkdir(parents=True)
    for content in (b"no zip", b""):
        archive.write_bytes(content)
        with pytest.raises(DatasetError, match=r"not ml-32m\.zip as GroupLens publishes it"):
            open_dataset("ml-32m", None, own_home, silent, silent)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("ml-32m/other.csv", b"")
    with pytest.raises(DatasetError, match=r"not ml-32m\.zip .*ratings\.csv"):
        open_dataset("ml-32m", None, own_home, silent, silent)
    assert [file.name for file in archive.parent.iterdir()] == ["ml-32m.zip"]


@pytest.fixture
def archive(own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Write a small ml-100k.zip into the home; its hash is the published one."""
    folder = write_100k(tmp_path / "src", ratings_100k())
    path = own_home / "datasets" / "ml-100k.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as file:
        for name in RELEASES["ml-100k"].files:
            file.writestr(
                f"ml-100k/{name}", (folder / name).read_bytes() if (folder / name).exists() else b""
            )
    patch_release(monkeypatch, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_a_zip_put_into_the_home_is_used(archive: Path, own_home: Path) -> None:
    assert open_dataset("ml-100k", None, own_home, print, print).num_users == 8


@pytest.mark.parametrize("harm", ["cut", "changed"])
def test_a_cut_or_changed_zip_is_refused_and_leaves_nothing(
    archive: Path, own_home: Path, harm: str
) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[:-100] if harm == "cut" else content[:50] + b"x" + content[51:])
    for name in ("ml-100k", "auto"):
        with pytest.raises(DatasetError, match=r"ml-100k.zip: not the published .* delete it"):
            open_dataset(name, None, own_home, print, print)
    assert not (own_home / "datasets" / "ml-100k").exists()


def test_without_network_auto_falls_back_and_says_why_but_ml100k_does_not(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(releases, "BASE", f"http://127.0.0.1:{port}/")
    said: list[str] = []
    data = open_dataset("auto", None, own_home, said.append, lambda _n: None)
    assert data.simulated and data.label == "demo (simulated)"
    assert data.notices[0].startswith("demo data: ") and "--data-dir" in data.notices[0]
    with pytest.raises(DatasetError, match="put the zip into") as caught:
        open_dataset("ml-100k", None, own_home, said.append, lambda _n: None)
    assert caught.value.exit_code == 3
    assert not list((own_home / "datasets").glob("*.zip"))


def test_a_silent_server_is_given_up(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(releases, "BASE", f"http://127.0.0.1:{server.getsockname()[1]}/")
        monkeypatch.setattr(download, "SILENCE_LIMIT", 0.3)
        with pytest.raises(download.NoNetwork, match=r"sent nothing|cannot be reached"):
            download.download(RELEASES["ml-100k"], own_home / "datasets", silent)


def test_a_download_of_wrong_contents_is_not_kept(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"wrong")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setattr(releases, "BASE", f"http://127.0.0.1:{server.server_port}/")
    with pytest.raises(download.NoNetwork, match="another hash"):
        download.download(RELEASES["ml-100k"], own_home / "datasets", silent)
    server.server_close()
    assert [file.name for file in (own_home / "datasets").iterdir()] == [".ml-100k.zip.lock"]
