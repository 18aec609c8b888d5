"""Fixtures: a home of its own for every test, the demo set, a trained run, and ML-100K where it is at hand."""

import fcntl
import gc
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

# Before numpy and torch are loaded. Workers of pytest with two threads each would wait for one another by turning on the spot:
# a test of three seconds took sixty.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

from neumf_tui.data.dataset import Dataset  # noqa: E402
from neumf_tui.data.registry import open_dataset  # noqa: E402

os.environ["TZ"] = "UTC"
time.tzset()


def pytest_collection_finish() -> None:
    """What is imported stays to the end; looking through it for garbage again and again costs a tenth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def quiet(_: object) -> None:
    pass


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the person's own runs, data or terminal settings."""
    home = tmp_path / "home"
    monkeypatch.setenv("NEUMF_TUI_HOME", str(home))
    monkeypatch.setenv("NEUMF_TUI_CONFIG", str(tmp_path / "config.toml"))
    for name in ("NEUMF_TUI_DATA", "NO_COLOR", "TEXTUAL_THEME", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    return home


_NAMED = os.environ.get("NEUMF_TUI_DATA")
_DATA = Path(_NAMED) if _NAMED else Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def ml100k() -> Path:
    for folder in (_DATA, _DATA / "ml-100k"):
        if (folder / "u.data").exists():
            return folder
    pytest.skip(f"MovieLens 100K is not at {_DATA}; NEUMF_TUI_DATA names its folder")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that `make` fills for the first that asks; all worker processes of this run of the tests read the same one."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the demo set prepared, and no run; to be read only."""
    return made_once(
        tmp_path_factory, "shared-home", lambda home: open_dataset("demo", None, home, quiet, quiet)
    )


@pytest.fixture(scope="session")
def demo(shared_home: Path) -> Dataset:
    return open_dataset("demo", None, shared_home, quiet, quiet)


@pytest.fixture
def with_demo(shared_home: Path, own_home: Path) -> Path:
    """The test's own home, with the demo set prepared."""
    shutil.copytree(shared_home, own_home)
    return own_home


Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def run_cli(*args: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """The program in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "neumf_tui", *args],
        capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@pytest.fixture
def cli() -> Cli:
    return run_cli


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The same in this process, without the seconds of a start: for commands that only look."""
    from neumf_tui.cli.main import main

    def run(*args: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["neumf-tui", *args])
        code, out, err = 0, io.StringIO(), io.StringIO()
        # Not pytest's capture: while an app runs, stdout is the app's.
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def trained_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one finished run `trained` of preset d2l on the demo set; to be read only."""

    def make(home: Path) -> None:
        shutil.copytree(shared_home, home, dirs_exist_ok=True)
        args = (
            "--preset",
            "d2l",
            "--dataset",
            "demo",
            "--threads",
            "1",
            "--name",
            "trained",
            "--plain",
        )
        result = run_cli("train", *args, "--home", str(home))
        assert result.returncode == 0, result.stderr

    return made_once(tmp_path_factory, "trained-home", make)


@pytest.fixture
def trained(trained_home: Path, own_home: Path) -> Iterator[Path]:
    """A copy of that run, to be harmed at will, in the test's own home; its folder."""
    shutil.copytree(trained_home, own_home)
    yield own_home / "runs" / "trained"
