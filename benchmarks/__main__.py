"""Measure, and write what came out into benchmarks/results.

    python -m benchmarks                     all but the long ones, one after another
    python -m benchmarks peers scaling       these
    python -m benchmarks --list              what there is, and how long it takes
    python -m benchmarks --quick             everything once and tiny: whether it works, not how fast it is

Leave the machine alone meanwhile. Charts need matplotlib (pip install '.[bench]'), terminals need pyte (pip install '.[test]').
"""

import argparse
import importlib
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from benchmarks.host import busy_seconds, host_facts, own_seconds, say
from benchmarks.report import Options, Report, write
from neumf_tui.errors import NeumfTuiError
from neumf_tui.home import home_dir

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Benchmark:
    """`module` has a function `run(options)`, which gives a Report."""

    name: str
    module: str
    about: str
    takes: str
    """On two cores."""
    alone: bool = True
    """Whether all its work is done by this process and those below it, so that what others take can be told."""
    program: tuple[str, ...] | None = None
    """Not None: too long to be run unless it is named, and `module` has a function `main` that takes these arguments and writes
    its results itself."""


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
    ),
    Benchmark(
        "reading", "reading", "a CSV file of ML-20M's size read, and opened again", "3 minutes"
    ),
    Benchmark(
        "startup",
        "startup",
        "--help and first paints, against bare Typer and Textual apps",
        "2 minutes",
        alone=False,
    ),
    Benchmark(
        "viewer",
        "viewer",
        "what a viewer costs the training that it watches",
        "5 minutes",
        alone=False,
    ),
    Benchmark(
        "explore",
        "explore",
        "the explore screen: opening, other users, picks; a DataTable",
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
        "rule",
        "rule",
        "what it adds never to draw held-out items as negatives, forty seeds",
        "2 minutes",
    ),
    Benchmark("foldin", "foldin", "whether users folded in rank as when trained", "a minute"),
    Benchmark(
        "processes", "processes", "whether several processes learn what one learns", "3 minutes"
    ),
    Benchmark(
        "gpu",
        "gpu",
        "training and evaluation at ML-20M's size against the ceilings of one GPU",
        "5 minutes",
    ),
    Benchmark(
        "quality",
        "quality",
        "Hit@50 and AUC of every preset and baseline, five seeds",
        "8 minutes",
        program=(),
    ),
    Benchmark(
        "ablation",
        "quality",
        "preset tuned with one part changed at a time, three seeds",
        "two hours",
        program=("--ablation",),
    ),
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="of --list; default: all but the long ones"
    )
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run; its results go into CACHE/quick"
    )
    parser.add_argument("--data-dir", type=Path, help="of ML-100K, as for train")
    parser.add_argument(
        "--rounds", type=int, help="repeats, or seeds (default: each benchmark's own)"
    )
    parser.add_argument(
        "--cache", type=Path, help="for what is made once (default: <home>/benchmarks)"
    )
    parser.add_argument(
        "--results", type=Path, metavar="FOLDER", help="default: benchmarks/results"
    )
    parser.add_argument("--device", default="cuda", help="of gpu (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.list:
        print(listing())
        return 0
    known = {one.name: one for one in BENCHMARKS}
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"{', '.join(unknown)}: expected some of {', '.join(known)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: expected 1 or more")
    wanted = [known[name] for name in options.names] or [
        one for one in BENCHMARKS if one.program is None
    ]
    if find_spec("matplotlib") is None and any(
        one.name in ("scaling", "quality", "ablation") for one in wanted
    ):
        parser.error("the charts need matplotlib, which is not here: pip install '.[bench]'")
    cache = (options.cache or home_dir() / "benchmarks").absolute()
    cache.mkdir(parents=True, exist_ok=True)
    trial = options.quick or options.device == "cpu"
    results = options.results or (cache / "quick" if trial else RESULTS)
    asked = Options(options.data_dir, cache, options.rounds, options.quick, options.device)
    try:
        for one in wanted:
            if one.name == "gpu" and not options.names and options.device == "cuda" and not _cuda():
                say("gpu: left out: torch finds no CUDA device here")
            else:
                measure(one, asked, results)
    except NeumfTuiError as error:
        raise SystemExit(str(error)) from error
    return 0


def measure(one: Benchmark, options: Options, results: Path) -> None:
    """Run a benchmark and write what it found."""
    say(f"{one.name}: {one.about}")
    begun, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    module = importlib.import_module(f"benchmarks.{one.module}")
    if one.program is not None:
        where = [*one.program, "--results", str(results)]
        data = ["--data-dir", str(options.data_dir)] if options.data_dir else []
        module.main([*where, *(["--dataset", "demo", "--seeds", "0"] if options.quick else data)])
        module.main([*where, "--draw"])
        return
    report: Report = module.run(options)
    took = time.monotonic() - begun
    others = max(0.0, busy_seconds() - busy - (own_seconds() - own)) / took if one.alone else None
    paths = write(one.name, report, host_facts(), results, others)
    print(paths[1].read_text("utf-8"))
    say(f"{one.name}: {took:.0f} s; {', '.join(map(str, paths))}")


def listing() -> str:
    lines = [
        f"{one.name:<10}{one.takes:<12}{one.about}{' (only where named)' if one.program is not None else ''}"
        for one in BENCHMARKS
    ]
    return "\n".join(lines)


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    sys.exit(main())
