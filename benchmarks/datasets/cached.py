"""Invented data in the shape of MovieLens, made once and kept in the cache."""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.host import say
from neumf_tui.data.prepared import prepared_dir

ROOT = Path(__file__).parents[1]


def files(cache: Path, fraction: float = 1.0) -> Path:
    """A folder with ratings.csv and movies.csv of so much of ML-20M's users and ratings."""
    folder = cache / "files" / f"ml-20m-{fraction:g}"
    done = folder / "complete"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, "--fraction", f"{fraction!r}")
        done.touch()
    return folder


def prepared(cache: Path, fraction: float = 1.0, users: float = 1.0, films: float = 1.0) -> Path:
    """A prepared dataset of so much of ML-20M's users and ratings, the users and films then stretched; its folder."""
    home = cache / "invented"
    known = home / f"ml-20m-{fraction:g}-{users:g}-{films:g}"
    if not known.exists():
        told = _make(
            home,
            "--prepared",
            "--fraction",
            f"{fraction!r}",
            "--users",
            f"{users!r}",
            "--films",
            f"{films!r}",
        )
        known.write_text(Path(told.splitlines()[0]).name)
    return prepared_dir(home) / known.read_text()


def _make(folder: Path, *args: str) -> str:
    say(f"  making data in {folder}: {' '.join(args)}")
    command = [sys.executable, "-m", "benchmarks.datasets.synthetic_movielens", str(folder), *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
        )
    return done.stdout
