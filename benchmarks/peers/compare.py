"""Ten epochs on ML-100K with a full evaluation after each: this program and its peers in turns, each in a process of its own.

Architecture and settings of preset `d2l` everywhere. Every peer gets the threads with which it is fastest: it runs with
torch's own number and with one, and the better counts.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.host import say
from benchmarks.peers.environments import HERE, packages_of, python_of
from benchmarks.report import NONE, Options, Report, Table, middle, times
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import prepared_dir
from neumf_tui.data.registry import open_dataset

ROOT = HERE.parents[1]
OURS, PLAIN, RECBOLE, CORNAC = (
    "neumf-tui",
    "the notebook's plain code",
    "RecBole NeuMF",
    "Cornac NeuMF",
)
Outcome = dict[str, Any]
"""What a driver prints."""


@dataclass(frozen=True)
class Peer:
    name: str
    command: Sequence[str]
    threads: Sequence[int]
    """To be tried; 0 is torch's default, and here what a training run takes."""

    def do(self, folder: Path, epochs: int, threads: int) -> Outcome:
        outcome: Outcome = json.loads(
            _call([*self.command, str(folder), str(epochs), str(threads)])
        )
        seconds = outcome["seconds"]
        say(
            f"  {self.name:<28} train {seconds['train']:6.2f} s, evaluate {seconds['evaluate']:6.2f} s, "
            f"{outcome['threads']} threads"
        )
        return outcome


def run(options: Options) -> Report:
    home = options.cache / "home"
    data = open_dataset(
        "demo" if options.quick else "ml-100k",
        None if options.quick else options.data_dir,
        home,
        say,
        lambda _: None,
    )
    folder = prepared_dir(home) / data.fingerprint
    epochs, rounds = (1, 1) if options.quick else (10, options.rounds or 5)
    peers, versions = all_peers(options.cache)
    outcomes: dict[str, list[Outcome]] = {peer.name: [] for peer in peers}
    whole: list[float] = []
    threads: dict[str, int] = {}
    for number in range(rounds):
        say(f"  round {number + 1} of {rounds}")
        turn = number % len(peers)
        for peer in [*peers[turn:], *peers[:turn]]:
            # A minute and more each: for the notebook's code, the first round says.
            counts = [threads[peer.name]] if number and peer.name == PLAIN else peer.threads
            tried = [(peer.do(folder, epochs, count), count) for count in counts]
            best, threads[peer.name] = min(tried, key=lambda one: sum(one[0]["seconds"].values()))
            outcomes[peer.name].append(best)
        whole.append(whole_command(data, home, epochs))
    return report(data, epochs, outcomes, whole, versions)


def all_peers(cache: Path) -> tuple[list[Peer], dict[str, str]]:
    """And the versions of those with an environment of their own."""
    recbole, cornac = python_of("recbole", cache), python_of("cornac", cache)
    here = [sys.executable, "-m"]
    peers = [
        Peer(OURS, [*here, "benchmarks.peers.ours"], [0]),
        Peer(PLAIN, [*here, "benchmarks.peers.plain"], [0, 1]),
        Peer(RECBOLE, [str(recbole), str(HERE / "recbole_driver.py")], [0, 1]),
        Peer(CORNAC, [str(cornac), str(HERE / "cornac_driver.py")], [0, 1]),
    ]
    return peers, packages_of(recbole, "recbole") | packages_of(cornac, "cornac")


def whole_command(data: Dataset, home: Path, epochs: int) -> float:
    """Seconds of the command that a user would type, Python's start, imports and the run's files in it."""
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        own = Path(scratch)
        (own / "datasets").symlink_to(home / "datasets")
        command = [
            sys.executable,
            "-m",
            "neumf_tui",
            "train",
            "--plain",
            "--preset",
            "d2l",
            "--epochs",
            str(epochs),
        ]
        command += ["--dataset", data.name, "--home", str(own)]
        if Path(data.source).exists():
            command += ["--data-dir", data.source]
        begun = time.perf_counter()
        _call(command)
        seconds = time.perf_counter() - begun
    say(f"  {'neumf-tui train --plain':<28} {seconds:.2f} s in all")
    return seconds


def report(
    data: Dataset,
    epochs: int,
    outcomes: dict[str, list[Outcome]],
    whole: list[float],
    versions: dict[str, str],
) -> Report:
    pairs = data.num_users * data.num_items
    ours = outcomes[OURS]
    rows, ratios = [], {}
    for name, found in outcomes.items():
        full = name != CORNAC
        ratios[name] = compared(ours, found, full)
        rates = [pairs * one["evaluations"] / one["seconds"]["evaluate"] / 1e6 for one in found]
        both = [sum(one["seconds"].values()) for one in found]
        rows.append(
            [
                name,
                threads_text(found[0]),
                middle([one["seconds"]["train"] for one in found]),
                middle([one["seconds"]["evaluate"] for one in found]) + ("" if full else " ‡"),
                middle(both) if full else NONE,
                middle(rates, "{:.3g}"),
                f"{statistics.fmean(one['hit@50'] for one in found):.3f}",
                f"{statistics.fmean(one['auc'] for one in found):.3f}",
            ]
        )
    columns = [
        "",
        "threads",
        f"train {epochs} epochs, s",
        f"{epochs} evaluations, s",
        "together, s",
        "million pairs/s",
        "Hit@50",
        "AUC",
    ]
    ratio_rows = [[name, *(middle(one[what], "{:.1f}") if what in one else NONE for what in ("train", "evaluate", "together"))]
             for name, one in ratios.items() if name != OURS]  # fmt: skip
    rounds = len(ours)
    return Report(
        title=f"{epochs} epochs on {data.label} with an evaluation after each",
        figures={
            "dataset": data.label, "fingerprint": data.fingerprint, "epochs": epochs, "pairs_of_an_evaluation": pairs,
            "rounds": outcomes, "ratios": ratios, "whole_command_seconds": whole,
        },
        repeats=f"Medians of {times(rounds, 'round')}, all in turns, with least and most; ratios are taken within a round",
        tables=[Table(columns, rows), Table(["times as fast as", "training", "evaluation", "together"], ratio_rows)],
        notes=notes(data, whole),
        versions=versions,
    )  # fmt: skip


def notes(data: Dataset, whole: list[float]) -> list[str]:
    return [
        f"{data.label}, {data.num_users:,} users, {data.num_items:,} items, {data.num_train:,} training pairs; 10 factors, MLP "
        "10-10-10, batches of 1,024 pairs, Adam 0.01, weight decay 1e-5, one negative. neumf-tui and the notebook learn by BPR, "
        "RecBole and Cornac by binary cross-entropy. Hit@50 and AUC are means over the rounds; all but the notebook begin with "
        "seed 0.",
        "An evaluation ranks every user's held-out item among all items they have not seen; pairs are users × items. ‡ Cornac "
        "has no evaluation after an epoch: all users are scored once, after the last, and not ranked.",
        "Time is that of training and evaluating alone, without imports and reading. Threads: of torch's own number and one, "
        "what is faster for that peer, in each round anew, but for the notebook's code in the first; neumf-tui takes what a run "
        "takes by itself, to train and to evaluate. Its kernels in C were there: they are compiled once, in a second or two.",
        "The whole command `neumf-tui train --plain --preset d2l`, Python's start, imports and the run's files in it: "
        f"{middle(whole)} s.",
    ]


def threads_text(one: Outcome) -> str:
    """Such as 1, or 1, 2 where evaluation takes others than training."""
    return ", ".join(
        dict.fromkeys(str(one[key]) for key in ("threads", "evaluation_threads") if key in one)
    )


def compared(ours: list[Outcome], theirs: list[Outcome], full: bool) -> dict[str, list[float]]:
    """How many times as long theirs took, round by round; training alone where they do not evaluate after each epoch."""
    found: dict[str, list[float]] = {"train": []}
    if full:
        found |= {"evaluate": [], "together": []}
    for our, their in zip(ours, theirs, strict=True):
        a, b = our["seconds"], their["seconds"]
        found["train"].append(b["train"] / a["train"])
        if full:
            found["evaluate"].append(b["evaluate"] / a["evaluate"])
            found["together"].append(sum(b.values()) / sum(a.values()))
    return found


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
        )
    return done.stdout
