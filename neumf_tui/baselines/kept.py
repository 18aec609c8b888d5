"""Kept results of baselines: `<home>/baselines/<fingerprint>/<name>.json`, and the ranks behind them in `<name>.npy`.

Read by `evaluate` and by the train screen; written by `neumf-tui baselines`.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.errors import RunError
from neumf_tui.runs.files import replace_bytes

POPULARITY = "popularity"
COLUMNS = (
    "baseline", "title", "settings", "hit@10", "hit@50", "hit@50_low", "hit@50_high", "ndcg@10", "mrr", "auc",
    "validation_hit@10", "validation_hit@50", "validation_hit@50_low", "validation_hit@50_high", "validation_ndcg@10",
    "validation_mrr", "validation_auc", "tried", "seconds",
)  # fmt: skip


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics over the users of one fold."""

    metrics: dict[str, float]
    interval: tuple[float, float]
    """95 % confidence interval of Hit@50."""
    num_users: int


class KeptBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """One baseline on one dataset."""

    name: str
    title: str
    settings: dict[str, float | int]
    """Those with the highest Hit@50 on the validation items."""
    tried: int
    """Settings there were to choose from."""
    heldout: Figures
    """Fitted to all training pairs."""
    validation: Figures
    """Fitted without the validation items."""
    seconds: float
    """To fit to all training pairs with these settings and to rank everybody's held-out item."""
    recipe: str
    """All that decides the figures beside the data: where it has changed, they are computed anew."""
    package: str = ""
    """Version of the package that fitted it; empty where none did."""
    computed: float
    """Unix seconds."""

    @property
    def settings_text(self) -> str:
        return settings_text(self.settings)


def settings_text(settings: dict[str, float | int]) -> str:
    return " ".join(f"{key}={value}" for key, value in settings.items())


def kept_folder(home: Path, fingerprint: str) -> Path:
    return home / "baselines" / fingerprint


def keep(home: Path, fingerprint: str, result: KeptBaseline, ranks: NDArray[np.float32]) -> None:
    """Write or replace a result. `ranks` of the held-out items: (num_users,), NaN where nothing is held out."""
    folder = kept_folder(home, fingerprint)
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.save(content, ranks)
    replace_bytes(folder / f"{result.name}.npy", content.getvalue())
    replace_bytes(
        folder / f"{result.name}.json",
        msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n",
    )


def read_kept(home: Path, fingerprint: str) -> tuple[list[KeptBaseline], list[str]]:
    """The kept results, the highest Hit@50 first, and for each file that cannot be read a line that says so."""
    found, problems = [], []
    for path in sorted(kept_folder(home, fingerprint).glob("*.json")):
        try:
            found.append(_read(path))
        except RunError as error:
            problems.append(str(error))
    return sorted(found, key=lambda one: (-one.heldout.metrics["hit@50"], one.name)), problems


def read_one(home: Path, fingerprint: str, name: str) -> KeptBaseline | None:
    """The kept result of one baseline, None where there is none; raises RunError for a damaged file."""
    path = kept_folder(home, fingerprint) / f"{name}.json"
    return _read(path) if path.exists() else None


def _read(path: Path) -> KeptBaseline:
    try:
        result = msgspec.json.decode(path.read_bytes(), type=KeptBaseline)
        if result.name != path.stem:
            raise ValueError(f"it is of {result.name}")
        for fold in (result.heldout, result.validation):
            if not fold.metrics.keys() >= {"hit@10", "hit@50", "ndcg@10", "mrr", "auc"}:
                raise ValueError("metrics are missing")
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}); `neumf-tui baselines` makes it anew"
        ) from error
    return result


def read_kept_ranks(home: Path, fingerprint: str, name: str, num_users: int) -> NDArray[np.float32]:
    """Ranks of all users' held-out items by a kept baseline, shape (num_users,); raises RunError."""
    path = kept_folder(home, fingerprint) / f"{name}.npy"
    try:
        ranks = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        if ranks.shape != (num_users,):
            raise ValueError(f"shape {ranks.shape}, expected ({num_users},)")
    except (OSError, ValueError, EOFError) as error:
        raise RunError(
            f"{path}: cannot be read ({error}); `neumf-tui baselines --again` makes it anew"
        ) from error
    return np.asarray(ranks, dtype=np.float32)


class KeptReader:
    """Looks for kept results again and again, and reads them only when one was added or replaced."""

    def __init__(self, home: Path, fingerprint: str) -> None:
        self._home, self._fingerprint = home, fingerprint
        self._seen = -1

    def read(self) -> list[KeptBaseline] | None:
        """What is kept, or None where that is the same as at the last call. One `stat` where nothing changed."""
        try:
            # Files here are replaced by a rename, which changes the folder's time.
            now = kept_folder(self._home, self._fingerprint).stat().st_mtime_ns
        except OSError:
            now = 0
        if now == self._seen:
            return None
        self._seen = now
        return read_kept(self._home, self._fingerprint)[0]


def row_of(result: KeptBaseline) -> dict[str, Any]:
    """A result as a row of a sheet, with the keys of COLUMNS."""
    row: dict[str, Any] = {
        "baseline": result.name,
        "title": result.title,
        "settings": result.settings_text,
    }
    for prefix, fold in (("", result.heldout), ("validation_", result.validation)):
        row |= {prefix + key: value for key, value in fold.metrics.items()}
        row |= {f"{prefix}hit@50_low": fold.interval[0], f"{prefix}hit@50_high": fold.interval[1]}
    return {key: row.get(key) for key in COLUMNS} | {
        "tried": result.tried,
        "seconds": result.seconds,
    }


def strongest(results: Sequence[KeptBaseline], count: int) -> list[KeptBaseline]:
    """Those with the highest Hit@50, popularity not among them."""
    ordered = sorted(results, key=lambda one: -one.heldout.metrics["hit@50"])
    return [one for one in ordered if one.name != POPULARITY][:count]
