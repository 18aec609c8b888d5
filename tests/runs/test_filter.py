"""Filters of runs: an unknown name is told with what is near, and so is why nothing is kept."""

from typing import Any

import pytest

from neumf_tui.runs.filter import matches, unknown_names, why_none


def run(name: str, hit: float | None, **settings: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    facts = {
        "run": name, "kind": "trained", "model": "neumf", "state": "finished", "dataset": "demo",
        "simulated": True, "split": "latest", "preset": "tuned", "device": "cpu",
        "best_hit@50": hit,
    }  # fmt: skip
    return facts, {"learning_rate": 0.005, "epochs": 15, "loss": "bpr"} | settings


RUNS = [run("quiet-otter-07", 0.3), run("bold-fox-11", 0.41, loss="softmax")]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("learning_rat>0", "no run has 'learning_rat'; did you mean 'learning_rate'?"),
        ("-bst>0.2", "no run has 'bst'; did you mean 'best'?"),
        ("zzzzzz=1", "no run has 'zzzzzz'; `neumf-tui status --json`"),
    ],
)
def test_an_unknown_name_is_told_with_what_is_near(query: str, says: str) -> None:
    (told,) = unknown_names(query, RUNS)
    assert told.startswith(says)
    assert unknown_names("best>0.1 -demo loss=bpr epochs<3", RUNS) == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("best>0.9", ["best>0.9: runs have 0.3 to 0.41"]),
        ("epochs>99", ["epochs>99: runs have 15"]),
        ("epochs=many", ["epochs=many: 'many' is not a number; runs have 15"]),
        ("loss=bce", ["loss=bce: runs have bpr, softmax"]),
        ("best > 0.3", [">: write a comparison without blanks, such as best>0.3"]),
        ("state:running", ["such as best>0.3, with one of >=, <=, !=, >, <, ="]),
        ("quiet-oter-07", ["; did you mean 'quiet-otter-07'?"]),
        ("-demo", ["-demo: all runs match it without the -"]),
        ("quiet loss=softmax", ["quiet keeps 1, loss=softmax keeps 1 of 2"]),
        ("learning_rat>0 demo", ["did you mean 'learning_rate'?"]),
    ],
)
def test_an_empty_list_says_what_was_filtered(query: str, says: list[str]) -> None:
    assert not any(matches(query, *run) for run in RUNS)
    told = "\n".join(why_none(query, RUNS))
    assert all(text in told for text in says), told


def test_a_run_without_values_has_none_to_tell() -> None:
    assert why_none("best>0", [run("new", None)]) == ["best>0: no run has a value of it yet"]
