"""The rank tape is packed as it grows, and reads as before."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError
from neumf_tui.runs.rank_blocks import BLOCK, block_name
from neumf_tui.runs.reader import rank_epochs, read_ranks
from neumf_tui.runs.writer import RunWriter
from tests.support.fuzzing import examples
from tests.support.golden_runs import make_run

USERS = 5


def ranks_of(epoch: int, scale: float = 0.5) -> NDArray[np.float32]:
    ranks = 1 + scale * np.arange(epoch, epoch + USERS, dtype=np.float32)
    ranks[epoch % USERS] = np.nan
    return ranks


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk after each of some thousand files."""
    monkeypatch.setattr(files.os, "fsync", lambda _: None)


@pytest.fixture
def run(own_home: Path) -> Path:
    return make_run(own_home, "finished", epochs=0)


def write(run: Path, epochs: range, scale: float = 0.5) -> None:
    with RunWriter(run) as writer:
        for epoch in epochs:
            writer.ranks(epoch, ranks_of(epoch, scale))


@pytest.mark.parametrize("scale", [0.5, 1e5, 0.3], ids=["uint16", "uint32", "float32"])
def test_a_long_tape_is_few_files_with_the_same_ranks(run: Path, scale: float) -> None:
    write(run, range(1, 401), scale)
    names = [path.name for path in (run / "ranks").iterdir()]
    assert len(names) == 400 // BLOCK + 400 % BLOCK and block_name(1) in names
    assert rank_epochs(run) == [*range(1, 401)]
    for epoch in range(1, 401):
        found = read_ranks(run, epoch)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, ranks_of(epoch, scale))
    with pytest.raises(RunError, match=r"00401\.npy"):
        read_ranks(run, 401)


def test_an_earlier_tape_is_packed_when_its_run_goes_on(run: Path) -> None:
    for epoch in (10, 20, 130, 140):
        np.save(run / "ranks" / f"{epoch:05}.npy", ranks_of(epoch))
    np.save(run / "ranks" / "00030.npy", np.ones(USERS + 1, np.float32))
    (run / "ranks" / "00040.npy").write_bytes(b"nothing")
    write(run, range(150, 210, 10))
    names = {path.name for path in (run / "ranks").iterdir()}
    assert names == {
        block_name(1), "00030.npy", "00040.npy", block_name(130), "00200.npy",
    }  # fmt: skip
    assert rank_epochs(run) == [10, 20, 30, 40, *range(130, 210, 10)]


@examples(8)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(16, 40))
def test_ranks_that_are_written_again_replace_those_of_a_block(
    tmp_path_factory: pytest.TempPathFactory, starts: list[int], every: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    run, expected = make_run(home, "finished", epochs=0), {}
    for number, start in enumerate(starts):
        epochs = range(every * start, every * start + 400, every)
        write(run, epochs, 0.5 + number)
        expected |= {epoch: ranks_of(epoch, 0.5 + number) for epoch in epochs}
    assert rank_epochs(run) == sorted(expected)
    for epoch, ranks in expected.items():
        np.testing.assert_array_equal(read_ranks(run, epoch), ranks)
    shutil.rmtree(home)


def test_a_crash_while_packing_loses_nothing(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(run, range(1, BLOCK + 1))

    def fail(*_: object) -> None:
        raise OSError("killed")

    for name in ("replace", "remove"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="killed"):
            patch.setattr(f"neumf_tui.runs.rank_blocks.files.{name}", fail)
            write(run, range(BLOCK + 1, BLOCK + 2))
        assert set(rank_epochs(run)) >= {*range(1, BLOCK + 1)}
        for epoch in range(1, BLOCK + 1):
            np.testing.assert_array_equal(read_ranks(run, epoch), ranks_of(epoch))
    write(run, range(BLOCK + 1, BLOCK + 3))
    assert files.file_names(run, "ranks") == [block_name(1), "00065.npy", "00066.npy"]


@pytest.mark.parametrize("content", [b"", b"nothing", "wrong kind"])
def test_a_damaged_block_is_one_message(run: Path, content: bytes | str) -> None:
    write(run, range(1, BLOCK + 2))
    path = run / "ranks" / block_name(1)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, np.zeros(3))
    assert rank_epochs(run) == [BLOCK + 1]
    with pytest.raises(RunError, match="cannot be read"):
        read_ranks(run, 5)
    write(run, range(BLOCK + 1, 3 * BLOCK))
