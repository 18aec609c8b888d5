"""The protocol of runs by who made them."""

from pathlib import Path

import msgspec
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.events import Kind, RunInfo
from neumf_tui.runs.protocol import protocol_line, protocol_of, protocol_of_kind
from neumf_tui.runs.writer import new_run


def described(data: Dataset, kind: Kind) -> RunInfo:
    return make_info(Path("/here"), data, "x", {"exclude_heldout": "odd"}, kind=kind, planned=3)


@pytest.mark.parametrize("kind", ["adopted", "logged"])
def test_nobody_knows_what_was_learned_elsewhere(demo: Dataset, kind: Kind) -> None:
    protocol = described(demo, kind).protocol
    assert protocol["negatives"].startswith("unknown") and protocol["validation"] == "none"
    assert protocol.keys().isdisjoint({"seed", "exclude_heldout"}), "nobody knows them"
    for width in (None, *range(30, 120)):
        line = protocol_line(protocol, width)
        assert "unseen" not in line and ("learned from" in line or "trained elsewhere" in line)
        assert width is None or len(line) <= width
    bare = msgspec.structs.replace(described(demo, kind), protocol={})
    assert "learned from" in protocol_line(protocol_of(bare))


def test_a_baseline_learns_nothing_of_held_out_items(demo: Dataset) -> None:
    info = described(demo, "baseline")
    assert "held-out unseen" in protocol_line(protocol_of(info))
    ours = protocol_of_kind("trained", {})
    assert protocol_of_kind("baseline", {"exclude_heldout": True}) | {"seed": None} == ours, (
        "settings of others mean nothing"
    )
    assert "torch" not in info.versions and info.epochs == 3


def test_a_run_that_fails_half_made_is_not_there(demo: Dataset, own_home: Path) -> None:
    folder = own_home / "runs" / "half"
    with pytest.raises(ValueError, match="half"), new_run(folder, described(demo, "adopted")):
        raise ValueError("half")
    assert not folder.exists() and list(folder.parent.iterdir()) == []
