"""Which checkpoint is opened where some are damaged, or are not files of the run."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from neumf_tui.errors import RunError
from neumf_tui.model.config import NeuMFConfig
from neumf_tui.runs.checkpoint import (
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


def doubles(path: Path) -> None:
    """Let a checkpoint hold other numbers than float32, with a checksum that is right."""
    from neumf_tui.runs import checkpoint

    with safetensors.safe_open(path, framework="np") as file:
        text = file.metadata()["checkpoint"]
        tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
    metadata = {"checkpoint": text, "sha256": checkpoint._digest(tensors, text)}
    path.write_bytes(safetensors.numpy.save(tensors, metadata))


@pytest.mark.parametrize("harm", [cut, empty, doubles, fifo])
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
    content = (run / "run.json").read_bytes()
    for wrong in (b"[1000000000, 1000000000]", b"[40]"):
        start = content.index(b'"mlp_layers"')
        end = content.index(b"]", start) + 1
        (run / "run.json").write_bytes(content[:start] + b'"mlp_layers": ' + wrong + content[end:])
        done = inside("rank", "196")
        assert done.returncode == 4 and "of another model" in done.stderr


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
