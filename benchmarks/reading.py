"""How fast a dataset is read the first time and opened the second, and how much memory that takes.

    python -m benchmarks.reading FOLDER [--form csv|parquet|dat|inter] [--repeats 5] [--json FILE]

FOLDER holds ratings.csv and movies.csv, e.g. of benchmarks/synthetic_movielens.py. Every first reading and every opening is a
process of its own with a new home, so that nothing is left in memory from the one before; the file itself is read once
before, and so comes from the cache of the system, not the disk. Other forms are made of the CSV first. Prints medians, least and
most.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.datasets import cached
from benchmarks.report import Options, Report, Table, middle, times

CHILD = """
import json, sys, time
from pathlib import Path
def peak_mib():
    # Not getrusage, whose figure a process has from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
begun = time.perf_counter()
from neumf_tui.data.registry import open_dataset
imported = time.perf_counter()
told = {}
def report(progress):
    told.setdefault(progress.what, time.perf_counter())
data = open_dataset("auto", Path(sys.argv[1]), Path(sys.argv[2]), lambda line: None, report)
opened = time.perf_counter()
last = data.user_ids[data.num_users - 1], data.catalogue.titles[-1], int(data.offsets[-1])
used = time.perf_counter()
print(json.dumps({
    "seconds": opened - imported, "import": imported - begun, "first_use": used - opened,
    "interactions": data.num_train + int((data.split.heldout >= 0).sum()), "users": data.num_users, "items": data.num_items,
    "peak_mib": peak_mib(), "fingerprint": data.fingerprint,
    "steps": {what: at - imported for what, at in told.items()},
}))
"""


def opened(place: Path, home: Path) -> dict[str, Any]:
    """Open the dataset at `place` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(place), str(home)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def in_form(folder: Path, form: str, scratch: Path) -> Path:
    """The ratings of `folder` in another form, or as they are."""
    if form == "csv":
        return folder
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = csv.read_csv(folder / "ratings.csv")
    place = scratch / f"ratings.{form}"
    if form == "parquet":
        parquet.write_table(table, place)
        return place
    quiet = csv.WriteOptions(include_header=False, delimiter="\t" if form == "inter" else ":")
    if form == "inter":
        with place.open("wb") as file:
            file.write(b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
            csv.write_csv(table, file, quiet)
        return place
    empty = pa.nulls(len(table), pa.string())
    columns = [column for pair in zip(table.columns, [empty] * 4, strict=True) for column in pair][
        :-1
    ]
    with (scratch / "ratings.dat").open("wb") as file:
        csv.write_csv(pa.table(columns, names=[str(n) for n in range(7)]), file, quiet)
    movies = csv.read_csv(folder / "movies.csv")
    lines = (
        "::".join(" ".join(str(value).split()) for value in row.values())
        for row in movies.to_pylist()
    )
    (scratch / "movies.dat").write_text("\n".join(lines) + "\n", "utf-8")
    return scratch


def run(options: Options) -> Report:
    """Of CSV, at ML-20M's size."""
    folder = cached.files(options.cache, 1 / 64 if options.quick else 1.0)
    rounds = 1 if options.quick else options.rounds or 5
    scratch = Path(tempfile.mkdtemp(prefix="reading-", dir=options.cache))
    try:
        result = measured(folder, scratch, rounds)
    finally:
        shutil.rmtree(scratch)
    count = result["interactions"]
    size = (folder / "ratings.csv").stat().st_size
    rows = [
        [what, middle(values, f"{{:,.{digits}f}} {unit}")]
        for what, values, unit, digits in lines(result)
    ]
    return Report(
        title="Reading a dataset of ML-20M's size",
        figures=result | {"bytes": size},
        repeats=f"Medians of {times(rounds, 'reading')} and as many openings, with least and most",
        tables=[Table(["", "median"], rows)],
        notes=[
            f"Invented ratings.csv of {size / 1e6:,.0f} MB, {count:,} interactions, {result['users']:,} users, "
            f"{result['items']:,} items. Every reading and opening is a process of its own, without the import of the reader; "
            "the file lies in the system's cache.",
        ],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", choices=["csv", "parquet", "dat", "inter"], default="csv")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="reading-", dir=options.folder.absolute().parent))
    try:
        result = measured(in_form(options.folder, options.form, scratch), scratch, options.repeats)
    finally:
        shutil.rmtree(scratch)
    result = {
        "form": options.form,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **result,
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    shown(result)


def measured(place: Path, scratch: Path, repeats: int) -> dict[str, Any]:
    """Every single figure of so many first readings and second openings."""
    for file in [place] if place.is_file() else place.iterdir():
        with file.open("rb") as content:
            while content.read(1 << 24):
                pass
    first, second = [], []
    for _ in range(repeats):
        home = scratch / "home"
        first.append(opened(place, home))
        time.sleep(1)  # the system writes what was prepared to its disk
        second.append(opened(place, home))
        shutil.rmtree(home)
    about = {key: first[0][key] for key in ("interactions", "users", "items", "fingerprint")}
    return about | {"first": first, "second": second}


def lines(result: dict[str, Any]) -> list[tuple[str, list[float], str, int]]:
    """What is told of it: name, figures, unit, and digits after the point."""
    count, first, second = result["interactions"], result["first"], result["second"]
    prepared = [
        next(at for what, at in one["steps"].items() if what.startswith("preparing"))
        for one in first
    ]
    return [
        ("first: read, split and written", [one["seconds"] for one in first], "s", 2),
        (
            "first: interactions a second",
            [count / one["seconds"] / 1e6 for one in first],
            "million",
            2,
        ),
        (
            "first: read alone, interactions a second",
            [count / seconds / 1e6 for seconds in prepared],
            "million",
            2,
        ),
        ("first: peak memory", [one["peak_mib"] for one in first], "MiB", 0),
        ("second: opened", [1000 * one["seconds"] for one in second], "ms", 1),
        ("second: peak memory", [one["peak_mib"] for one in second], "MiB", 0),
    ]


def shown(result: dict[str, Any]) -> None:
    print(
        f"{result['form']}: {result['interactions']:,} interactions, {result['users']:,} users, {result['items']:,} items, "
        f"{result['cores']} cores"
    )
    for what, values, unit, digits in lines(result):
        print(f"{what:42} {middle(values, f'{{:,.{digits}f}} {unit}')}")


if __name__ == "__main__":
    main()
