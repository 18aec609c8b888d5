"""`tune`: search the best settings with Optuna, each trial a run."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import ConfigFile, DataDir, DatasetName, Home, Json, Preset, home_of
from neumf_tui.cli.settings_flags import hidden_settings_flags
from neumf_tui.data.options import DataOptions
from neumf_tui.extras import require
from neumf_tui.views.open_data import open_data

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.search.report import StudyReport

TRIALS = 30
Study = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Name of the study; an existing one continues. [default: drawn]"
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"Number of trials of the study, with earlier ones. [default: {TRIALS}]"
    ),
]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Start no further trial after this many minutes.")
]
SpaceFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML file of the search space. [default: built in]"),
]
Prune = Annotated[
    bool | None,
    typer.Option(
        "--prune/--no-prune", help="Stop trials that fall below the median. [default: --prune]"
    ),
]
Plain = Annotated[
    bool, typer.Option("--plain", help="Draw no live table; print one line per trial on stderr.")
]


@data_flags
@hidden_settings_flags
def tune(
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    preset: Preset = None,
    config: ConfigFile = None,
    study: Study = None,
    trials: Trials = None,
    timeout_minutes: Minutes = None,
    space: SpaceFile = None,
    prune: Prune = None,
    plain: Plain = False,
    json: Json = False,
    home: Home = None,
    *,
    data_options: DataOptions,
    changes: dict[str, Any],
) -> None:
    """Search the settings with the highest validation Hit@50.

    The settings and their flags are those of `neumf-tui train --help`: what is given is fixed. The
    others are searched in the space by Optuna (pip install 'neumf-tui[tune]'), starting with the
    preset's own values. Each trial is a run, STUDY-0007. The study is kept in HOME/tune: Ctrl-C
    ends a search, and the same --study continues it. The best settings are written as a file for
    `train --config`. Held-out items are never used.
    """
    require("tune", "tune", "optuna")
    from neumf_tui.search.open_study import open_study
    from neumf_tui.search.plan import PlanOptions
    from neumf_tui.search.report import StudyReport
    from neumf_tui.search.search import Search
    from neumf_tui.search.study import check_study_name, new_study_name, read_target, write_target
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.search import can_draw, live_watch, plain_watch

    where = home_of(home)
    name = new_study_name(where) if study is None else study
    check_study_name(where, name)
    keep = changes.pop("keep", 0)
    options = PlanOptions(preset=preset, config=config, changes=changes, space=space, prune=prune)

    def open_named(dataset: str, data_dir: Path | None, options: DataOptions) -> "Dataset":
        return open_data(dataset, data_dir, where, options)

    named = dataset, data_dir, data_options
    with open_study(where, name, options, *named, open_named) as (opened, plan, data):
        target = trials or (None if timeout_minutes is not None else read_target(opened) or TRIALS)
        write_target(opened, target)
        say(f"study {name} on {plan.label}, from {plan.preset}; searched: {', '.join(plan.space)}")
        live = can_draw() and not plain
        with live_watch(name, plan) if live else nullcontext(plain_watch()) as watch:
            search = Search(where, opened, plan, data, watch, say, keep=keep)
            search.run(target, timeout_minutes)
        report = StudyReport(name, plan, tuple(search.records), target, where, home is not None)
        chosen = report.write_preset()
    print_json(report.as_json()) if json else _print_report(report)
    if search.caught:
        say(f"the study is kept; continue it with {report.continue_line(trials, timeout_minutes)}")
        raise typer.Exit(128 + search.caught[0])
    raise typer.Exit(0 if chosen else 1)


def _print_report(report: "StudyReport") -> None:
    from neumf_tui.search.report import CAVEAT
    from neumf_tui.search.space import base_value, value_text
    from neumf_tui.search.state import count_by_state, preset_trial
    from neumf_tui.views.output import print_line, print_table

    plan, best = report.plan, report.best
    ended = [
        f"{number} {state}" for state, number in count_by_state(report.records).items() if number
    ]
    print_line(
        f"study {report.study}  {plan.label}  from {plan.preset}  "
        f"trials: {', '.join(ended) or 'none yet'}"
    )
    if best is None:
        print_line("no trial is done, so there are no best settings")
        return
    settings = report.settings(best)
    print_line(
        f"best: trial {best.trial}, validation Hit@50 {best.validation:.4f} "
        f"after epoch {best.epoch} of {settings.epochs}"
    )
    if (base := preset_trial(plan, report.records)) is not None:
        print_line(f"{plan.preset} itself: {base.validation:.4f}, trial {base.trial}")
    print_line(f"({CAVEAT})")
    rows = []
    for name, origin in report.origins(best).items():
        if origin in ("searched", "given"):
            before = value_text(base_value(name, plan.settings)) if origin == "searched" else origin
            rows.append((name, value_text(getattr(settings, name)), before))
    print_table(("setting", "best", f"in {plan.preset}"), rows)
    print_line(f"its run: neumf-tui explore {best.run}")
    print_line(f"settings: {report.preset_file}")
    print_line(f"train with them: {report.train_line}")
