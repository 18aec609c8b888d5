"""A shop's products are called products on every screen, and no word of films is left."""

from pathlib import Path

import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import save
from neumf_tui.home import datasets_dir
from neumf_tui.tui.app import NeumfApp
from tests.support.kept_runs import kept_run
from tests.support.screens import press_all, screen_lines, settle
from tests.support.shops import NAMES, shop_dataset, words_of_films

VIEWS: dict[str, list[str]] = {
    "ranking": ["1"], "details": ["d"], "history": ["2"], "nearest": ["3"], "epochs": ["4"],
    "near miss": ["5"], "find": ["1", "t"], "product": ["escape", "1", "down", "enter"],
    "its users": ["2"], "find another": ["slash", "z", "q"], "new user": ["escape", "escape", "f"],
    "picked": ["enter", "down", "enter"], "leave unsaved": ["escape"],
    "failures": ["y", "F"], "sorted": ["o", "o", "o", "o"], "cohorts": ["2"],
    "catalogue": ["3"], "choose model": ["escape", "x"], "compare": ["enter"],
    "compare all": ["2"], "a file": ["w"],
}  # fmt: skip
"""Keys from one view to the next, from the explore screen on."""


@pytest.fixture(scope="module")
def data() -> Dataset:
    return shop_dataset()


@pytest.fixture
def shop(data: Dataset, own_home: Path) -> Path:
    save(data, datasets_dir(own_home) / "prepared")
    return own_home


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_no_screen_of_a_shop_speaks_of_films(
    shop: Path, data: Dataset, size: tuple[int, int]
) -> None:
    folder = kept_run(shop, data, "neumf", epochs=2)
    kept_run(shop, data, "vectors", name="other")
    app = NeumfApp(folder, shop, "explore")
    said: list[str] = []
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for view, keys in VIEWS.items():
            await press_all(pilot, *keys)
            lines = screen_lines(app)
            assert not (found := words_of_films(lines)), (view, found)
            said += lines
    text = "\n".join(said)
    assert sum(name in text for name in NAMES) > len(NAMES) // 4, "products go by their names"
    for words in ("find product", "held-out product", "14 products", "products in nobody's top",
                  "brand Copperworks", "Leave without saving 2 products?"):  # fmt: skip
        assert words in text, words
    assert "year" not in text and "genres" not in text


async def test_no_screen_of_a_shops_training_speaks_of_films(shop: Path, data: Dataset) -> None:
    app = NeumfApp(kept_run(shop, data, "neumf", epochs=2), shop, "train")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for keys in ((), ("left_square_bracket",), ("space",), ("escape", "D"), ("escape", "u")):
            await press_all(pilot, *keys)
            assert not (found := words_of_films(screen_lines(app))), found
