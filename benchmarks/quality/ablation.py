"""The default preset with one part changed at a time."""

from collections.abc import Sequence
from typing import Any

from benchmarks.host import say, versions
from benchmarks.quality.jobs import Model, measure, preset_model
from benchmarks.quality.rows import Results, Row
from benchmarks.quality.tables import change_table, heldout_table, noise_note, notes, seeds_text
from benchmarks.report import Options, Report
from neumf_tui.settings import DEFAULT_PRESET, make_settings

SEEDS = 3
CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    # How users are represented.
    ("no history in users' vectors", {"history": 0}),
    ("history forgotten more slowly", {"history_decay": 50}),
    ("unweighted history", {"history_decay": 1e6, "history_floor": 0}),
    ("history of 200 items", {"history": 200}),
    ("unweighted history of 200 items", {"history": 200, "history_decay": 1e6, "history_floor": 0}),
    # The model.
    ("GMF alone", {"model": "gmf"}),
    ("MLP alone", {"model": "mlp"}),
    ("all weights start small", {"scaled_init": False}),
    ("GMF and MLP learn separately at first", {"pretrain": 3}),
    # Loss and negatives.
    ("loss BPR", {"loss": "bpr"}),
    ("loss binary cross-entropy", {"loss": "bce"}),
    ("10 negatives", {"negatives": 10}),
    # More negatives than these take minutes a run.
    ("10 negatives drawn for each pair", {"negatives": 10, "shared_negatives": False}),
    ("negatives by popularity", {"sampler": "popularity"}),
    ("hard negatives: best scored of 4", {"hard_negatives": 4}),
    # Regularisation and optimiser.
    ("no dropout", {"dropout": 0, "mlp_dropout": 0}),
    ("no dropout on users' vectors", {"dropout": 0}),
    ("no dropout in the MLP", {"mlp_dropout": 0}),
    ("constant learning rate", {"schedule": "constant"}),
    ("late pairs drawn more often", {"recency": 20}),
    ("weight decay 1e-5", {"weight_decay": 1e-5}),
    ("weight decay 1e-3", {"weight_decay": 1e-3}),
    ("gradients clipped to norm 10", {"clip": 10}),
)
"""Name and changed settings, in the order of the table. No comma in a name: --only splits there."""


def run(options: Options) -> Report:
    """Measure every change of the default preset."""
    models = changed_models(DEFAULT_PRESET, CHANGES)
    # The first row is what the others are compared with: --only keeps it.
    only = (DEFAULT_PRESET, *options.only) if options.only else ()
    return report(measure(models, options, only, SEEDS))


def changed_models(preset: str, changes: Sequence[tuple[str, dict[str, Any]]]) -> list[Model]:
    """Return the preset and its changes, without those that give the same settings as another."""
    found = [preset_model(preset)]
    known = {make_settings(preset, {}): preset}
    for title, settings in changes:
        changed = make_settings(preset, settings)
        if changed in known:
            say(f"left out: {title}: the same as {known[changed]}")
            continue
        known[changed] = title
        row = Row(
            name=title,
            kind="change",
            title=title,
            settings=settings,
            optimistic=changed.exclude_heldout,
            runs=[],
        )
        found.append(Model(row, preset))
    return found


def report(results: Results) -> Report:
    rows = results.rows
    return Report(
        title=f"What each part of `{rows[0].name}` gives",
        figures=results,
        repeats=f"{seeds_text(rows)}; {results.cores} cores for each run",
        tables=[change_table(rows), heldout_table(rows, bold=False)],
        notes=[*notes(results, rows), *noise_note(rows)],
        versions=versions(("scipy", "implicit")),
    )
