"""Mutated runs that somebody's own loop has written."""

from pathlib import Path

import pytest

from tests.fuzz.test_screens import try_screen
from tests.support.fuzzing import FACTOR
from tests.support.logged_runs import make_logged
from tests.support.mutated_homes import Place


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("logged") / "home"
    for name in ("other", "golden"):
        run = make_logged(home, name=name, scalars=["lr", "norm", "a", "b"])
        (run / "requests" / "stop").write_text("")
        (run / "trainer.log").write_text("starting\n")
    return home


async def test_the_train_screen_on_mutated_logged_runs(place: Place) -> None:
    await try_screen(place, "train", 2 * FACTOR)
