"""A small shop: products by name, which are no films; and what nobody may read of them."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.nouns import Noun
from neumf_tui.data.prepare import prepare
from neumf_tui.data.split import Interactions

PRODUCT = Noun("product", "products")
THINGS = ("Kettle", "Lamp", "Chair", "Mug", "Rug", "Clock", "Vase", "Shelf", "Towel", "Bowl")
COLOURS = ("Blue", "Copper", "Green", "Oak", "Red", "Slate", "White", "Yellow")
NAMES = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]
ABOUT_FILMS = re.compile(r"films?\b|watched|\bera\b|movies?\b", re.IGNORECASE)
NAMES_THAT_STAY = re.compile(r"MovieLens|\bfilm +(?=\[OPTIONS\]|Do what `item` does|Alien)")
"""The data sets, and the command."""


def shop_dataset(num_users: int = 40, *, further: bool = True) -> Dataset:
    """Make customers who buy fifteen products each; nothing has a year or a genre."""
    draw, size = np.random.default_rng(3), 15
    users = np.repeat(np.arange(num_users), size)
    items = np.concatenate([draw.choice(len(NAMES), size, replace=False) for _ in range(num_users)])
    times = 1_700_000_000 + 3600 * np.arange(len(items))
    count = len(NAMES)
    columns = {"brand": [name.split()[0] + "works" for name in NAMES]} if further else {}
    catalogue = Catalogue(
        [f"sku-{number:03}" for number in range(count)],
        NAMES,
        [None] * count,
        [[] for _ in NAMES],
        PRODUCT,
        columns,
    )
    customers = [f"c{number:03}" for number in range(num_users)]
    return prepare("shop", "orders.csv", customers, catalogue, Interactions(users, items, times))


def write_shop(folder: Path) -> Path:
    """Write orders with semicolons and ISO times, and a table of products beside them."""
    folder.mkdir()
    data = shop_dataset()
    ids, customers = data.catalogue.item_ids, data.user_ids
    rows = zip(data.split.users.tolist(), data.split.items.tolist(), strict=True)
    latest = enumerate(np.asarray(data.split.heldout).tolist())
    orders = [
        f"{customers[user]};{ids[item]};2024-01-{1 + n % 28:02} 1{n % 10}:30:00"
        for n, (user, item) in enumerate([*rows, *latest])
    ]
    (folder / "orders.csv").write_text("\n".join(["customer;sku;created_at", *orders, ""]))
    products = [
        f"{sku},{name},{name.split()[0]}works" for sku, name in zip(ids, NAMES, strict=True)
    ]
    (folder / "products.csv").write_text("\n".join(["sku,name,brand", *products, ""]))
    return folder


def words_of_films(lines: Iterable[str]) -> list[str]:
    """Return the lines that speak of films."""
    return [line for line in lines if ABOUT_FILMS.search(NAMES_THAT_STAY.sub("", line))]
