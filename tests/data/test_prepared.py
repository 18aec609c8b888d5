"""Prepared datasets: what is damaged is found and made anew, and what has changed is read again."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neumf_tui import files
from neumf_tui.data import prepared, registry
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.load import load_dataset
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.progress import silent
from neumf_tui.data.registry import open_dataset
from neumf_tui.data.strings import Strings
from neumf_tui.errors import DatasetError
from tests.support.datasets import tiny_dataset
from tests.support.rating_files import as_csv, as_recbole
from tests.support.umask import umask

NAMES = [
    "catalogue.json", "dataset.json", "heldout.npy", "heldout_times.npy", "items.npy", "known.npy",
    "manifest.json", "offsets.npy", "times.npy", "user_ids.offsets.npy", "user_ids.text.npy",
    "users.npy",
]  # fmt: skip


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def opened(place: Path, home: Path) -> Dataset:
    return open_dataset("auto", place, home, silent, silent)


def flip_a_bit(path: Path) -> None:
    """Change one bit near the end, and nothing that `stat` shows but the time of the change."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def make_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS = [flip_a_bit, cut, lengthen, link, make_a_fifo, make_a_folder, Path.unlink]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_file_is_found_and_the_dataset_is_made_anew(
    harm: Callable[[Path], object], name: str, tmp_path: Path, own_home: Path
) -> None:
    place = as_csv(tmp_path)
    data = opened(place, own_home)
    folder = prepared_dir(own_home) / data.fingerprint
    whole = {file: (folder / file).read_bytes() for file in NAMES}
    assert names_in(folder) == NAMES
    harm(folder / name)
    if name == "manifest.json" and harm is Path.unlink:
        return  # version 0.1.0 wrote none
    with pytest.raises(DatasetError, match=rf"{data.fingerprint}: .* is (damaged|missing)"):
        prepared.load(prepared_dir(own_home), data.fingerprint)
    again = load_dataset(data.fingerprint, data.name, own_home, data.source)
    assert again.fingerprint == data.fingerprint
    assert {file: (folder / file).read_bytes() for file in NAMES} == whole
    assert names_in(prepared_dir(own_home)) == sorted([data.fingerprint, "sources"])


def test_without_the_original_files_a_damaged_dataset_is_one_message(
    tmp_path: Path, own_home: Path
) -> None:
    place = as_recbole(tmp_path)
    data = opened(place, own_home)
    place.unlink()
    flip_a_bit(prepared_dir(own_home) / data.fingerprint / "heldout.npy")
    with pytest.raises(DatasetError, match=r"damaged \(heldout\.npy.*; set NEUMF_TUI_DATA"):
        load_dataset(data.fingerprint, data.name, own_home, data.source)


def swapped(array: np.ndarray) -> np.ndarray:
    array[[1, 2]] = array[[2, 1]]
    return array


def first(value: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[0] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("offsets", swapped),
        ("offsets", first(-1)),
        ("offsets", lambda array: array + 10**6),
        ("offsets", lambda array: array[:-1]),
        ("offsets", lambda array: array[:0]),
        ("offsets", lambda array: array.astype(float)),
        ("offsets", lambda array: array.reshape(-1, 1)),
        ("items", first(-1)),
        ("items", first(10**6)),
        ("items", lambda array: array[:-1]),
        ("items", lambda array: array.astype(np.int32)),
        ("users", first(3)),
        ("users", first(-5)),
        ("users", lambda array: array[:-1]),
        ("heldout", first(-2)),
        ("heldout", first(10**6)),
        ("heldout", lambda array: array[:-1]),
        ("times", first(2**62)),
        ("times", lambda array: array[:-1]),
        ("known", first(3)),
        ("known", first(-1)),
        ("known", lambda array: array[:-1]),
        ("heldout_times", first(2**62)),
        ("heldout_times", lambda array: array[:-1]),
        ("user_ids.offsets", first(-7)),
        ("user_ids.offsets", lambda array: array[:-1]),
        ("user_ids.text", lambda array: array | 0x80),
        ("user_ids.text", lambda array: array.view(np.int8)),
    ],
)
@pytest.mark.parametrize("with_manifest", [True, False])
def test_indices_that_lead_out_of_an_array_are_found_also_with_a_fitting_manifest(
    name: str,
    change: Callable[[np.ndarray], np.ndarray],
    with_manifest: bool,
    tmp_path: Path,
) -> None:
    data = tiny_dataset([[0, 1, 2], [3, 4], [5], [1, 2, 3]], 6)
    prepared.save(data, tmp_path)
    folder = tmp_path / data.fingerprint
    np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))
    manifest = folder / "manifest.json"
    hashes = dict(zip(prepared.FILES, prepared._hashes(folder, prepared.FILES), strict=True))
    manifest.write_text(json.dumps(hashes))
    if not with_manifest:
        manifest.unlink()
    with pytest.raises(DatasetError, match="is damaged"):
        prepared.load(tmp_path, data.fingerprint)


def test_ids_do_not_start_within_a_character() -> None:
    text = np.frombuffer("éa".encode(), dtype=np.uint8)
    with pytest.raises(ValueError, match="within a character"):
        Strings(np.array([0, 1, 3]), text).check()


@pytest.mark.parametrize(
    "fingerprint", ["../../x", "", "A" * 64, "0" * 63, "/tmp", "0" * 64 + "\n"]
)
def test_a_fingerprint_is_not_a_path(fingerprint: str, own_home: Path) -> None:
    with pytest.raises(DatasetError, match="is not the fingerprint"):
        load_dataset(fingerprint, "x", own_home)


@pytest.mark.parametrize("how", ["written", "moved"])
def test_a_file_of_the_same_size_and_time_is_read_anew(
    how: str, tmp_path: Path, own_home: Path
) -> None:
    file = as_csv(tmp_path) / "ratings.csv"
    before, found = opened(tmp_path, own_home), file.stat()
    text = file.read_text().replace("10,31,", "10,32,", 1)
    new = file if how == "written" else tmp_path / "new"
    new.write_text(text)
    os.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
    new.rename(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns)
    assert opened(tmp_path, own_home).fingerprint != before.fingerprint


def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = as_csv(tmp_path)
    save = registry.prepared.save

    def touch(done: object) -> None:
        (place / "movies.csv").touch()

    with pytest.raises(DatasetError, match="changed while they were read; run again"):
        open_dataset("auto", place, own_home, silent, touch)
    assert registry.prepared.save is save and not prepared_dir(own_home).exists()


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_modes_follow_the_umask(mask: int, tmp_path: Path, own_home: Path) -> None:
    place = as_csv(tmp_path)
    with umask(mask):
        opened(place, own_home)
    for path in [own_home, *own_home.rglob("*")]:
        whole = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == whole & ~mask, path


def tree(folder: Path) -> dict[str, tuple[int, ...]]:
    return {str(path): files.identity(path) for path in sorted(folder.rglob("*"))}


VIEW = """
import os, sys
from pathlib import Path
from neumf_tui.data import prepared
from neumf_tui.data.load import load_dataset
from neumf_tui.data.registry import known_datasets
home, fingerprint = Path(sys.argv[1]), sys.argv[2]
load_dataset(fingerprint, "demo", home)  # imports what the other account may have no access to
prepared._checked.clear()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(load_dataset(fingerprint, "demo", home).num_users, len(known_datasets(home)))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_another_account_reads_a_dataset_and_changes_nothing(shared_home: Path) -> None:
    # A folder that this account may enter, which the folders of pytest are not.
    base = Path("/dev/shm") / f"neumf-tui-test-{os.getpid()}"
    with umask(0o022):
        home = base / "home"
        shutil.copytree(shared_home, home, copy_function=shutil.copyfile)
        for folder in [base, home, *home.rglob("*")]:
            folder.chmod(0o755 if folder.is_dir() else 0o644)
    try:
        fingerprint = next(one for one in names_in(prepared_dir(home)) if len(one) == 64)
        before = tree(home)
        done = subprocess.run(
            [sys.executable, "-c", VIEW, str(home), fingerprint],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("700 ")
        assert tree(home) == before
    finally:
        shutil.rmtree(base)


def test_a_path_with_bytes_that_are_not_utf_8(tmp_path: Path, own_home: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/gr\xfc\xdfe"))
    folder.mkdir()
    for place in (as_csv(folder), as_recbole(folder)):
        data = opened(place, own_home)
        assert r"/gr\xfc\xdfe" in data.source and data.source.encode()
        shutil.rmtree(prepared_dir(own_home))
        again = load_dataset(data.fingerprint, data.name, own_home, data.source)
        assert again.source == data.source
        assert opened(place, own_home).source == data.source


def test_what_a_killed_process_left_is_removed(tmp_path: Path, own_home: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from neumf_tui import files\n"
        "with files.new_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'items.npy').write_bytes(b'x'); os.kill(os.getpid(), 9)"
    )
    folder = prepared_dir(own_home)
    subprocess.run([sys.executable, "-c", code, str(folder / ("0" * 64))], check=False)
    assert len(names_in(folder)) == 1
    data = opened(as_csv(tmp_path), own_home)
    assert names_in(folder) == sorted([data.fingerprint, "sources"])


def test_what_another_machine_writes_is_left_alone(tmp_path: Path) -> None:
    names = [".a.0-4000000.x~", ".a~", ".b.x.y~", f".c.{files._host()}-4000000.x~"]
    for name in names:
        (tmp_path / name).mkdir()
    files.remove_scratch(tmp_path)
    assert names_in(tmp_path) == [".a.0-4000000.x~"]


def test_ids_near_a_mistyped_one() -> None:
    data = tiny_dataset([[0, 1]] * 300, 6)
    with pytest.raises(Exception, match=r"no user 'u2I7' in tiny; nearest ids: u27, "):
        data.user_index("u2I7")
    for wanted in ("", "9" * 5000, "--5", "²", "\udcff", "\0"):
        with pytest.raises(Exception, match="nearest ids: u"):
            data.user_index(wanted)
