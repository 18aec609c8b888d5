"""Readers, split, registry: right answers on small files, one clear message on bad ones."""

import hashlib
import socket
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neumf_tui.data import download, releases
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import silent
from neumf_tui.data.readers import ml100k as ml100k_reader
from neumf_tui.data.readers.item_names import split_year
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.releases import RELEASES
from neumf_tui.data.split import Interactions, drop_duplicates, leave_one_out
from neumf_tui.errors import DatasetError, UsageError
from tests.support.rating_files import patch_release, ratings_100k, write_100k


def rows(*triples: tuple[int, int, int]) -> Interactions:
    users, items, times = (
        np.array(column, dtype=np.int64) for column in zip(*triples, strict=True)
    )
    return Interactions(users, items, times)


def test_latest_is_held_out_and_ties_go_to_the_first_in_the_file() -> None:
    split = leave_one_out(
        rows((0, 5, 10), (0, 6, 30), (0, 7, 30), (1, 1, 9), (2, 3, 2), (2, 4, 1)), 4
    )
    assert split.heldout.tolist() == [6, -1, 3, -1]
    assert list(zip(split.users.tolist(), split.items.tolist(), strict=True)) == [
        (0, 5),
        (0, 7),
        (1, 1),
        (2, 4),
    ]


def test_of_duplicates_the_latest_is_kept() -> None:
    unique, dropped = drop_duplicates(rows((0, 5, 10), (0, 5, 30), (0, 6, 20), (0, 5, 20)))
    assert dropped == 2
    assert unique.times.tolist() == [30, 20]


def test_reads_titles_years_and_ids(tmp_path: Path) -> None:
    data = ml100k_reader.read(write_100k(tmp_path, ratings_100k()))
    assert data.user_ids == [str(u) for u in range(1, 9)]
    assert data.catalogue.titles[0] == "Film 0" and data.catalogue.years[0] == 1900
    assert data.catalogue.genres[0] == ["Action"]
    assert data.num_train + 8 == 80
    assert sorted(data.history(0)) == sorted(set(data.split.items[data.split.users == 0].tolist()))
    assert split_year("2001: A Space Odyssey") == ("2001: A Space Odyssey", None)


def test_duplicates_and_single_interactions_are_said(tmp_path: Path) -> None:
    data = ml100k_reader.read(write_100k(tmp_path, ratings_100k() + "1\t8\t5\t99\n99\t1\t5\t1\n"))
    assert any("1 duplicate" in notice for notice in data.notices)
    assert any("1 users with a single interaction" in notice for notice in data.notices)
    assert data.split.heldout[data.user_ids.index("99")] == -1
    assert len(data.history(data.user_ids.index("99"))) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1\t2\t3", "3 columns; expected 4"),
        ("1\t2\t3\t4\t5", "5 columns; expected 4"),
        ("1\tx\t3\t4", "item id 'x' is not in"),
        ("1\t2\tgood\t4", "rating 'good' is not a number"),
        ("1\t2\t3\tlate", "timestamp 'late' is not a number"),
        ("1\t2\t3\t99999999999999999999", "timestamp 99999999999999999999 is out of range"),
        ("1\t\t3\t4", "item id is empty"),
        ("1\t888\t3\t4", "item id '888' is not in"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, says: str) -> None:
    write_100k(tmp_path, ratings_100k(2) + line + "\n" + ratings_100k(1))
    with pytest.raises(DatasetError, match=r"u\.data, line 21") as caught:
        ml100k_reader.read(tmp_path)
    assert says in str(caught.value)


def test_bad_item_lines_and_missing_or_empty_files(tmp_path: Path) -> None:
    folder = write_100k(tmp_path, ratings_100k())
    (folder / "u.item").write_text("1|only|three\n")
    with pytest.raises(DatasetError, match=r"u.item, line 1: 3 columns"):
        ml100k_reader.read(folder)
    (folder / "u.item").unlink()
    with pytest.raises(DatasetError, match=r"u.item: cannot be read .*--data-dir"):
        ml100k_reader.read(folder)
    (folder / "u.data").write_text(" \n")
    with pytest.raises(DatasetError, match=r"u.data: the file is empty"):
        ml100k_reader.read(folder)


def test_folder_is_found_itself_or_by_its_parent_and_a_wrong_one_is_named(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_100k(tmp_path / "ml-100k", ratings_100k())
    for folder in (tmp_path, tmp_path / "ml-100k"):
        assert open_dataset("auto", folder, own_home, print, print).num_users == 8
    monkeypatch.setenv("NEUMF_TUI_DATA", str(tmp_path))
    assert open_dataset("ml-100k", None, own_home, print, print).num_users == 8
    monkeypatch.setenv("NEUMF_TUI_DATA", str(tmp_path / "nothing"))
    with pytest.raises(DatasetError, match=r"NEUMF_TUI_DATA .*nothing: not a folder"):
        open_dataset("auto", None, own_home, print, print)
    with pytest.raises(UsageError, match="--data-dir has no effect on demo"):
        open_dataset("demo", tmp_path, own_home, print, print)


def test_cache_follows_the_files(tmp_path: Path, own_home: Path) -> None:
    folder = write_100k(tmp_path / "d", ratings_100k())
    first = open_dataset("ml-100k", folder, own_home, print, print)
    again = open_dataset("ml-100k", folder, own_home, print, print)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.split.items, first.split.items)
    assert again.catalogue == first.catalogue and again.user_ids == first.user_ids
    write_100k(tmp_path / "d", ratings_100k(7))
    assert open_dataset("ml-100k", folder, own_home, print, print).fingerprint != first.fingerprint


@pytest.fixture
def archive(own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A small ml-100k.zip in the home, known by its true hash."""
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
    assert not list((own_home / "datasets").iterdir())


def test_demo_is_large_enough_and_always_the_same(demo: Dataset) -> None:
    from neumf_tui.data.demo import make_demo

    assert (
        demo.num_items >= 600
        and demo.num_users >= 600
        and demo.num_train + demo.num_users >= 50_000
    )
    assert all(demo.catalogue.years) and all(demo.catalogue.genres)
    assert demo.simulated and all(user.startswith("sim-") for user in demo.user_ids)
    assert make_demo().fingerprint == demo.fingerprint
    assert demo.fingerprint.startswith(DEMO_FINGERPRINT)


DEMO_FINGERPRINT = "5531acb972fcef7a"


def test_ml100k_is_read_whole(ml100k: Path, own_home: Path) -> None:
    data = open_dataset("ml-100k", ml100k, own_home, print, print)
    assert (data.num_users, data.num_items, data.num_train) == (943, 1682, 99_057)
    assert data.notices == ()
