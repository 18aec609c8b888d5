"""Fixtures: an empty home for every test, the demo dataset, a trained run, MovieLens 100K."""

import gc
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tests.support.commands import Cli, run_cli
from tests.support.shared_folders import fill_once

# Must be set before numpy and torch are loaded. With two threads each, the worker processes of
# pytest spin while they wait for one another: a test of three seconds took sixty.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

from neumf_tui.data.dataset import Dataset  # noqa: E402
from neumf_tui.data.progress import silent  # noqa: E402
from neumf_tui.data.registry import open_dataset  # noqa: E402
from tests.support.whole_runs import ARGS  # noqa: E402

os.environ["TZ"] = "UTC"
time.tzset()


def pytest_collection_finish() -> None:
    """Exclude imported modules from garbage collection, which costs a tenth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide the developer's own runs, data and terminal settings from the test."""
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


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with the demo dataset prepared and no run; tests only read it."""
    return fill_once(
        tmp_path_factory,
        "shared-home",
        lambda home: open_dataset("demo", None, home, silent, silent),
    )


@pytest.fixture(scope="session")
def demo(shared_home: Path) -> Dataset:
    return open_dataset("demo", None, shared_home, silent, silent)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Add up in one order, as the trainer does on a CPU."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.fixture
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Act as on a machine without a C compiler: torch does the work of the kernels."""
    monkeypatch.setenv("NEUMF_TUI_CC", "none")


@pytest.fixture
def with_demo(shared_home: Path, own_home: Path) -> Path:
    """Prepare the demo dataset in the test's own home."""
    shutil.copytree(shared_home, own_home)
    return own_home


@pytest.fixture
def cli() -> Cli:
    return run_cli


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a function that runs a command in this process, which saves seconds of start-up."""
    from neumf_tui.cli.main import main

    def run(*args: str) -> "subprocess.CompletedProcess[str]":
        monkeypatch.setattr(sys, "argv", ["neumf-tui", *args])
        code, out, err = 0, io.StringIO(), io.StringIO()
        # capsys would not do: while an app runs, it has replaced stdout.
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def whole_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(home: Path) -> None:
        shutil.copytree(shared_home, home, dirs_exist_ok=True)
        result = run_cli("train", *ARGS, "--name", "whole", "--home", str(home))
        assert result.returncode == 0, result.stderr

    return fill_once(tmp_path_factory, "whole-home", make)


@pytest.fixture
def whole(whole_home: Path, own_home: Path) -> Path:
    """Return the folder of a finished run of three epochs without interruption."""
    shutil.copytree(whole_home, own_home)
    return own_home / "runs" / "whole"


@pytest.fixture(scope="session")
def trained_home(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one finished run `trained` (d2l, demo dataset); tests only read it."""

    def make(home: Path) -> None:
        shutil.copytree(shared_home, home, dirs_exist_ok=True)
        options = ("--preset", "d2l", "--dataset", "demo", "--threads", "1", "--home", str(home))
        result = run_cli("train", *options, "--name", "trained", "--plain")
        assert result.returncode == 0, result.stderr

    return fill_once(tmp_path_factory, "trained-home", make)


@pytest.fixture
def trained(trained_home: Path, own_home: Path) -> Iterator[Path]:
    """Copy the trained run into the test's own home, where the test may change it."""
    shutil.copytree(trained_home, own_home)
    yield own_home / "runs" / "trained"
