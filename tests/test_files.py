"""The module that opens the files of a home: whatever lies there, and whatever fails."""

import errno
import io
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui import files
from neumf_tui.files import UnusableFileError
from tests.support.fuzzing import examples
from tests.support.umask import umask

OPENERS: list[Callable[[Path, str], object]] = [
    files.open_to_read,
    files.open_to_append,
    files.open_lock,
    files.read_bytes,
    files.read_text,
    files.read_array,
    files.checked_path,
    files.size,
    lambda folder, name: files.read_array(folder, name, mapped=True),
    lambda folder, name: files.read_json(folder, name, int),
]
"""Functions that open a file in one way or another."""


def no_file(path: Path, kind: str) -> None:
    """Put something at `path` that is not a regular file."""
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(os.path.relpath(path))  # a socket's path has at most 107 letters
    elif kind == "device":
        try:
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root can make devices")
    elif kind == "dangling link":
        path.symlink_to("nowhere")
    else:
        precious = path.with_name("precious")
        precious.write_text("1")
        path.symlink_to(precious if kind == "absolute link" else "precious")


KINDS = ["folder", "fifo", "socket", "device", "dangling link", "absolute link", "relative link"]


# What is not followed or opened


@pytest.mark.parametrize("kind", KINDS)
def test_only_regular_files_are_opened(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    no_file(path, kind)
    before = sorted(tmp_path.iterdir())
    for opener in OPENERS:
        with pytest.raises(UnusableFileError, match="expected a file, found a") as caught:
            opener(tmp_path, "x")
        assert caught.value.filename == str(path) and caught.value.errno
    assert sorted(tmp_path.iterdir()) == before, "nothing is created through a link"
    assert not files.is_file(tmp_path, "x") and "x" not in files.file_names(tmp_path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_only_folders_are_entered(kind: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    no_file(tmp_path / "run" / "checkpoints", kind)
    for opener in OPENERS:
        with pytest.raises(UnusableFileError, match="expected a folder, found a"):
            opener(tmp_path / "run", "checkpoints/last")
        with pytest.raises(UnusableFileError, match="expected a folder, found a"):
            opener(tmp_path, "run/checkpoints/last")
    for change in (
        lambda: files.replace(tmp_path, "run/checkpoints/last", b""),
        lambda: files.make_folder(tmp_path, "run/checkpoints/last"),
        lambda: files.make_folder(tmp_path, "run/checkpoints"),
        lambda: files.remove(tmp_path, "run/checkpoints/last"),
        lambda: files.file_names(tmp_path, "run/checkpoints"),
    ):
        with pytest.raises(UnusableFileError, match="expected a folder, found a"):
            change()


def test_links_at_each_level_but_not_on_the_way(tmp_path: Path) -> None:
    real = tmp_path / "real" / "a" / "b"
    real.mkdir(parents=True)
    (real / "x").write_text("5")
    (tmp_path / "home").symlink_to("real")
    assert files.read_json(tmp_path / "home", "a/b/x", int) == 5, "the way belongs to its owner"
    (tmp_path / "real" / "link").symlink_to("a")
    (real.parent / "link").symlink_to("b")
    (real / "link").symlink_to("x")
    for name in ("link/b/x", "a/link/x", "a/b/link"):
        with pytest.raises(UnusableFileError, match="links are not followed here"):
            files.read_bytes(tmp_path / "home", name)


@pytest.mark.parametrize(
    "name", ["", ".", "/etc/passwd", "..", "../x", "a/../../x", "a\0b", "\ud800", "a/\0"]
)
def test_names_that_lead_nowhere_or_out_of_the_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "x").write_text("1")
    for opener in OPENERS:
        with pytest.raises(UnusableFileError, match="not the name of a file"):
            opener(tmp_path / "in", name)
    with pytest.raises(UnusableFileError, match="not the name of a file"):
        files.replace(tmp_path / "in", name, b"")
    with pytest.raises(OSError):
        files.read_bytes(tmp_path / "in\0", "x")


def test_a_file_with_a_second_name_is_not_appended_to(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("1")
    (tmp_path / "events").hardlink_to(tmp_path / "precious")
    with pytest.raises(UnusableFileError, match="a second name"):
        files.open_to_append(tmp_path, "events")
    assert files.read_json(tmp_path, "events", int) == 1, "reading does no harm"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for folder, name in ((tmp_path, "a/b/x"), (tmp_path / "none", "x"), (tmp_path, "x" * 300)):
        with pytest.raises(OSError) as caught:
            files.read_bytes(folder, name)
        assert str(folder) in str(caught.value) and caught.value.strerror
    assert files.file_names(tmp_path, "none") == [] and files.folder_names(tmp_path, "none") == []
    files.remove(tmp_path, "none")
    files.remove_scratch(tmp_path / "none")


# Content


def test_the_size_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    assert files.read_bytes(tmp_path, "x", limit=5) == b"12345" and files.size(tmp_path, "x") == 5
    for read in (files.read_bytes, files.read_text):
        with pytest.raises(UnusableFileError, match="larger than the 4 bytes") as caught:
            read(tmp_path, "x", limit=4)
        assert caught.value.errno == errno.EFBIG
    with pytest.raises(UnusableFileError, match="larger than"):
        files.read_json(tmp_path, "x", int, limit=4)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UnusableFileError, match="larger than"):
        files.read_bytes(tmp_path, "sparse", limit=1000)


def test_texts_are_utf_8_or_the_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("\ufeffälter\n".encode())
    assert files.read_text(tmp_path, "x") == "älter\n", "without the byte order mark"
    (tmp_path / "x").write_bytes(b"one\ntwo\ncaf\xe9\n")
    with pytest.raises(UnusableFileError, match=r"line 3: not UTF-8.*/x"):
        files.read_text(tmp_path, "x")


class Form(msgspec.Struct):
    number: int


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "truncated"), (b"{", "truncated"), (b"\0" * 150, "malformed"),
     (b'{"number": 1.5}', "int"), (b"[]", "object"), (b"[" * 100_000, "x"),
     (b'{"number": ' + b"9" * 5000 + b"}", "x"), (b'{"number": "\xff"}', "x")],
    ids=range(8),
)  # fmt: skip
def test_json_of_another_form_is_one_message(content: bytes, what: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(UnusableFileError, match=what) as caught:
        files.read_json(tmp_path, "x.json", Form)
    assert str(tmp_path / "x.json") in str(caught.value) and caught.value.strerror


# Arrays


def saved(array: object) -> bytes:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)  # type: ignore[arg-type]
    return content.getvalue()


@pytest.mark.parametrize("mapped", [False, True])
def test_arrays_of_any_shape_and_order(mapped: bool, tmp_path: Path) -> None:
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for array in (whole, whole.T, whole[0, 0, 0], whole[:0], whole.astype("<i2"), np.array(["ab"])):
        for content in (
            lambda file, a=array: file.write(saved(a)),
            lambda file, a=array: files.write_array(file, a),
        ):
            files.replace(tmp_path, "x.npy", content)
            found = files.read_array(tmp_path, "x.npy", mapped=mapped)
            assert found.dtype == array.dtype and np.array_equal(found, array)
            assert np.array_equal(np.load(tmp_path / "x.npy"), array)


@pytest.mark.parametrize("mapped", [False, True])
def test_arrays_of_python_objects_and_archives_are_refused(mapped: bool, tmp_path: Path) -> None:
    archive = io.BytesIO()
    np.savez(archive, x=np.zeros(3))
    pickle = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02e."
    for content in (saved([{}, 1]), archive.getvalue(), pickle, b"", b"\x93NUMPY"):
        (tmp_path / "x.npy").write_bytes(content)
        with pytest.raises(UnusableFileError, match="not a whole array file"):
            files.read_array(tmp_path, "x.npy", mapped=mapped)


HEADERS = st.one_of(
    st.binary(max_size=80),
    st.text("{}[]()'\":,0123456789-<>fi8UOV \n\\#descrhapotnFTu_", max_size=80).map(str.encode),
    st.tuples(
        st.one_of(st.text("<>|=fiubcUSVOMm0123456789[], ", max_size=8), st.integers(), st.none(),
                  st.lists(st.tuples(st.text(max_size=2), st.sampled_from(["<f4", "O", "<i8"])))),
        st.one_of(st.booleans(), st.none(), st.integers()),
        st.one_of(st.lists(st.integers(-3, 2**70), max_size=3).map(tuple), st.integers(), st.none(),
                  st.tuples(st.floats()), st.tuples(st.booleans())),
    ).map(lambda t: repr({"descr": t[0], "fortran_order": t[1], "shape": t[2]}).encode()),
)  # fmt: skip


@given(header=HEADERS, version=st.sampled_from([1, 2, 3, 9]), rest=st.binary(max_size=64))
@examples(100)
def test_any_header_of_an_array(
    header: bytes, version: int, rest: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    (folder / "x.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + rest)
    for mapped in (False, True):
        try:
            found = files.read_array(folder, "x.npy", mapped=mapped)
        except UnusableFileError as error:
            assert error.strerror
        else:
            assert found.nbytes <= len(rest) and not found.dtype.hasobject


@given(data=st.data())
@examples(60)
def test_any_change_of_an_array(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, content = tmp_path_factory.getbasetemp(), bytearray(saved(np.arange(9, dtype="<f4")))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "y.npy").write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for mapped in (False, True):
        try:
            files.read_array(folder, "y.npy", mapped=mapped).tobytes()
        except UnusableFileError as error:
            assert error.strerror


# Writing


def test_a_failed_replacement_leaves_everything_as_it_was(tmp_path: Path) -> None:
    files.replace(tmp_path, "x", b"old")

    def fails(file: io.BufferedIOBase) -> None:
        file.write(b"new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.replace(tmp_path, "x", fails)  # type: ignore[arg-type]
    assert files.read_bytes(tmp_path, "x") == b"old" and files.file_names(tmp_path) == ["x"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        files.replace(tmp_path, "folder", b"new")
    assert caught.value.filename == str(tmp_path / "folder") and "->" not in str(caught.value)
    assert len(list(tmp_path.iterdir())) == 2, "no scratch file is left"


@pytest.mark.parametrize("to_disk", [True, False])
def test_a_full_disk(to_disk: bool, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk."""
    files.replace(tmp_path, "x", b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        for content in (bytes(2000), lambda file: files.write_array(file, np.zeros(2000))):
            with pytest.raises(OSError) as caught:
                files.replace(tmp_path, "x", content, to_disk=to_disk)
            assert caught.value.errno == errno.EFBIG and caught.value.filename == str(
                tmp_path / "x"
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert files.read_bytes(tmp_path, "x") == b"old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["fifo", "dangling link", "absolute link"])
def test_a_replacement_takes_the_place_of_a_link(kind: str, tmp_path: Path) -> None:
    no_file(tmp_path / "x", kind)
    files.replace(tmp_path, "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new" and not (tmp_path / "x").is_symlink()
    assert kind != "absolute link" or (tmp_path / "precious").read_text() == "1"


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_modes_follow_the_umask(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        files.replace(tmp_path, "replaced", b"")
        files.open_to_append(tmp_path, "appended").close()
        files.open_lock(tmp_path, "locked").close()
        files.make_folder(tmp_path, "made")
        with files.new_folder(tmp_path / "new" / "folder"):
            pass
    for name in ("replaced", "appended", "locked"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~mask, name
    for name in ("made", "new", "new/folder"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o777 & ~mask, name


def test_long_names(tmp_path: Path) -> None:
    for letter in ("x", "ä", "\U0001f3ac"):
        name = letter * (250 // len(letter.encode()))
        files.replace(tmp_path, name, b"1")
        assert files.read_bytes(tmp_path, name) == b"1"
    with pytest.raises(OSError) as caught:
        files.replace(tmp_path, "x" * 256, b"1")
    assert caught.value.errno == errno.ENAMETOOLONG


def test_scratch_of_the_dead_is_removed_and_that_of_the_living_is_kept(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    code = (
        "import os, sys; from pathlib import Path; from neumf_tui import files\n"
        "files.replace(Path(sys.argv[1]), 'x', lambda file: os.kill(os.getpid(), 9))"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path])
    assert killed.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
    (tmp_path / ".hidden").touch()
    (tmp_path / ".odd~").touch()
    (tmp_path / "kept~").touch()

    def while_writing(_: object) -> None:
        files.remove_scratch(tmp_path)
        left = {path.name for path in tmp_path.iterdir()} - {".hidden", ".odd~", "kept~"}
        assert len(left) == 1, "the one of this process"

    files.replace(tmp_path, "x", while_writing)  # type: ignore[arg-type]
    assert files.read_bytes(tmp_path, "x") == b""


def test_two_writers_at_once_leave_a_whole_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from neumf_tui import files\n"
        "for _ in range(200):\n"
        "    files.replace(Path(sys.argv[1]), 'x', sys.argv[2].encode() * 9999, to_disk=False)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, tmp_path, who]) for who in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if files.is_file(tmp_path, "x"):
            content = files.read_bytes(tmp_path, "x")
            assert content in (b"a" * 9999, b"b" * 9999)
            seen.add(content)
    assert all(writer.returncode == 0 for writer in writers) and seen
    assert files.file_names(tmp_path) == ["x"] and len(list(tmp_path.iterdir())) == 1


def test_the_first_of_two_new_folders_stays(tmp_path: Path) -> None:
    with files.new_folder(tmp_path / "x") as slow:
        (slow / "who").write_text("slow")
        with files.new_folder(tmp_path / "x") as fast:
            (fast / "who").write_text("fast")
    assert files.read_text(tmp_path, "x/who") == "fast" and len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ZeroDivisionError), files.new_folder(tmp_path / "y"):
        raise ZeroDivisionError
    assert len(list(tmp_path.iterdir())) == 1


def test_a_lock_is_held_while_the_file_is_open(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("kept")
    with files.open_lock(tmp_path, "lock") as one, files.open_lock(tmp_path, "lock") as other:
        assert files.take_lock(one) and not files.take_lock(other)
        one.close()
        assert files.take_lock(other)
    assert files.read_text(tmp_path, "lock") == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError) as caught:
        files.replace(tmp_path, "x", b"")
    assert caught.value.filename == str(tmp_path / "x")
