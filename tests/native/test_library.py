"""Compile the kernels, and load them from a cache in which anything can lie."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.waiting import wait_for
from neumf_tui.native import compiler
from neumf_tui.native.library import NoKernels, cache_problem, load, why_not

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"no kernels here: {why_not()}")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 12_345
"""Number of an account that is neither ours nor root's."""
TO_OUTPUT = 'while [ "$1" != -o ]; do shift; done;'
"""Lines of a shell after which `$2` is the file that a compiler has to write."""
STATE = "from neumf_tui.native.library import *; print(why_not(), cache_problem(), sep='|')"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a new cache, and a compiler that copies the kernels of this process at once."""
    shutil.copyfile(load()._name, tmp_path / "kernels")
    monkeypatch.setenv("NEUMF_TUI_CACHE", str(tmp_path / "cache"))
    copy = f'{TO_OUTPUT} cat {tmp_path}/kernels > "$2"'
    monkeypatch.setenv("NEUMF_TUI_CC", compiler_that_runs(copy, tmp_path))
    return tmp_path / "cache" / "kernels"


def state_in_a_new_process(**env: str) -> tuple[str, str]:
    """Return `why_not` and `cache_problem`; fails if the process ends in any other way."""
    command = [sys.executable, "-c", STATE]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | env)
    assert done.returncode == 0, done.stderr
    why, _, problem = done.stdout.strip().partition("|")
    return why, problem


def compiled(cache: Path) -> Path:
    """Fill the cache, and return its library; this process has not loaded it."""
    assert state_in_a_new_process() == ("", "")
    (library,) = cache.iterdir()
    return library


def planted(cache: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Replace the library of the cache by one that makes a file when it is loaded.

    Its name has the right checksum. Returns the library and the file.
    """
    library = compiled(cache)
    mark, source, made = tmp_path / "mark", tmp_path / "planted.c", tmp_path / "planted.so"
    source.write_text(
        "#include <fcntl.h>\n__attribute__((constructor)) static void run(void)"
        f' {{ open("{mark}", O_CREAT | O_WRONLY, 0600); }}\n'
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", made, source], check=True)
    checksum = hashlib.sha256(made.read_bytes()).hexdigest()[:16]
    target = library.with_name(f"{library.stem.rpartition('-')[0]}-{checksum}.so")
    library.unlink()
    shutil.copyfile(made, target)
    target.chmod(0o600)
    return target, mark


# What lies in the cache


def test_the_cache_is_private_under_any_umask(cache: Path) -> None:
    before = os.umask(0)
    try:
        library = compiled(cache)
    finally:
        os.umask(before)
    assert cache.stat().st_mode & 0o777 == 0o700 and library.stat().st_mode & 0o777 == 0o600
    age = library.stat().st_mtime_ns
    assert state_in_a_new_process() == ("", "") and library.stat().st_mtime_ns == age, "kept"


def test_a_planted_library_would_run_if_it_were_ours(cache: Path, tmp_path: Path) -> None:
    """The tests below would prove nothing without this one; it lacks the functions, too."""
    library, mark = planted(cache, tmp_path)
    assert state_in_a_new_process() == ("", "")
    assert mark.exists() and not library.exists(), "compiled anew"


@pytest.mark.parametrize("mode", [0o777, 0o602, 0o620])
def test_a_library_that_others_can_write_is_not_loaded(
    mode: int, cache: Path, tmp_path: Path
) -> None:
    library, mark = planted(cache, tmp_path)
    library.chmod(mode)
    assert state_in_a_new_process() == ("", "")
    assert not mark.exists() and not library.exists()


@as_root
def test_a_library_of_another_account_is_not_loaded(cache: Path, tmp_path: Path) -> None:
    library, mark = planted(cache, tmp_path)
    os.chown(library, STRANGER, STRANGER)
    assert state_in_a_new_process() == ("", "")
    assert not mark.exists() and not library.exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o730, 0o702])
def test_a_folder_that_others_could_write_to_is_emptied_and_closed(
    mode: int, cache: Path, tmp_path: Path
) -> None:
    library, mark = planted(cache, tmp_path)
    cache.chmod(mode)
    assert state_in_a_new_process() == ("", "")
    assert not mark.exists() and not library.exists()
    assert cache.stat().st_mode & 0o022 == 0


@as_root
def test_a_folder_of_another_account_is_not_used(cache: Path, tmp_path: Path) -> None:
    library, mark = planted(cache, tmp_path)
    os.chown(cache, STRANGER, STRANGER)
    why, problem = state_in_a_new_process()
    assert not why and f"{cache}: not used" in problem and str(STRANGER) in problem
    assert not mark.exists() and list(cache.iterdir()) == [library]


@pytest.mark.parametrize("linked", ["library", "folder"])
def test_links_are_not_followed(linked: str, cache: Path, tmp_path: Path) -> None:
    library, mark = planted(cache, tmp_path)
    what = library if linked == "library" else cache
    what.rename(tmp_path / "elsewhere")
    what.symlink_to(tmp_path / "elsewhere")
    assert not state_in_a_new_process()[0]
    assert not mark.exists() and (tmp_path / "elsewhere").exists()


def test_damaged_libraries_are_compiled_anew(cache: Path) -> None:
    library = compiled(cache)
    whole = library.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (whole[: len(whole) // 2], b"", b"nonsense", bytes(flipped), whole + b"\0"):
        library.unlink()  # not overwritten in place: another process has mapped it
        library.write_bytes(content)
        assert state_in_a_new_process() == ("", "")
        assert library.read_bytes() == whole
    library.unlink()
    os.mkfifo(library)
    assert state_in_a_new_process() == ("", "") and library.read_bytes() == whole
    library.unlink()
    library.mkdir()
    why, problem = state_in_a_new_process()
    assert not why and str(cache) in problem


def test_processes_that_compile_at_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = f'sleep 0.3; {TO_OUTPUT} cat {tmp_path}/kernels > "$2"'
    monkeypatch.setenv("NEUMF_TUI_CC", compiler_that_runs(slow, tmp_path))
    started = [subprocess.Popen([sys.executable, "-c", STATE], stdout=-1) for _ in range(4)]
    assert [process.communicate()[0] for process in started] == 4 * [b"|\n"]
    assert len(list(cache.iterdir())) == 1


# Where the cache is


def test_a_cache_that_cannot_be_made_costs_time_alone(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").touch()
    assert not why_not() and str(cache) in cache_problem()
    monkeypatch.delenv("NEUMF_TUI_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc")
    assert not why_not() and "/proc/.cache" in cache_problem()
    monkeypatch.setenv("NEUMF_TUI_CACHE", "~nobody-has-this-name")
    assert not why_not() and "home" in cache_problem()


def test_without_a_folder_of_temporary_files_there_are_no_kernels(cache: Path) -> None:
    code = f"import tempfile; tempfile.tempdir = '/proc/none'; {STATE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("the kernels cannot be compiled: ") and "/proc" in done.stdout


def test_folders_without_programs_and_the_advice_that_fits(cache: Path, tmp_path: Path) -> None:
    """Both cache and temporary files on a file system that is mounted noexec, then the cache."""
    shelf = tmp_path / "noexec"
    shelf.mkdir()
    script = f"mount -t tmpfs -o noexec,mode=700 tmpfs {shelf} || exit 77; "
    env = os.environ | {"NEUMF_TUI_CACHE": str(shelf / "cache")}
    for variable, loaded in (("TMPDIR", False), ("NOTHING", True)):
        command = f'{script} {variable}={shelf} exec {sys.executable} -c "{STATE}"'
        user = () if os.geteuid() == 0 else ("--map-root-user",)
        arguments = ["unshare", "--mount", *user, "sh", "-c", command]
        done = subprocess.run(arguments, capture_output=True, text=True, env=env)
        if done.returncode != 0 and "Traceback" not in done.stderr:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        why, _, problem = done.stdout.strip().partition("|")
        assert str(shelf / "cache") in problem and "mounted noexec" in problem, done.stderr
        assert (not why) == loaded
        assert loaded or ("set NEUMF_TUI_CACHE to a folder" in why and "gcc" not in why)


# Compilers


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no good >&2; exit 3", "ended with 3: no good"),
        ("exit 4", "ended with 4: no message"),
        (
            "printf 'in file\\nx.c:1: fatal error: math.h: none\\nstopped\\n' >&2; exit 1",
            "ended with 1: x.c:1: fatal error",
        ),
        (
            r"printf '\033[31merror \377\n' >&2; exit 1",
            "ended with 1: ·[31merror \N{REPLACEMENT CHARACTER}",
        ),
        ("yes error | head -c 3000000 | tr -d '\\n' >&2; exit 1", "ended with 1: errorerror"),
        ("kill -9 $$", "ended with -9"),
        ("exit 0", "wrote no library"),
        (f'{TO_OUTPUT} mkfifo "$2"', "wrote no library"),
        (f'{TO_OUTPUT} echo nonsense > "$2"', "cannot be loaded"),
        (
            f'{TO_OUTPUT} echo | cc -shared -x c - -o "$2"',
            "no function neumf_adam",
        ),
    ],
)
def test_a_compiler_that_fails(
    script: str, why: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is one short line, and no file is left that a later start could load."""
    monkeypatch.setenv("NEUMF_TUI_CC", compiler_that_runs(script, tmp_path))
    with pytest.raises(NoKernels) as caught:
        load()
    assert why in str(caught.value) and "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert not list(tmp_path.rglob("*.so"))


def test_a_compiler_that_hangs_is_ended_and_not_tried_again(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"echo >> {tmp_path}/starts; sleep 1000 & echo $! > {tmp_path}/pid; wait"
    monkeypatch.setenv("NEUMF_TUI_CC", compiler_that_runs(script, tmp_path))
    monkeypatch.setattr(compiler, "COMPILE_SECONDS", 1)
    for _ in range(2):
        with pytest.raises(NoKernels, match="did not finish within 1 s"):
            load()
    assert (tmp_path / "starts").read_text() == "\n"
    child = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    wait_for(lambda: not child.exists() or child.read_text().split()[2] == "Z")


@pytest.mark.parametrize("command", ["cc 'open", "/no/such/cc -O1", "/proc/self/mem", "/"])
def test_a_command_that_is_no_compiler(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUMF_TUI_CC", command)
    assert command in why_not()


def compiler_that_runs(script: str, tmp_path: Path) -> str:
    path = tmp_path / "mycc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)
