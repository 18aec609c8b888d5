"""Ten epochs on ML-100K with an evaluation after each: this program and its peers, in turns.

Each is a process of its own. All have the architecture and settings of preset `d2l`. A peer runs
with torch's own number of threads and with one, and the faster one counts.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.host import say
from benchmarks.peers.environments import HERE, packages_of, python_of
from benchmarks.program import PROGRAM, open_data, output_of
from benchmarks.report import NONE, Options, Report, Table, middle, times
from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import prepared_dir

OURS, NOTEBOOK = "neumf-tui", "the notebook's plain code"
RECBOLE, CORNAC = "RecBole NeuMF", "Cornac NeuMF"
Outcome = dict[str, Any]
"""What a driver prints."""


@dataclass(frozen=True)
class Peer:
    """A program that trains and evaluates."""

    name: str
    command: Sequence[str]
    threads: Sequence[int]
    """Numbers to try; 0 is the peer's own choice."""

    def run(self, folder: Path, epochs: int, threads: int) -> Outcome:
        command = [*self.command, str(folder), str(epochs), str(threads)]
        outcome: Outcome = json.loads(output_of(command))
        seconds = outcome["seconds"]
        say(
            f"  {self.name:<28} train {seconds['train']:6.2f} s, "
            f"evaluate {seconds['evaluate']:6.2f} s, {outcome['threads']} threads"
        )
        return outcome


def run(options: Options) -> Report:
    home = options.cache / "home"
    data = open_data(options, home)
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
            # The notebook's code takes over a minute: only the first round tries both numbers.
            counts = [threads[peer.name]] if number and peer.name == NOTEBOOK else peer.threads
            tried = [(peer.run(folder, epochs, count), count) for count in counts]
            best, threads[peer.name] = min(tried, key=lambda one: sum(one[0]["seconds"].values()))
            outcomes[peer.name].append(best)
        whole.append(whole_command(data, home, epochs))
    return report(data, epochs, outcomes, whole, versions)


def all_peers(cache: Path) -> tuple[list[Peer], dict[str, str]]:
    """Return the peers, and the versions of those with an environment of their own."""
    recbole, cornac = python_of("recbole", cache), python_of("cornac", cache)
    here = [sys.executable, "-m"]
    peers = [
        Peer(OURS, [*here, "benchmarks.peers.ours"], [0]),
        Peer(NOTEBOOK, [*here, "benchmarks.peers.notebook"], [0, 1]),
        Peer(RECBOLE, [str(recbole), str(HERE / "recbole_driver.py")], [0, 1]),
        Peer(CORNAC, [str(cornac), str(HERE / "cornac_driver.py")], [0, 1]),
    ]
    return peers, packages_of(recbole, "recbole") | packages_of(cornac, "cornac")


def whole_command(data: Dataset, home: Path, epochs: int) -> float:
    """Return the seconds of `neumf-tui train` with Python's start, imports and the run's files."""
    with tempfile.TemporaryDirectory(dir=home) as scratch:
        own = Path(scratch)
        (own / "datasets").symlink_to(home / "datasets")
        command = [*PROGRAM, "train", "--plain", "--preset", "d2l", "--epochs", str(epochs)]
        command += ["--dataset", data.name, "--home", str(own)]
        if Path(data.source).exists():
            command += ["--data-dir", data.source]
        started = time.perf_counter()
        output_of(command)
        seconds = time.perf_counter() - started
    say(f"  {'neumf-tui train --plain':<28} {seconds:.2f} s in all")
    return seconds


def report(
    data: Dataset,
    epochs: int,
    outcomes: dict[str, list[Outcome]],
    whole: list[float],
    versions: dict[str, str],
) -> Report:
    ours, pairs = outcomes[OURS], data.num_users * data.num_items
    ratios = {name: compare(ours, found, name != CORNAC) for name, found in outcomes.items()}
    columns = (
        "", "threads", f"train {epochs} epochs, s", f"{epochs} evaluations, s", "together, s",
        "million pairs/s", "Hit@50", "AUC",
    )  # fmt: skip
    figures = {
        "dataset": data.label,
        "fingerprint": data.fingerprint,
        "epochs": epochs,
        "pairs_of_an_evaluation": pairs,
        "rounds": outcomes,
        "ratios": ratios,
        "whole_command_seconds": whole,
    }
    parts = {"train": "training", "evaluate": "evaluation", "together": "together"}
    ratio_rows = [
        [name, *(middle(one[part], "{:.1f}") if part in one else NONE for part in parts)]
        for name, one in ratios.items()
        if name != OURS
    ]
    return Report(
        title=f"{epochs} epochs on {data.label} with an evaluation after each",
        figures=figures,
        repeats=f"Medians of {times(len(ours), 'round')}, all in turns, with least and most; "
        "ratios are taken within a round",
        tables=[
            Table(columns, [row(name, found, pairs) for name, found in outcomes.items()]),
            Table(["times as fast as", *parts.values()], ratio_rows),
        ],
        notes=notes(data, whole),
        versions=versions,
    )


def row(name: str, found: list[Outcome], pairs: int) -> list[str]:
    """Return the cells of one peer; `pairs` of an evaluation."""
    full = name != CORNAC
    rates = [pairs * one["evaluations"] / one["seconds"]["evaluate"] / 1e6 for one in found]
    together = [sum(one["seconds"].values()) for one in found]
    return [
        name,
        threads_text(found[0]),
        middle([one["seconds"]["train"] for one in found]),
        middle([one["seconds"]["evaluate"] for one in found]) + ("" if full else " ‡"),
        middle(together) if full else NONE,
        middle(rates, "{:.3g}"),
        f"{statistics.fmean(one['hit@50'] for one in found):.3f}",
        f"{statistics.fmean(one['auc'] for one in found):.3f}",
    ]


def notes(data: Dataset, whole: list[float]) -> list[str]:
    return [
        f"{data.label}, {data.num_users:,} users, {data.num_items:,} items, {data.num_train:,} "
        "training pairs; 10 factors, MLP 10-10-10, batches of 1,024 pairs, Adam 0.01, weight decay "
        "1e-5, one negative. neumf-tui and the notebook learn by BPR, RecBole and Cornac by binary "
        "cross-entropy. Hit@50 and AUC are means over the rounds; all except the notebook use "
        "seed 0.",
        "An evaluation ranks every user's held-out item among all items that the user has not "
        "seen; pairs are users × items. ‡ Cornac has no evaluation after an epoch: all users are "
        "scored once, after the last, and not ranked.",
        "Times are those of training and evaluating, without imports and reading. Threads: torch's "
        "own number or one, whichever is faster for the peer, tried in each round (for the "
        "notebook's code in the first). neumf-tui uses what a run uses by default. Its kernels in "
        "C existed already: they are compiled once, in a second or two.",
        "The whole command `neumf-tui train --plain --preset d2l`, with Python's start, imports "
        f"and the run's files: {middle(whole)} s.",
    ]


def threads_text(one: Outcome) -> str:
    """Return such as 1, or 1, 2 if evaluation uses another number than training."""
    counts = (str(one[key]) for key in ("threads", "evaluation_threads") if key in one)
    return ", ".join(dict.fromkeys(counts))


def compare(ours: list[Outcome], theirs: list[Outcome], full: bool) -> dict[str, list[float]]:
    """Return how many times as long theirs took, for each round.

    full: whether they evaluate after each epoch; otherwise only training is compared.
    """
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
