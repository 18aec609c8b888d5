"""Run benchmarks, and write their results into benchmarks/results.

    python -m benchmarks                     all except the long ones, one after another
    python -m benchmarks peers scaling       these two
    python -m benchmarks --list              what there is, and how long it takes
    python -m benchmarks --quick             everything once, on small data, as a test
    python -m benchmarks quality --keep X    go on after an interruption with the runs kept in X
    python -m benchmarks --pages             copy tables from the results into README.md and docs

Do nothing else on the machine meanwhile. Charts need matplotlib (pip install '.[bench]'), terminals
need pyte (pip install '.[test]'), and ALS and BPR of `quality` need implicit
(pip install '.[baselines]').

--keep uses a kept run again if settings, data, cores and package versions are the same. It cannot
see that code has changed: choose a new folder then.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.host import busy_seconds, host_facts, own_seconds, say
from benchmarks.report import Options, Report, copy_into, write
from neumf_tui import files
from neumf_tui.errors import NeumfTuiError
from neumf_tui.home import home_dir

RESULTS = Path(__file__).parent / "results"
_ROOT = Path(__file__).parents[1]
PAGES = {"quality": _ROOT / "README.md", "splits": _ROOT / "docs" / "splits.md"}
"""The pages that have the tables of benchmarks."""


@dataclass(frozen=True)
class Benchmark:
    """A module of this package with a function `run(options: Options) -> Report`."""

    name: str
    module: str
    about: str
    takes: str
    """Time it takes on two cores."""
    alone: bool = True
    """Whether all its work is done by this process and its children, so that the time taken by
    other programs can be told apart."""
    long: bool = False
    """Whether it runs only if it is named."""
    chart: bool = False
    """Whether it draws a chart."""


BENCHMARKS = (
    Benchmark(
        "peers",
        "peers.compare",
        "ten epochs against the notebook's code, RecBole and Cornac",
        "12 minutes",
    ),
    Benchmark(
        "scaling",
        "scaling",
        "time and memory against interactions, users, items, factors; ML-20M's size",
        "20 minutes",
        chart=True,
    ),
    Benchmark(
        "reading",
        "reading",
        "reading a CSV file of ML-20M's size, and opening it again",
        "3 minutes",
    ),
    Benchmark(
        "startup",
        "startup",
        "--help, first screens and one list, against bare Typer and Textual apps",
        "2 minutes",
        alone=False,
    ),
    Benchmark(
        "viewer",
        "viewer",
        "how much a viewer slows down the training that it shows",
        "5 minutes",
        alone=False,
    ),
    Benchmark(
        "explore",
        "explore",
        "the explore screen: opening, memory, other users, picks; a DataTable",
        "5 minutes",
        alone=False,
    ),
    Benchmark(
        "bandwidth",
        "bandwidth",
        "bytes a second of a train screen whose run grows, and of W&B LEET",
        "8 minutes",
        alone=False,
    ),
    Benchmark(
        "colours",
        "colours",
        "contrast of text in every theme, and colours that look alike to the colour-blind",
        "a second",
    ),
    Benchmark(
        "rule",
        "rule",
        "how much results improve if held-out items are never negatives, forty seeds",
        "2 minutes",
    ),
    Benchmark(
        "foldin",
        "foldin",
        "whether folded-in users get the ranks that training gave them",
        "a minute",
    ),
    Benchmark(
        "processes", "processes", "whether several processes learn the same as one", "3 minutes"
    ),
    Benchmark(
        "gpu",
        "gpu",
        "training and evaluation at ML-20M's size against the limits of one GPU",
        "5 minutes",
    ),
    Benchmark(
        "soak",
        "soak",
        "memory, CPU and files of a viewer and a trainer over thousands of epochs",
        "23 minutes",
        alone=False,
        long=True,
    ),
    Benchmark(
        "quality",
        "quality.presets",
        "Hit@50 and AUC of every preset and baseline, five seeds",
        "8 minutes",
        long=True,
        chart=True,
    ),
    Benchmark(
        "splits",
        "quality.splits",
        "baselines and tuned where the latest is held out, and by a cut in time; row orders",
        "8 minutes",
        long=True,
    ),
    Benchmark(
        "ablation",
        "quality.ablation",
        "preset tuned with one part changed at a time, three seeds",
        "two hours",
        long=True,
    ),
)


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.list:
        print(listing())
        return 0
    if asked.pages:
        update_pages(asked.results or RESULTS, PAGES)
        return 0
    known = {one.name: one for one in BENCHMARKS}
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"{', '.join(unknown)}: expected some of {', '.join(known)}")
    if asked.rounds is not None and asked.rounds < 1:
        parser.error(f"--rounds {asked.rounds}: expected 1 or more")
    wanted = [known[name] for name in asked.names] or [one for one in BENCHMARKS if not one.long]
    if find_spec("matplotlib") is None and any(one.chart for one in wanted):
        parser.error("charts need matplotlib, which is not installed: pip install '.[bench]'")
    cache = (asked.cache or home_dir() / "benchmarks").absolute()
    cache.mkdir(parents=True, exist_ok=True)
    is_test = asked.quick or asked.device == "cpu"
    results = asked.results or (cache / "quick" if is_test else RESULTS)
    options = Options(
        data_dir=asked.data_dir,
        cache=cache,
        rounds=asked.rounds,
        minutes=asked.minutes,
        quick=asked.quick,
        device=asked.device,
        only=tuple(name.strip() for name in asked.only.split(",") if name.strip()),
        keep=asked.keep,
        before=asked.before and asked.before.absolute(),
    )
    try:
        for one in wanted:
            if one.name == "gpu" and not asked.names and asked.device == "cuda" and not _cuda():
                say("gpu: left out: torch finds no CUDA device here")
            else:
                measure(one, options, results)
    except NeumfTuiError as error:
        raise SystemExit(str(error)) from error
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="see --list; default: all except the long ones")
    add("--list", action="store_true", help="list the benchmarks")
    add("--quick", action="store_true", help="test that it works; results go into CACHE/quick")
    add("--pages", action="store_true", help="do not measure: copy tables into README.md and docs")
    add("--data-dir", type=Path, help="the folder of ML-100K, as for train")
    add("--rounds", type=int, help="number of repeats or seeds (default: depends on the benchmark)")
    add("--minutes", type=float, help="duration of soak (default: 20)")
    add("--only", default="", metavar="NAME,NAME", help="rows of quality or ablation to measure")
    add("--keep", type=Path, metavar="FOLDER", help="keep runs of quality, splits, ablation here")
    add("--before", type=Path, metavar="FOLDER", help="explore, startup: an earlier checkout, too")
    add("--cache", type=Path, help="for what is made once (default: <home>/benchmarks)")
    add("--results", type=Path, metavar="FOLDER", help="default: benchmarks/results")
    add("--device", default="cuda", help="device of gpu (default: %(default)s)")
    return parser


def measure(one: Benchmark, options: Options, results: Path) -> None:
    """Run a benchmark and write its results."""
    say(f"{one.name}: {one.about}")
    started, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    module = importlib.import_module(f"benchmarks.{one.module}")
    report: Report = module.run(options)
    took = time.monotonic() - started
    others = max(0.0, busy_seconds() - busy - (own_seconds() - own)) / took if one.alone else None
    paths = write(one.name, report, host_facts(), results, others)
    print(paths[1].read_text("utf-8"))
    say(f"{one.name}: {took:.0f} s; {', '.join(map(str, paths))}")


def update_pages(results: Path, pages: Mapping[str, Path]) -> None:
    """Copy the tables of the results into their pages, each between its marks."""
    for name, page in pages.items():
        text = page.read_text("utf-8")
        try:
            text = copy_into(text, name, (results / f"{name}.md").read_text("utf-8"))
        except OSError as error:
            raise SystemExit(f"{error}; measure first: python -m benchmarks {name}") from error
        except ValueError as error:
            raise SystemExit(f"{page}: {error}") from error
        files.replace(page.parent, page.name, text.encode())


def listing() -> str:
    """Return a line for each benchmark."""
    return "\n".join(
        f"{one.name:<10}{one.takes:<12}{one.about}{' (only if named)' if one.long else ''}"
        for one in BENCHMARKS
    )


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
