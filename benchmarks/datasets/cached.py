"""Synthetic data of ML-20M's shape, made once and kept in the cache."""

import shutil
import sys
from pathlib import Path

from benchmarks.host import say
from benchmarks.program import output_of
from neumf_tui.data.prepared import prepared_dir


def rating_files(cache: Path, fraction: float = 1.0) -> Path:
    """Return a folder with ratings.csv and movies.csv.

    fraction: part of ML-20M's users and ratings.
    """
    folder = cache / "files" / f"ml-20m-{fraction:g}"
    done = folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, "--fraction", repr(fraction))
        done.touch()
    return folder


def prepared(cache: Path, fraction: float = 1.0, users: float = 1.0, items: float = 1.0) -> Path:
    """Return the folder of a prepared dataset.

    fraction: part of ML-20M's users and ratings. users, items: factors by which their numbers are
    multiplied while the number of ratings stays.
    """
    home = cache / "synthetic"
    known = home / f"ml-20m-{fraction:g}-{users:g}-{items:g}"
    if not known.exists():
        size = ["--fraction", repr(fraction), "--users", repr(users), "--items", repr(items)]
        printed = _make(home, "--prepared", *size)
        known.write_text(Path(printed.splitlines()[0]).name)
    return prepared_dir(home) / known.read_text()


def _make(folder: Path, *args: str) -> str:
    say(f"  making data in {folder}: {' '.join(args)}")
    module = "benchmarks.datasets.synthetic_movielens"
    return output_of([sys.executable, "-m", module, str(folder), *args])
