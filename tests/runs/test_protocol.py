"""The protocol of runs by who made them."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.facts import SplitFacts
from neumf_tui.data.options import SplitOptions
from neumf_tui.runs.create_run import make_info
from neumf_tui.runs.events import Kind, RunInfo
from neumf_tui.runs.protocol import (
    make_protocol,
    protocol_line,
    protocol_of,
    protocol_of_kind,
    split_label,
    split_protocol,
    with_settings_chosen,
)
from neumf_tui.runs.writer import new_run
from neumf_tui.views.protocol_facts import protocol_facts


def described(data: Dataset, kind: Kind) -> RunInfo:
    return make_info(Path("/here"), data, "x", {"exclude_heldout": "odd"}, kind=kind, planned=3)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_protocol_is_told_in_words(demo: Dataset, kind: Kind) -> None:
    info = described(demo, kind) if kind != "trained" else None
    protocol = protocol_of(info) if info else make_protocol({"seed": 0}, demo.num_candidates)
    protocol |= split_protocol(demo.facts, SplitOptions()) | {
        "tied_heldout": 1234,
        "tied_share": 1 / 7,
    }
    for told in (protocol, with_settings_chosen(protocol)):
        facts = protocol_facts(told)
        text = "\n".join(f"{name}: {text}" for name, text in facts.items())
        assert not re.search(r"None|_|\d\.\d\d|`|\[", text), text
        assert facts["held-out items with equal times"] == "1,234 (14.3 %)"
        assert facts["split"].endswith("(latest)") and f"{told['num_candidates'][1]:,}" in text
        assert all(str(told[key]) in text for key in ("negatives", "validation", "chosen_by"))


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


def test_without_times_nothing_is_said_of_the_future() -> None:
    protocols = [
        split_protocol(SplitFacts(split="random", has_times=known), SplitOptions())
        for known in (True, False)
    ]
    lines = [protocol_line(make_protocol({}, split=protocol)) for protocol in protocols]
    assert ["future used" in line for line in lines] == [True, False]
    assert protocols[1]["future"] == "unknown: there are no times"


def test_runs_are_labelled_by_their_split() -> None:
    facts = SplitFacts(split="time", cut=1_712_966_400, validation_cut=1_702_966_400)
    options = SplitOptions(split="time", cut="2024-04-13", min_rating=4)
    assert split_label(make_protocol({})) == "latest"
    label = split_label(make_protocol({}, split=split_protocol(facts, options)))
    assert label == "time, cut 2024-04-13, rating at least 4"


def test_a_run_that_fails_half_made_is_not_there(demo: Dataset, own_home: Path) -> None:
    folder = own_home / "runs" / "half"
    with pytest.raises(ValueError, match="half"), new_run(folder, described(demo, "adopted")):
        raise ValueError("half")
    assert not folder.exists() and list(folder.parent.iterdir()) == []
