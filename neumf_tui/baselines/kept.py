"""Kept results of baselines: `<home>/baselines/<fingerprint>/<name>.json`, with ranks in `.npy`.

`neumf-tui baselines` writes them; `evaluate` and the train screen read them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui import files
from neumf_tui.errors import RunError

POPULARITY = "popularity"
_FOLDER = "baselines"
"""Folder of a home with a folder for each dataset, named by its fingerprint."""


class FoldMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Metrics over the users of one fold."""

    metrics: dict[str, float]
    interval: tuple[float, float]  # 95 % confidence interval of Hit@50
    num_users: int


class KeptBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """One baseline on one dataset."""

    name: str
    title: str
    settings: dict[str, float | int]
    """Those with the highest Hit@50 on the validation items, of the `tried` ones."""
    tried: int
    heldout: FoldMetrics  # fitted to all training pairs
    validation: FoldMetrics  # fitted without the validation items
    seconds: float
    """Time to fit to all training pairs with these settings and to rank all held-out items."""
    recipe: str
    """All that decides the metrics beside the data; if it has changed, they are computed again."""
    package: str = ""  # version of the package that fitted it; empty where none did
    computed: float  # Unix seconds


def kept_folder(home: Path, fingerprint: str) -> Path:
    """Return the folder of a dataset's kept results."""
    return home / _FOLDER / fingerprint


def keep(home: Path, fingerprint: str, result: KeptBaseline, ranks: NDArray[np.float32]) -> None:
    """Write or replace a result; `ranks` (num_users,), NaN where nothing is held out."""
    kept_folder(home, fingerprint).mkdir(parents=True, exist_ok=True)
    name = _file(fingerprint, f"{result.name}.npy")
    files.replace(home, name, lambda file: files.write_array(file, ranks))
    text = msgspec.json.format(msgspec.json.encode(result), indent=2)
    files.replace(home, _file(fingerprint, f"{result.name}.json"), text + b"\n")


def _file(fingerprint: str, name: str) -> str:
    return f"{_FOLDER}/{fingerprint}/{name}"


def read_kept(home: Path, fingerprint: str) -> tuple[list[KeptBaseline], list[str]]:
    """Return the kept results, highest Hit@50 first, and a message for each unreadable file."""
    found, problems = [], []
    try:
        names = files.file_names(home, f"{_FOLDER}/{fingerprint}")
    except OSError as error:
        return [], [f"baselines cannot be read: {error.filename}: {error.strerror}"]
    for name in names:
        if name.endswith(".json"):
            try:
                found.append(_read(home, fingerprint, name))
            except RunError as error:
                problems.append(str(error))
    return sorted(found, key=lambda one: (-one.heldout.metrics["hit@50"], one.name)), problems


def read_one(home: Path, fingerprint: str, name: str) -> KeptBaseline | None:
    """Return one kept result, None where there is none; raises RunError for a damaged file."""
    try:
        return _read(home, fingerprint, f"{name}.json")
    except RunError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        problem = (isinstance(error, OSError) and error.strerror) or error
        raise RunError(
            f"{path}: cannot be read ({problem}); `neumf-tui baselines --again` computes it again"
        ) from error


def _read(home: Path, fingerprint: str, name: str) -> KeptBaseline:
    with _reading(kept_folder(home, fingerprint) / name):
        result = files.read_json(home, _file(fingerprint, name), KeptBaseline)
        if f"{result.name}.json" != name:
            raise ValueError(f"it holds {result.name}")
        for fold in (result.heldout, result.validation):
            if not fold.metrics.keys() >= {"hit@10", "hit@50", "ndcg@10", "mrr", "auc"}:
                raise ValueError("metrics are missing")
        return result


def read_kept_ranks(home: Path, fingerprint: str, name: str, num_users: int) -> NDArray[np.float32]:
    """Return a kept baseline's ranks of held-out items, shape (num_users,); raises RunError."""
    with _reading(kept_folder(home, fingerprint) / f"{name}.npy"):
        ranks = files.read_array(home, _file(fingerprint, f"{name}.npy"))
        if ranks.shape != (num_users,) or ranks.dtype != np.float32:
            raise ValueError(
                f"{ranks.dtype} of shape {ranks.shape}, expected float32 of ({num_users},)"
            )
        return ranks.astype(np.float32, copy=False)


class KeptReader:
    """Reads kept results again only when one was added or replaced."""

    def __init__(self, home: Path, fingerprint: str) -> None:
        self._home, self._fingerprint = home, fingerprint
        self._seen = -1

    def read(self) -> list[KeptBaseline] | None:
        """Return the kept results, or None if they are the same as at the last call."""
        try:
            # Files here are replaced by a rename, which changes the folder's time: one `stat`.
            now = kept_folder(self._home, self._fingerprint).stat().st_mtime_ns
        except (OSError, ValueError):  # a fingerprint can be no folder's name
            now = 0
        if now == self._seen:
            return None
        self._seen = now
        return read_kept(self._home, self._fingerprint)[0]


def strongest(results: Sequence[KeptBaseline], count: int) -> list[KeptBaseline]:
    """Return the first results of `read_kept` except popularity."""
    return [one for one in results if one.name != POPULARITY][:count]
