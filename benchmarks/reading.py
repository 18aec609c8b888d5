"""How fast a dataset is read the first time and opened the second time, and the memory it takes.

    python -m benchmarks.reading FOLDER [--form csv|parquet|dat|inter] [--repeats 5] [--json FILE]

FOLDER has ratings.csv and movies.csv, for instance those of benchmarks/datasets. Each first reading
and each opening is a process of its own; each reading has a new home, so nothing is left from the
one before. The file itself was read before, and comes from the system's cache. Other forms are
made from the CSV first. Prints medians, least and most.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.datasets import cached
from benchmarks.program import output_of
from benchmarks.report import Options, Report, Table, middle, times

CHILD = """
import json, sys, time
from pathlib import Path
def peak_mib():
    # Not getrusage: a process inherits that figure from the one that started it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
started = time.perf_counter()
from neumf_tui.data.registry import open_dataset
imported = time.perf_counter()
steps = {}
def report(progress):
    steps.setdefault(progress.what, time.perf_counter())
data = open_dataset("auto", Path(sys.argv[1]), Path(sys.argv[2]), lambda line: None, report)
opened = time.perf_counter()
last = data.user_ids[data.num_users - 1], data.catalogue.titles[-1], int(data.offsets[-1])
used = time.perf_counter()
print(json.dumps({
    "seconds": opened - imported, "import": imported - started, "first_use": used - opened,
    "interactions": data.num_train + int((data.split.heldout >= 0).sum()),
    "users": data.num_users, "items": data.num_items,
    "peak_mib": peak_mib(), "fingerprint": data.fingerprint,
    "steps": {what: at - imported for what, at in steps.items()},
}))
"""


def open_place(place: Path, home: Path) -> dict[str, Any]:
    """Open the dataset at `place` in a process of its own; return what CHILD prints."""
    found: dict[str, Any] = json.loads(
        output_of([sys.executable, "-c", CHILD, str(place), str(home)])
    )
    return found


def in_form(folder: Path, form: str, scratch: Path) -> Path:
    """Return the ratings of `folder`, written into `scratch` in another form than CSV."""
    if form == "csv":
        return folder
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = csv.read_csv(folder / "ratings.csv")
    place = scratch / f"ratings.{form}"
    if form == "parquet":
        parquet.write_table(table, place)
        return place
    if form == "inter":
        with place.open("wb") as file:
            file.write(b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
            tabs = csv.WriteOptions(include_header=False, delimiter="\t")
            csv.write_csv(table, file, tabs)
        return place
    # "::" is written as ":" around an empty column.
    empty = pa.nulls(len(table), pa.string())
    columns = [column for given in table.columns for column in (given, empty)][:-1]
    with place.open("wb") as file:
        colons = csv.WriteOptions(include_header=False, delimiter=":")
        csv.write_csv(pa.table(columns, names=[str(n) for n in range(7)]), file, colons)
    movies = csv.read_csv(folder / "movies.csv")
    lines = (
        "::".join(" ".join(str(value).split()) for value in row.values())
        for row in movies.to_pylist()
    )
    (scratch / "movies.dat").write_text("\n".join(lines) + "\n", "utf-8")
    return scratch


def run(options: Options) -> Report:
    """Measure CSV at ML-20M's size."""
    folder = cached.rating_files(options.cache, 1 / 64 if options.quick else 1.0)
    rounds = 1 if options.quick else options.rounds or 5
    with tempfile.TemporaryDirectory(prefix="reading-", dir=options.cache) as scratch:
        result = measure(folder, Path(scratch), rounds)
    size = (folder / "ratings.csv").stat().st_size
    return Report(
        title="Reading a dataset of ML-20M's size",
        figures=result | {"bytes": size},
        repeats=f"Medians of {times(rounds, 'reading')} and as many openings, with least and most",
        tables=[Table(["", "median"], summary(result))],
        notes=[
            f"A synthetic ratings.csv of {size / 1e6:,.0f} MB, {result['interactions']:,} "
            f"interactions, {result['users']:,} users, {result['items']:,} items. Each reading and "
            "opening is a process of its own; the import of the reader is not counted. The file is "
            "in the system's cache.",
        ],
    )


def measure(place: Path, scratch: Path, repeats: int) -> dict[str, Any]:
    """Return every measurement of `repeats` first readings and second openings."""
    for file in [place] if place.is_file() else place.iterdir():
        with file.open("rb") as content:  # into the system's cache
            while content.read(1 << 24):
                pass
    first, second = [], []
    for _ in range(repeats):
        home = scratch / "home"
        first.append(open_place(place, home))
        time.sleep(1)  # until the system has written the prepared arrays to its disk
        second.append(open_place(place, home))
        shutil.rmtree(home)
    about = {key: first[0][key] for key in ("interactions", "users", "items", "fingerprint")}
    return about | {"first": first, "second": second}


def summary(result: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table: name, and median with least and most."""
    count, first, second = result["interactions"], result["first"], result["second"]
    read = [
        next(at for what, at in one["steps"].items() if what.startswith("preparing"))
        for one in first
    ]
    whole = [one["seconds"] for one in first]
    opened = [1000 * one["seconds"] for one in second]

    def millions(seconds: list[float]) -> str:
        return middle([count / one / 1e6 for one in seconds], "{:,.2f} million")

    def memory(found: list[dict[str, Any]]) -> str:
        return middle([one["peak_mib"] for one in found], "{:,.0f} MiB")

    return [
        ["first: read, split and written", middle(whole, "{:,.2f} s")],
        ["first: interactions a second", millions(whole)],
        ["first: only reading, interactions a second", millions(read)],
        ["first: peak memory", memory(first)],
        ["second: opened", middle(opened, "{:,.1f} ms")],
        ["second: peak memory", memory(second)],
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--form", choices=["csv", "parquet", "dat", "inter"], default="csv")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = options.folder.absolute()
    with tempfile.TemporaryDirectory(prefix="reading-", dir=folder.parent) as scratch:
        place = in_form(folder, options.form, Path(scratch))
        result = measure(place, Path(scratch), options.repeats)
    about = {"form": options.form, "python": platform.python_version(), "cores": os.cpu_count()}
    if options.json:
        options.json.write_text(json.dumps(about | result, indent=1) + "\n")
    print(
        f"{options.form}: {result['interactions']:,} interactions, {result['users']:,} users, "
        f"{result['items']:,} items, {about['cores']} cores"
    )
    for what, shown in summary(result):
        print(f"{what:44} {shown}")


if __name__ == "__main__":
    main()
