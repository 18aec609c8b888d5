"""The kernels with random inputs under ASan and UBSan, which end the process at the first error."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.fuzzing import FACTOR

COMPILER = """#!/bin/sh
unset LD_PRELOAD
exec gcc "$@" -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined
"""
ROUNDS = 60
OUT_OF_BOUNDS = """
import numpy as np
from neumf_tui.native.library import load
numbers = np.zeros(1000, np.float32)
places = [array.ctypes.data for array in (numbers, numbers, numbers, numbers)]
load().neumf_adam(1001, *places, 0, 0, 0, 0, 0)
"""


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a process whose kernels are watched; skips without sanitizers."""
    folder = tmp_path_factory.mktemp("sanitized")
    compiler = folder / "cc"
    compiler.write_text(COMPILER)
    compiler.chmod(0o700)
    (folder / "empty.c").touch()
    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    test = [compiler, "-shared", "-o", folder / "empty.so", folder / "empty.c"]
    done = subprocess.run(test, capture_output=True, text=True)
    named = ["gcc", "-print-file-name=libasan.so"]
    library = subprocess.run(named, capture_output=True, text=True, check=True).stdout.strip()
    if done.returncode or not Path(library).is_absolute():
        pytest.skip(f"this gcc has no sanitizers: {done.stderr.strip()}")
    return os.environ | {
        "LD_PRELOAD": library,
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "NEUMF_TUI_CC": str(compiler),
        "NEUMF_TUI_CACHE": str(folder / "cache"),
    }


def test_a_write_behind_an_array_is_seen(sanitized: dict[str, str]) -> None:
    """Otherwise the test below would prove nothing."""
    command = [sys.executable, "-c", OUT_OF_BOUNDS]
    done = subprocess.run(command, capture_output=True, text=True, env=sanitized)
    assert done.returncode != 0 and "AddressSanitizer: heap-buffer-overflow" in done.stderr
    assert "adam.c" in done.stderr


@pytest.mark.parametrize("wide", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_no_input_reaches_memory_that_is_not_its_own(
    wide: bool, sanitized: dict[str, str], tmp_path: Path
) -> None:
    """With the processor's vectors and with narrow ones."""
    env = sanitized if wide else sanitized | {"NEUMF_TUI_CC": narrow(sanitized, tmp_path)}
    command = [sys.executable, "-m", "tests.support.kernel_driver", "1", str(ROUNDS * FACTOR)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    calls, refused = map(int, done.stdout.split())
    assert calls / 20 < refused < calls / 2, "most inputs are right, and some are wrong"


def narrow(sanitized: dict[str, str], tmp_path: Path) -> str:
    compiler = tmp_path / "cc"
    compiler.write_text(COMPILER.replace("-O1", "-O1 -U__AVX__ -U__AVX512F__"))
    compiler.chmod(0o700)
    return str(compiler)
