"""The ranking quality of every preset and baseline."""

from benchmarks.host import versions
from benchmarks.quality.chart import QualityChart
from benchmarks.quality.jobs import Model, measure, preset_model
from benchmarks.quality.rows import Results, Row, by_hit
from benchmarks.quality.tables import (
    baselines_note,
    heldout_table,
    notes,
    seeds_text,
    strongest_note,
    validation_table,
)
from benchmarks.report import Options, Report
from neumf_tui.baselines.registry import BASELINES
from neumf_tui.settings import preset_names

SEEDS = 5


def run(options: Options) -> Report:
    """Measure every preset and baseline."""
    models = [baseline_model(one.name, one.title) for one in BASELINES]
    models += map(preset_model, preset_names())
    return report(measure(models, options, options.only, SEEDS))


def baseline_model(name: str, title: str) -> Model:
    row = Row(name=name, kind="baseline", title=title, settings={}, optimistic=False, runs=[])
    return Model(row, None)


def report(results: Results) -> Report:
    rows = by_hit(results.rows)
    return Report(
        title="Ranking quality of presets and baselines",
        figures=results,
        repeats=f"{seeds_text(rows)}; {results.cores} cores for each run",
        tables=[heldout_table(rows, bold=True), validation_table(rows, bold=True)],
        notes=[*notes(results, rows), *strongest_note(rows), *baselines_note(rows)],
        chart=QualityChart(rows),
        versions=versions(("scipy", "implicit")),
    )
