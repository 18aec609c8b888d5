"""`tune`: search settings by Optuna, each trial a run."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.flags import settings_flags
from neumf_tui.cli.options import Home, Json, home_of
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.search.report import Outcome

TRIALS = 30


@settings_flags
def tune(
    dataset: Annotated[str, typer.Option(help="As in `train`.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="As in `train`.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="Where the search begins: a preset.  [default: tuned]")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where it begins: a TOML file over the preset."),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Name of the study; goes on with it if there is one. [default: drawn]",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help=f"Trials of the study, earlier ones included. [default: {TRIALS}]"
        ),
    ] = None,
    timeout_minutes: Annotated[
        float | None, typer.Option(min=0, help="Begin no further trial after so many minutes.")
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="TOML file of what to search, in place of the built-in space."
        ),
    ] = None,
    prune: Annotated[
        bool | None,
        typer.Option(
            "--prune/--no-prune", help="Stop trials that fall behind the median. [default: --prune]"
        ),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep all checkpoints of the trials, not the best and last alone."
        ),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="No picture: one line a trial on stderr.")
    ] = False,
    json: Json = False,
    home: Home = None,
    *,
    changes: dict[str, Any],
) -> None:
    """Search the settings with the highest validation Hit@50, by Optuna (pip install 'neumf-tui[tune]').

    A setting that is given by its flag is fixed; the others are searched as the space says, beginning with the preset's own. Each
    trial is a run, STUDY-0007. The study is kept in HOME/tune: Ctrl-C ends a search, the same --study goes on with it. The best
    settings are written as a file for `train --config`. Held-out items are never looked at.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        problem = "is not installed" if error.name == "optuna" else f"cannot be loaded ({error})"
        raise UsageError(
            f"tune needs the package optuna, which {problem}: pip install 'neumf-tui[tune]'"
        ) from error
    from neumf_tui.search.begin import begun_study
    from neumf_tui.search.plan import Wishes
    from neumf_tui.search.report import Outcome
    from neumf_tui.search.search import Search
    from neumf_tui.search.study import check_study_name, new_study_name, read_target, write_target
    from neumf_tui.views.output import print_json, say
    from neumf_tui.views.search import can_draw, live_watch, plain_watch

    where = home_of(home)
    name = new_study_name(where) if study is None else study
    check_study_name(where, name)
    wishes = Wishes(preset=preset, config=config, changes=changes, space=space, prune=prune)

    def opener(dataset: str, data_dir: Path | None) -> "Dataset":
        return open_data(dataset, data_dir, where)

    with begun_study(where, name, wishes, dataset, data_dir, opener) as (opened, plan, data):
        target = trials or (None if timeout_minutes is not None else read_target(opened) or TRIALS)
        write_target(opened, target)
        say(f"study {name} on {plan.label}, from {plan.preset}; searched: {', '.join(plan.space)}")
        with (
            live_watch(name, plan)
            if can_draw() and not plain
            else nullcontext(plain_watch()) as watch
        ):
            search = Search(where, opened, plan, data, watch, say, keep=keep)
            search.run(target, timeout_minutes)
        outcome = Outcome(name, plan, tuple(search.records), target, where, home is not None)
        chosen = outcome.write_preset()
    if json:
        print_json(outcome.object)
    else:
        _print_outcome(outcome)
    if search.caught:
        say(
            f"the study is kept; this goes on with it: {outcome.go_on_line(trials, timeout_minutes)}"
        )
        raise typer.Exit(128 + search.caught[0])
    raise typer.Exit(0 if chosen else 1)


def _print_outcome(outcome: "Outcome") -> None:
    from neumf_tui.search.report import CAVEAT
    from neumf_tui.search.space import shown, start
    from neumf_tui.search.state import counts, unchanged
    from neumf_tui.views.output import print_line, print_table

    plan = outcome.plan
    ended = ", ".join(
        f"{number} {state}" for state, number in counts(outcome.records).items() if number
    )
    print_line(
        f"study {outcome.study}  {plan.label}  from {plan.preset}  trials: {ended or 'none yet'}"
    )
    best = outcome.best
    if best is None:
        print_line("no trial is done: nothing to choose from")
        return
    settings = outcome.settings(best)
    print_line(
        f"best: trial {best.trial}, validation Hit@50 {best.validation:.4f} after epoch {best.epoch} of {settings.epochs}"
    )
    if (begun := unchanged(plan, outcome.records)) is not None:
        print_line(f"{plan.preset} itself: {begun.validation:.4f}, trial {begun.trial}")
    print_line(f"({CAVEAT})")
    rows = [
        (
            name,
            shown(getattr(settings, name)),
            shown(start(name, plan.settings)) if origin == "searched" else origin,
        )
        for name, origin in outcome.origins(best).items()
        if origin in ("searched", "given")
    ]
    print_table(("setting", "best", f"in {plan.preset}"), rows)
    print_line(f"its run: neumf-tui explore {best.run}")
    print_line(f"settings: {outcome.preset_file}")
    print_line(f"train with them: {outcome.train_line}")
