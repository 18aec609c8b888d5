"""What an item is called: kept with the dataset and its runs."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from neumf_tui.data import prepared
from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.nouns import FILM, Noun
from neumf_tui.runs.events import DatasetRef
from tests.support.datasets import random_dataset

TRACK = Noun("track", "tracks")


def test_a_prepared_dataset_keeps_noun_and_further_columns(tmp_path: Path) -> None:
    dataset = random_dataset()
    columns = {"artist": [f"artist {number}" for number in range(dataset.num_items)]}
    made = replace(dataset, catalogue=replace(dataset.catalogue, noun=TRACK, columns=columns))
    prepared.save(made, tmp_path)
    kept = prepared.load(tmp_path, made.fingerprint)
    assert kept.noun == TRACK
    assert kept.catalogue == made.catalogue
    assert msgspec.convert(kept, DatasetRef, from_attributes=True).noun == TRACK


def test_catalogues_and_runs_of_before_are_of_films() -> None:
    old = b'{"item_ids":["1"],"titles":["1"],"years":[1999],"genres":[[]]}'
    catalogue = msgspec.json.decode(old, type=Catalogue)
    assert (catalogue.noun, catalogue.columns) == (FILM, {})
    assert catalogue.has_years
    assert not catalogue.has_genres


def test_a_noun_holds_nothing_that_a_terminal_executes() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\[0\]"):
        msgspec.json.decode(b'["\\u001b[2J", "b"]', type=Noun)


def test_further_columns_follow_their_items() -> None:
    catalogue = Catalogue(["a", "b"], ["A", "B"], [None] * 2, [[], []], TRACK, {"by": ["x", "y"]})
    chosen = catalogue.with_untitled(["c"]).select([2, 1])
    assert chosen.columns == {"by": ["", "y"]}
    assert chosen.noun == TRACK
