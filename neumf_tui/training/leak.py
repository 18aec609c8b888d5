"""Whether training or ranking knows of held-out items what it must not: tried on data that have no structure."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from msgspec.structs import replace

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.null_dataset import without_structure
from neumf_tui.data.progress import Progress, Report
from neumf_tui.evaluation.chance import Finding, compare_with_chance
from neumf_tui.evaluation.evaluator import Evaluator
from neumf_tui.settings import Settings
from neumf_tui.training.device import pick_device, set_threads
from neumf_tui.training.trainer import Trainer

FALSE_ALARMS = 0.01
"""How often settings that do not leak are found to differ from chance, at most."""
TWIN_STEPS = 20
"""Steps of each twin: negatives are drawn alike in all steps, so what they see of held-out items shows in the first."""



@dataclass(frozen=True)
class LeakCheck:
    """What came of it."""

    blind: bool
    """Whether training gives the same weights, bit for bit, whatever is held out."""
    steps: int
    """After so many steps."""
    rounds: int
    num_ranks: int
    """Held-out items ranked, of all rounds."""
    num_candidates: tuple[int, int]
    """Fewest and most that one of them was ranked among."""
    findings: list[Finding]
    """Each metric beside chance, after the last epoch."""

    @property
    def verdict(self) -> str:
        """`pass`; `leak`; or `fault`: held-out items stand lower than chance puts them."""
        verdicts = {finding.verdict for finding in self.findings}
        if not self.blind or "above" in verdicts:
            return "leak"
        return "fault" if "below" in verdicts else "pass"


def check_leak(dataset: Dataset, settings: Settings, rounds: int, report: Report) -> LeakCheck:
    """Train with `settings` on `rounds` copies of `dataset` without structure, and compare the figures with chance.

    They are those after the last epoch, when a leak has had the longest time to grow. Validation is kept apart as
    the settings say, but stops nothing and chooses nothing: of such data it knows no better epoch, and would mostly take
    an early one, after which there is little to see yet.

    A weak leak drowns in the noise of some hundred ranks. So twins are trained as well, from the same seed on the same pairs,
    with different items held out: where training does not see those, both have the same weights.

    Raises UsageError for a device that is not there, DatasetError where nothing is held out or there is nothing to draw,
    NeumfTuiError where a score is not a number.
    """
    device = pick_device(settings.device)
    set_threads(settings)
    steps, blind = train_twins(dataset, settings)
    ranks, candidates = [], []
    with _deterministic() if device.type == "cpu" else nullcontext():
        for number in range(rounds):
            null = without_structure(dataset, settings.seed, number)
            evaluator = Evaluator(null, device)
            trainer = Trainer(null, replace(settings, seed=settings.seed + number), device)
            for epoch in range(1, settings.epochs + 1):
                report(Progress(f"round {number + 1} of {rounds}: epochs", epoch - 1, settings.epochs))
                for batch in trainer.batches(epoch):
                    trainer.step(batch)
            ranks.append(evaluator.ranks(trainer.scored(settings.epochs)))
            candidates.append(evaluator.candidates)
    every, among = np.concatenate(ranks), np.concatenate(candidates)
    ranked = among[~np.isnan(every)]
    findings = compare_with_chance(every, among, FALSE_ALARMS)
    return LeakCheck(
        blind, steps, rounds, len(ranked), (int(ranked.min()), int(ranked.max())), findings
    )


def train_twins(dataset: Dataset, settings: Settings) -> tuple[int, bool]:
    """Steps taken from the same seed on the same pairs with other items held out, and whether the weights are the same bits.

    On the CPU, where a step can be done again exactly.
    """
    cpu = torch.device("cpu")
    with _deterministic():
        twins = [
            Trainer(without_structure(dataset, settings.seed, other_heldout=other), settings, cpu)
            for other in (False, True)
        ]
        steps = 0
        for batches in islice(zip(*(twin.batches(1) for twin in twins), strict=False), TWIN_STEPS):
            for twin, batch in zip(twins, batches, strict=True):
                twin.step(batch)
            steps += 1
    first, second = (twin.model.parameters() for twin in twins)
    # As whole numbers: a weight that is not a number does not equal itself.
    same = all(
        torch.equal(a.data.view(torch.int32), b.data.view(torch.int32))
        for a, b in zip(first, second, strict=True)
    )
    return steps, same


@contextmanager
def _deterministic() -> Iterator[None]:
    """Sums in an order that is always the same, as in a run."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
