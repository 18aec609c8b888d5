"""`check-leak`: whether settings let held-out items leak into training, tried where chance alone is right."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.flags import settings_flags
from neumf_tui.cli.options import Home, Json, home_of
from neumf_tui.errors import UsageError

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.settings import Settings
    from neumf_tui.training.leak import LeakCheck
    from neumf_tui.views.sheet import Sheet

COLUMNS = ("metric", "value", "low", "high", "chance", "chance_low", "chance_high", "p", "verdict")
_NAMES = {"hit@10": "Hit@10", "hit@50": "Hit@50", "auc": "AUC"}


@settings_flags
def check_leak(
    dataset: Annotated[str, typer.Option(help="Whose form the data have. As in `train`.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="As in `train`.")] = None,
    preset: Annotated[str | None, typer.Option(help="Named settings.  [default: tuned]")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file of settings, over the preset's.")
    ] = None,
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Trainings, whose figures are pooled: more find smaller leaks."),
    ] = 1,
    json: Json = False,
    home: Home = None,
    *,
    changes: dict[str, Any],
) -> None:
    """Train on a copy of the dataset without structure and see whether Hit@10, Hit@50 and AUC are what chance gives.

    In the copy every user has as many items as before, drawn uniformly: held-out items have nothing to do with anything, and
    what ranks them higher than chance has seen them. Besides, training is begun twice with different held-out items: where it
    does not see them, both end with the same weights, bit for bit. Each round takes as long as a training; no run is made.

    Exits with 1 where there is a leak, or where held-out items rank lower than by chance.
    """
    from neumf_tui.settings import DEFAULT_PRESET, make_settings
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.progress_line import ProgressLine

    settings = make_settings(preset or DEFAULT_PRESET, changes, config)
    if settings.processes > 1:
        raise UsageError(
            f"--processes {settings.processes}: check-leak trains in this process alone; leave it out"
        )
    named = config.stem if config else preset or DEFAULT_PRESET
    data = open_data(dataset, data_dir, home_of(home))
    from neumf_tui.training.leak import check_leak as check

    with closing(ProgressLine()) as progress:
        result = check(data, settings, rounds, progress)
    sheet = _sheet(data, named, settings, result)
    if print_sheet(sheet, "json" if json else "table"):
        _print_text(sheet)
    raise typer.Exit(0 if result.verdict == "pass" else 1)


def _sheet(data: "Dataset", preset: str, settings: "Settings", result: "LeakCheck") -> "Sheet":
    """One row a metric; `low` and `high` are the 95 % interval, `chance_low` and `chance_high` the bounds of the test."""
    import msgspec

    from neumf_tui.runs.protocol import make_protocol
    from neumf_tui.training.leak import FALSE_ALARMS
    from neumf_tui.views.sheet import Sheet

    config = msgspec.to_builtins(settings)
    about = {
        "dataset": data.label,
        "fingerprint": data.fingerprint,
        "num_users": data.num_users,
        "num_items": data.num_items,
        "preset": preset,
        "config": config,
        "epoch": settings.epochs,
        "rounds": result.rounds,
        "num_ranks": result.num_ranks,
        "false_alarms": FALSE_ALARMS,
        "twins": {"steps": result.steps, "same_weights": result.blind},
        "verdict": result.verdict,
        "meaning": _meaning(settings, result),
        "protocol": make_protocol(config, result.num_candidates)
        | {"chosen_by": "none: the last epoch"},
    }
    rows = []
    for found in result.findings:
        values = (
            found.metric,
            found.value,
            *found.interval,
            found.chance,
            *found.band,
            found.p,
            found.verdict,
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return Sheet("check-leak", about, "metrics", rows, COLUMNS, ("dataset", "preset"))


def _meaning(settings: "Settings", result: "LeakCheck") -> str:
    """The verdict in one plain sentence, with the remedy."""
    above = [_NAMES[found.metric] for found in result.findings if found.verdict == "above"]
    below = [_NAMES[found.metric] for found in result.findings if found.verdict == "below"]
    if result.verdict == "pass":
        return "no leak found: training does not see the held-out items, and they rank as chance puts them"
    if result.verdict == "fault":
        return (
            f"no leak, but a fault: {', '.join(below)} lower than by chance, as where many scores are equal; "
            "look at the run's loss and scores before you believe its figures"
        )
    shown = (
        f"{', '.join(above)} higher than by chance" if above else "less than these figures can show"
    )
    if settings.exclude_heldout:
        return (
            "a leak: exclude_heldout keeps each held-out item out of the negatives, so it is the one candidate never pushed "
            f"down ({shown}); --no-exclude-heldout ends that"
        )
    seen = "ranking, or training after its first steps, sees" if result.blind else "training sees"
    return f"a leak, not by exclude_heldout: {seen} held-out items ({shown}); believe no held-out figure of these settings"


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.views.output import print_line, print_table

    about, twins = sheet.about, sheet.about["twins"]
    rounds = f"{about['rounds']} rounds" if about["rounds"] > 1 else "1 round"
    print_line(
        f"check-leak  {about['dataset']} without structure  {about['preset']}  epoch {about['epoch']}  {rounds}"
    )
    print_line(
        f"{about['num_users']:,} users with histories as long as theirs, of items drawn uniformly from {about['num_items']:,}"
    )
    weights = "the same" if twins["same_weights"] else "OTHER"
    print_line(
        f"held-out items changed, nothing else: {weights} weights after {twins['steps']} steps"
    )
    print_table(
        ("metric", "figure", "95 %", "chance", "chance's bounds", "p", "verdict"),
        [
            (
                _NAMES[row["metric"]],
                f"{row['value']:.4f}",
                f"{row['low']:.4f} to {row['high']:.4f}",
                f"{row['chance']:.4f}",
                f"{row['chance_low']:.4f} to {row['chance_high']:.4f}",
                "<1e-11" if row["p"] < 1e-11 else f"{row['p']:.2g}",
                {"chance": "as chance", "above": "ABOVE", "below": "BELOW"}[row["verdict"]],
            )
            for row in sheet.rows
        ],
        numbers=("figure", "95 %", "chance", "chance's bounds", "p"),
    )
    hit50 = next(row for row in sheet.rows if row["metric"] == "hit@50")
    print_line(
        f"{about['num_ranks']:,} held-out items; without a leak one of the three leaves chance's bounds at most"
    )
    print_line(
        f"{about['false_alarms']:.0%} of the time (Bonferroni; hits by the exact Poisson binomial, AUC by the normal)"
    )
    least = hit50["chance_high"] - hit50["chance"]
    print_line(
        f"what lifts Hit@50 by less than {least:.3f} may not show in them; --rounds {4 * about['rounds']} sees half of that"
    )
    low, high = about["protocol"]["num_candidates"]
    print_line(
        f"protocol: leave-one-out · full ranking of {low:,}–{high:,} · ties half · last epoch, seed {about['config']['seed']}"
    )
    print_line(about["meaning"])
