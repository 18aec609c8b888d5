"""The check for leaks: whether training or ranking knows held-out items it must not know."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from msgspec.structs import replace

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.null_dataset import without_structure
from neumf_tui.data.progress import Progress, Report
from neumf_tui.evaluation.chance import Finding, compare_with_chance
from neumf_tui.settings import Settings
from neumf_tui.training.device import deterministic, pick_device, set_threads
from neumf_tui.training.model_ranks import ModelRanks
from neumf_tui.training.trainer import Trainer

FALSE_ALARMS = 0.01
"""Highest probability that settings without a leak are reported to differ from chance."""
TWIN_STEPS = 20
"""Steps of each twin. All steps draw negatives in the same way, so a leak shows in the first."""


@dataclass(frozen=True)
class LeakCheck:
    """The result of a check for leaks."""

    blind: bool
    """Whether training gives the same weights, bit for bit, whichever items are held out."""
    steps: int
    """Steps after which the weights were compared."""
    rounds: int
    num_ranks: int
    """Held-out items ranked in all rounds."""
    num_candidates: tuple[int, int]
    """Fewest and most candidates of these items."""
    findings: list[Finding]
    """Each metric compared with chance, after the last epoch."""

    @property
    def verdict(self) -> str:
        """`pass`, `leak`, or `fault`: held-out items rank lower than chance gives."""
        verdicts = {finding.verdict for finding in self.findings}
        if not self.blind or "above" in verdicts:
            return "leak"
        return "fault" if "below" in verdicts else "pass"


def check_leak(dataset: Dataset, settings: Settings, rounds: int, report: Report) -> LeakCheck:
    """Train on `rounds` copies of `dataset` without structure, and compare metrics with chance.

    The metrics are those after the last epoch, when a leak has had the longest time to grow.
    Validation items are kept apart as the settings say, but neither stop training nor choose an
    epoch: on such data no epoch is better, and an early one would show little.

    A weak leak is lost in the noise of some hundred ranks. So two twins are trained as well, from
    the same seed and on the same pairs, with different items held out: if training does not see
    these, both have the same weights.

    Raises UsageError for a missing device, DatasetError where nothing is held out or there is
    nothing to draw, NeumfTuiError where a score is not a number.
    """
    device = pick_device(settings.device)
    set_threads(settings)
    steps, blind = train_twins(dataset, settings)
    ranks, candidates = [], []
    with deterministic(device):
        for number in range(rounds):
            null = without_structure(dataset, settings.seed, number)
            evaluator = ModelRanks(null, device)
            trainer = Trainer(null, replace(settings, seed=settings.seed + number), device)
            for epoch in range(1, settings.epochs + 1):
                what = f"round {number + 1} of {rounds}: epochs"
                report(Progress(what, epoch - 1, settings.epochs))
                for batch in trainer.batches(epoch):
                    trainer.step(batch)
            ranks.append(evaluator.by_model(trainer.scored(settings.epochs)))
            candidates.append(evaluator.candidates)
    every, among = np.concatenate(ranks), np.concatenate(candidates)
    ranked = among[~np.isnan(every)]
    findings = compare_with_chance(every, among, FALSE_ALARMS)
    num_candidates = int(ranked.min()), int(ranked.max())
    return LeakCheck(blind, steps, rounds, len(ranked), num_candidates, findings)


def train_twins(dataset: Dataset, settings: Settings) -> tuple[int, bool]:
    """Train twins with different items held out, and compare their weights bit by bit.

    Returns the number of steps, and whether the weights are the same. Both start from the same
    seed, on the same pairs, and train on the CPU, where a step can be repeated exactly.
    """
    cpu = torch.device("cpu")
    with deterministic(cpu):
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
