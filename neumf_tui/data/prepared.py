"""Prepared datasets on disk: `<home>/datasets/prepared/<fingerprint>/`, opened memory-mapped.

A folder holds the training pairs (`users.npy items.npy times.npy offsets.npy`), `heldout.npy`, the
user ids (`user_ids.*.npy`), `catalogue.json`, and name, source and notices in `dataset.json`.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.progress import Progress, Report, silent
from neumf_tui.data.split import Split
from neumf_tui.data.strings import Strings
from neumf_tui.errors import DatasetError
from neumf_tui.home import datasets_dir

_ARRAYS = ("users", "items", "times", "heldout")


def prepared_dir(home: Path) -> Path:
    return datasets_dir(home) / "prepared"


def save(dataset: Dataset, folder: Path, report: Report = silent) -> None:
    """Write `folder/<fingerprint>/`, completely or not at all."""
    target = folder / dataset.fingerprint
    folder.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".preparing-", dir=folder))
    try:
        for number, key in enumerate(_ARRAYS):
            report(Progress("writing", number, len(_ARRAYS)))
            np.save(scratch / f"{key}.npy", getattr(dataset.split, key))
        np.save(scratch / "offsets.npy", dataset.offsets)
        Strings.of(dataset.user_ids).save(scratch, "user_ids")
        (scratch / "catalogue.json").write_bytes(msgspec.json.encode(dataset.catalogue))
        about = {key: getattr(dataset, key) for key in ("name", "simulated", "source", "notices")}
        (scratch / "dataset.json").write_text(json.dumps(about, ensure_ascii=False), "utf-8")
        report(Progress("writing", len(_ARRAYS), len(_ARRAYS)))
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def load(folder: Path, fingerprint: str) -> Dataset:
    """Open the prepared dataset; raise DatasetError if it is missing or damaged."""
    where = folder / fingerprint
    what = f"{where}: this prepared dataset"
    try:
        about = json.loads((where / "dataset.json").read_text("utf-8"))
        # The offsets are read into memory: they are indexed for every user.
        offsets = np.load(where / "offsets.npy", allow_pickle=False)
        return Dataset(
            about["name"],
            about["simulated"],
            about["source"],
            tuple(about["notices"]),
            fingerprint,
            Strings.load(where, "user_ids"),
            msgspec.json.decode((where / "catalogue.json").read_bytes(), type=Catalogue),
            Split(**{key: _mapped(where, key) for key in _ARRAYS}, offsets=offsets),
        )
    except FileNotFoundError as error:
        raise DatasetError(f"{what} is missing; name the original files with --data-dir") from error
    except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
        raise DatasetError(f"{what} is damaged ({error}); delete the folder") from error


def _mapped(folder: Path, key: str) -> NDArray[np.int64]:
    return np.asarray(np.load(folder / f"{key}.npy", mmap_mode="r", allow_pickle=False))
