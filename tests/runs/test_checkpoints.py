"""Which checkpoint is opened where some are damaged, or are not files of the run."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from neumf_tui.errors import RunError
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.runs import checkpoint
from neumf_tui.runs.checkpoint import (
    DamagedCheckpoint,
    Tensors,
    best_epoch,
    checkpoint_epochs,
    find_checkpoint,
    load_checkpoint,
    newest_checkpoint,
    open_checkpoint,
)
from neumf_tui.runs.reader import read_info
from neumf_tui.settings import make_settings
from tests.support.commands import Cli
from tests.support.golden_models import add_checkpoints
from tests.support.golden_runs import make_run
from tests.support.signed_checkpoints import signed


@pytest.fixture
def run(own_home: Path) -> Path:
    """Return a finished run with three checkpoints, of which validation chose the second."""
    folder = make_run(own_home, "finished", with_data=True, validation=(0.28, 0.36, 0.33))
    add_checkpoints(folder)
    return folder


def opened(run: Path, which: str | None) -> tuple[str, str]:
    """Return the name of the checkpoint that is opened, and the note about it."""
    found = open_checkpoint(run, which, read_info(run).dataset.fingerprint)
    return found.path.name, found.note


ODD_POINTERS: list[bytes | str] = [
    b"", b"\0" * 18, b"\xff", b"best", b"00009.safetensors", b"../../run.json",
    b"../checkpoints/00002.safetensors", b"/etc/passwd", b"00002.safetensors\nmore", b"x" * 10_000,
    "link", "folder", "fifo",
]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_POINTERS)
def test_the_newest_takes_the_place_of_a_best_that_names_none(run: Path, odd: bytes | str) -> None:
    best = run / "checkpoints" / "best"
    assert opened(run, None) == ("00002.safetensors", "") and best_epoch(run) == 2
    best.unlink()
    match odd:
        case "link":
            (run / "pointer").write_text("00001.safetensors")
            best.symlink_to("../pointer")
        case "folder":
            best.mkdir()
        case "fifo":
            os.mkfifo(best)
        case bytes():
            best.write_bytes(odd)
    name, note = opened(run, None)
    assert name == "00003.safetensors" and best_epoch(run) is None
    if isinstance(odd, bytes):
        assert "best: names no checkpoint: using 00003.safetensors" in note
        assert opened(run, "best") == (name, note)
        assert find_checkpoint(run, "best").name == name
    else:
        with pytest.raises(RunError, match="no best checkpoint"):
            open_checkpoint(run, "best", read_info(run).dataset.fingerprint)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def change_tensors(path: Path, change: Callable[[Tensors], Tensors], old: bool = False) -> None:
    """Let a checkpoint hold other tensors, with checksums that are right."""
    with safetensors.safe_open(path, framework="np") as file:
        text = file.metadata()["checkpoint"]
    path.write_bytes(signed(change(safetensors.numpy.load_file(path)), text, old=old))


def doubles(tensors: Tensors) -> Tensors:
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


@pytest.mark.parametrize("harm", [cut, empty, fifo])
def test_the_newest_whole_checkpoint_takes_the_place_of_a_damaged_one(
    run: Path, harm: Callable[[Path], None]
) -> None:
    harm(run / "checkpoints" / "00003.safetensors")
    fingerprint = read_info(run).dataset.fingerprint
    name, note = opened(run, "last")
    assert name == "00002.safetensors"
    newest = newest_checkpoint(run, fingerprint)
    assert newest and newest.path.name == name and newest.note == note
    if harm is not fifo:  # which is no checkpoint at all
        assert "00003.safetensors: " in note and "using 00002.safetensors" in note
        with pytest.raises(RunError, match="00003"):
            open_checkpoint(run, "3", fingerprint)
    harm(run / "checkpoints" / "00002.safetensors")
    assert opened(run, None)[0] == "00001.safetensors"
    harm(run / "checkpoints" / "00001.safetensors")
    with pytest.raises(RunError):
        newest_checkpoint(run, fingerprint) or open_checkpoint(run, None, fingerprint)


def test_other_numbers_than_a_neumf_has_are_refused(run: Path, inside: Cli) -> None:
    """With checksums that are right: a trainer takes the checkpoint before, viewers say why not."""
    change_tensors(run / "checkpoints" / "00003.safetensors", doubles)
    newest = newest_checkpoint(run, read_info(run).dataset.fingerprint)
    assert newest and newest.path.name == "00002.safetensors"
    assert "expected float32, found float64" in newest.note
    done = inside("rank", "196", "--epoch", "3")
    assert done.returncode == 4 and "00003" in done.stderr and "float64" in done.stderr


def with_adam(tensors: Tensors) -> Tensors:
    return tensors | {"adam.exp_avg.head.weight": np.ones((1, 9), np.float32)}


@pytest.mark.parametrize("old", [False, True])
def test_viewers_leave_the_state_of_the_optimiser_unread(run: Path, old: bool) -> None:
    path, fingerprint = run / "checkpoints/00003.safetensors", read_info(run).dataset.fingerprint
    plain, _ = load_checkpoint(path, fingerprint)
    change_tensors(path, with_adam, old)
    to_train, _ = load_checkpoint(path, fingerprint)
    assert to_train.keys() == with_adam(plain).keys()
    seen, _ = load_checkpoint(path, fingerprint, to_train=False)
    assert seen.keys() == plain.keys()
    assert all(np.array_equal(seen[name], to_train[name]) for name in seen)
    content = path.read_bytes()
    at = content.index(np.ones((1, 9), np.float32).tobytes())
    path.write_bytes(content[:at] + b"\x01" + content[at + 1 :])
    with pytest.raises(DamagedCheckpoint, match="do not match their checksum"):
        load_checkpoint(path, fingerprint)
    if not old:  # which has one checksum of everything
        load_checkpoint(path, fingerprint, to_train=False)


def without_one(tensors: Tensors) -> Tensors:
    return {name: tensors[name] for name in sorted(tensors)[1:]}


def test_no_tensor_is_exchanged_added_or_lost(run: Path) -> None:
    path, fingerprint = run / "checkpoints/00003.safetensors", read_info(run).dataset.fingerprint
    with safetensors.safe_open(path, framework="np") as file:
        metadata = file.metadata()
    whole = safetensors.numpy.load_file(path)
    first = next(iter(whole))
    exchanged = whole | {first: whole[first] + 1}
    for tensors in (without_one(whole), with_adam(whole), exchanged):
        path.write_bytes(safetensors.numpy.save(tensors, metadata))
        with pytest.raises(DamagedCheckpoint):
            load_checkpoint(path, fingerprint, to_train=False)
    about = metadata["checkpoint"].replace('"epoch":3', '"epoch":9')
    assert about != metadata["checkpoint"]
    path.write_bytes(safetensors.numpy.save(whole, metadata | {"checkpoint": about}))
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(path, fingerprint, to_train=False)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_viewers_map_large_tables(
    run: Path, dtype: str, old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In older checkpoints, with their one checksum of everything, they read them."""
    path, fingerprint = run / "checkpoints/00003.safetensors", read_info(run).dataset.fingerprint
    table = np.arange(-3000, 3000).astype(dtype).reshape(60, 100)
    change_tensors(path, lambda tensors: tensors | {"large": table}, old)
    monkeypatch.setattr(checkpoint, "LARGE", 4 * 5999)
    seen, _ = load_checkpoint(path, fingerprint, to_train=False)
    assert isinstance(seen["large"], np.memmap) != old and seen["large"].dtype == dtype
    np.testing.assert_array_equal(seen["large"], table)
    assert not any(isinstance(seen[name], np.memmap) for name in seen if name != "large")
    if dtype == "float32":
        to_train, _ = load_checkpoint(path, fingerprint)
        assert not isinstance(to_train["large"], np.memmap)


def test_a_checkpoint_is_never_read_through_a_link(run: Path, tmp_path: Path) -> None:
    outside = (run / "checkpoints" / "00003.safetensors").rename(tmp_path / "outside")
    (run / "checkpoints" / "00003.safetensors").symlink_to(outside)
    assert checkpoint_epochs(run) == [1, 2]
    with pytest.raises(RunError, match="symbolic link"):
        load_checkpoint(
            run / "checkpoints" / "00003.safetensors", read_info(run).dataset.fingerprint
        )
    whole = (run / "checkpoints").rename(tmp_path / "all")
    (run / "checkpoints").symlink_to(whole)
    with pytest.raises(OSError, match="symbolic link"):
        checkpoint_epochs(run)


def test_commands_say_which_checkpoint_they_use_instead(run: Path, inside: Cli) -> None:
    cut(run / "checkpoints" / "00003.safetensors")
    for command in (("rank", "196", "--epoch", "last"), ("evaluate", "--epoch", "last", "--json")):
        done = inside(*command)
        assert done.returncode == 0 and "using 00002.safetensors" in done.stderr, done.stderr
    assert inside("rank", "196", "--epoch", "2").stderr == ""
    named = inside("rank", "196", "--epoch", "3")
    assert named.returncode == 4 and "damaged" in named.stderr


def test_settings_that_do_not_fit_the_checkpoint_take_no_memory(run: Path, inside: Cli) -> None:
    """What the tensors are like decides for viewers."""
    content, usual = (run / "run.json").read_bytes(), inside("rank", "196").stdout
    for wrong in (b"[1000000000, 1000000000]", b"[40]"):
        start = content.index(b'"mlp_layers"')
        end = content.index(b"]", start) + 1
        (run / "run.json").write_bytes(content[:start] + b'"mlp_layers": ' + wrong + content[end:])
        done = inside("rank", "196")
        assert (done.returncode, done.stdout) == (0, usual)


@pytest.mark.parametrize("changes", [{}, {"history": 5}, {"mlp_layers": (7,)}])
def test_shapes_are_those_of_the_model(changes: dict[str, object]) -> None:
    from neumf_tui.model.neumf import NeuMF

    config = NeuMFConfig.of(make_settings("d2l", changes), 3, 4)
    found = {name: tuple(tensor.shape) for name, tensor in NeuMF(config).state_dict().items()}
    assert config.shapes() == found


@pytest.mark.parametrize("harm", [b"", b"\0" * 150, None])
def test_a_run_whose_status_is_lost_is_trained_on(run: Path, harm: bytes | None) -> None:
    """Resuming starts a trainer, which goes on from the newest whole checkpoint."""
    from neumf_tui.runs.control import make_ready
    from neumf_tui.runs.reader import read_status

    cut(run / "checkpoints" / "00003.safetensors")
    (run / "status.json").unlink()
    if harm is not None:
        (run / "status.json").write_bytes(harm)
    assert read_status(run).state == "crashed"
    make_ready(run, None).close()
    assert read_status(run).state == "starting"
    newest = newest_checkpoint(run, read_info(run).dataset.fingerprint)
    assert newest and newest.path.name == "00002.safetensors" and "damaged" in newest.note
