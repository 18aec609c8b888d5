"""The baselines by name, and the settings that each may choose from."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from neumf_tui import __version__
from neumf_tui.baselines import factor_models, item_models
from neumf_tui.errors import UsageError
from neumf_tui.scorers.scorer import Scorer

Choice = dict[str, float | int]
_VERSION = 2  # add one if a change here or in the models changes metrics


@dataclass(frozen=True)
class Baseline:
    """A model to compare with; the best of its `choices` by validation Hit@50 is used."""

    name: str
    title: str
    fit: Callable[..., Scorer]  # called with UserHistories and a choice as keywords
    choices: tuple[Choice, ...] = ({},)
    pair_bytes: int = 0  # memory that fitting needs, in bytes for each pair of items
    by_package: bool = False  # whether it needs `implicit` and a seed; the others have one solution

    def recipe(self, seed: int) -> str:
        """Return all that decides its metrics beside the data and the package."""
        about = {"baselines": _VERSION, "neumf-tui": __version__, "choices": self.choices}
        return json.dumps(about | ({"seed": seed} if self.by_package else {}))


# The choices are near the best ones on the validation items of MovieLens 100K.
BASELINES = (
    Baseline("popularity", "popularity", item_models.popularity),
    Baseline("item-knn", "item kNN, all neighbours", item_models.item_knn, pair_bytes=24),
    Baseline(
        "item-knn-k", "item kNN, k nearest neighbours", item_models.item_knn,
        tuple({"neighbours": k} for k in (20, 50, 100, 200)), pair_bytes=24,
    ),
    Baseline(
        "ease", "EASE", item_models.ease,
        tuple({"l2": l2} for l2 in (100, 300, 1000)), pair_bytes=18,
    ),
    Baseline(
        "ease-recent", "EASE, recent history counts more", item_models.ease_recent,
        tuple(
            {"l2": l2, "decay": decay, "floor": floor}
            for l2 in (300, 1000) for decay in (3, 5, 10) for floor in (0.02, 0.05)
        ), pair_bytes=18,
    ),
    Baseline(
        "als", "ALS", factor_models.als,
        tuple({"factors": factors, "l2": l2} for factors in (32, 64) for l2 in (3, 10, 30)),
        by_package=True,
    ),
    Baseline(
        "bpr", "BPR", factor_models.bpr,
        tuple({"factors": 32, "iterations": n} for n in (50, 100, 200)), by_package=True,
    ),
)  # fmt: skip
NAMES = tuple(baseline.name for baseline in BASELINES)


def named(text: str | None) -> tuple[Baseline, ...]:
    """Return the baselines that `text` names, separated by commas; all for None.

    They are in the order of BASELINES. Raises UsageError for an unknown name.
    """
    if text is None:
        return BASELINES
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    unknown = [name for name in wanted if name not in NAMES]
    if unknown or not wanted:
        raise UsageError(
            f"--only {', '.join(unknown) or text!r}: expected some of {', '.join(NAMES)}, "
            "separated by commas"
        )
    return tuple(baseline for baseline in BASELINES if baseline.name in wanted)
