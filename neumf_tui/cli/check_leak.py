"""`check-leak`: test whether settings let held-out items leak into training."""

from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neumf_tui.cli.data import open_data
from neumf_tui.cli.options import ConfigFile, DataDir, DatasetName, Home, Json, Preset, home_of
from neumf_tui.cli.settings_flags import settings_flags
from neumf_tui.errors import UsageError
from neumf_tui.settings import DEFAULT_PRESET, make_settings

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.settings import Settings
    from neumf_tui.training.leak import LeakCheck
    from neumf_tui.views.sheet import Sheet

COLUMNS = ("metric", "value", "low", "high", "chance", "chance_low", "chance_high", "p", "verdict")
_NAMES = {"hit@10": "Hit@10", "hit@50": "Hit@50", "auc": "AUC"}
_SMALLEST_P = 1e-11
"""Smaller p values are not printed as numbers."""


@settings_flags
def check_leak(
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    preset: Preset = None,
    config: ConfigFile = None,
    rounds: Annotated[
        int,
        typer.Option(min=1, help="Trainings whose ranks are pooled; more find smaller leaks."),
    ] = 1,
    json: Json = False,
    home: Home = None,
    *,
    changes: dict[str, Any],
) -> None:
    """Train on a copy of the dataset without structure, where only chance metrics are right.

    In the copy each user has as many items as before, drawn uniformly. Held-out items depend on
    nothing, so metrics above chance mean that training has seen them. In addition, training starts
    twice with different held-out items; if it does not see them, both end with the same weights, to
    the bit. Each round takes as long as a training; no run is created.

    The exit code is 1 if there is a leak, or if held-out items rank below chance.
    """
    from neumf_tui.training.leak import check_leak as check
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.progress_line import ProgressLine

    settings = make_settings(preset or DEFAULT_PRESET, changes, config)
    if settings.processes > 1:
        raise UsageError(
            f"--processes {settings.processes}: check-leak trains in one process; leave it out"
        )
    data = open_data(dataset, data_dir, home_of(home))
    with closing(ProgressLine()) as progress:
        result = check(data, settings, rounds, progress)
    named = config.stem if config else preset or DEFAULT_PRESET
    sheet = _sheet(data, named, settings, result)
    if print_sheet(sheet, "json" if json else "table"):
        _print_text(sheet)
    raise typer.Exit(0 if result.verdict == "pass" else 1)


def _sheet(data: "Dataset", preset: str, settings: "Settings", result: "LeakCheck") -> "Sheet":
    """Return one row per metric.

    `low` and `high` are its 95 % interval, `chance_low` and `chance_high` the bounds of the test.
    """
    import msgspec

    from neumf_tui.runs.protocol import make_protocol
    from neumf_tui.training.leak import FALSE_ALARMS
    from neumf_tui.views.sheet import Sheet
    from neumf_tui.views.sheet_keys import dataset_keys

    config = msgspec.to_builtins(settings)
    about = {
        **dataset_keys(data),
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
        "meaning": verdict_text(settings, result),
        "protocol": make_protocol(config, result.num_candidates)
        | {"chosen_by": "none: the last epoch"},
    }
    rows = []
    for found in result.findings:
        interval = (*found.interval, found.chance, *found.band)
        values = (found.metric, found.value, *interval, found.p, found.verdict)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return Sheet("check-leak", about, "metrics", rows, COLUMNS, ("preset",))


def verdict_text(settings: "Settings", result: "LeakCheck") -> str:
    """Return the verdict in one sentence, with the remedy."""
    above = [_NAMES[found.metric] for found in result.findings if found.verdict == "above"]
    below = [_NAMES[found.metric] for found in result.findings if found.verdict == "below"]
    if result.verdict == "pass":
        return "no leak found: training does not see the held-out items, and they rank as by chance"
    if result.verdict == "fault":
        return (
            f"no leak, but a fault: {', '.join(below)} below chance, which happens if many scores "
            "are equal; check the run's loss and scores before you trust its metrics"
        )
    shown = f"{', '.join(above)} above chance" if above else "too small for these metrics to show"
    if settings.exclude_heldout:
        return (
            "leak: with exclude_heldout a held-out item is never drawn as a negative, so it is the "
            f"only candidate whose score is never pushed down ({shown}); use --no-exclude-heldout"
        )
    where = "ranking, or training after its first steps," if result.blind else "training"
    return (
        f"leak, not through exclude_heldout: {where} sees held-out items ({shown}); do not trust "
        "held-out metrics of these settings"
    )


def _print_text(sheet: "Sheet") -> None:
    from neumf_tui.views.output import print_line, print_table
    from neumf_tui.views.sheet_keys import label_of

    about, twins = sheet.about, sheet.about["twins"]
    rounds = about["rounds"]
    print_line(
        f"check-leak  {label_of(about)} without structure  {about['preset']}  "
        f"epoch {about['epoch']}  {rounds} round{'s' * (rounds > 1)}"
    )
    print_line(
        f"{about['num_users']:,} users with as many items as before, drawn uniformly from "
        f"{about['num_items']:,}"
    )
    weights = "the same" if twins["same_weights"] else "DIFFERENT"
    print_line(f"only held-out items changed: {weights} weights after {twins['steps']} steps")
    rows = [
        (
            _NAMES[row["metric"]],
            f"{row['value']:.4f}",
            f"{row['low']:.4f} to {row['high']:.4f}",
            f"{row['chance']:.4f}",
            f"{row['chance_low']:.4f} to {row['chance_high']:.4f}",
            f"<{_SMALLEST_P:g}" if row["p"] < _SMALLEST_P else f"{row['p']:.2g}",
            {"chance": "as chance", "above": "ABOVE", "below": "BELOW"}[row["verdict"]],
        )
        for row in sheet.rows
    ]
    header = ("metric", "value", "95 %", "chance", "bounds of chance", "p", "verdict")
    print_table(header, rows, numbers=header[1:-1])
    print_line(
        f"{about['num_ranks']:,} held-out items; without a leak some metric leaves its bounds with "
        f"probability {about['false_alarms']:.0%} at most"
    )
    print_line("(Bonferroni; hits by the exact Poisson binomial distribution, AUC by the normal)")
    hit50 = next(row for row in sheet.rows if row["metric"] == "hit@50")
    print_line(
        f"a leak that adds less than {hit50['chance_high'] - hit50['chance']:.3f} to Hit@50 may be "
        f"missed; --rounds {4 * rounds} finds one half as large"
    )
    low, high = about["protocol"]["num_candidates"]
    print_line(
        f"protocol: leave-one-out · full ranking of {low:,}–{high:,} · ties half · last epoch, "
        f"seed {about['config']['seed']}"
    )
    print_line(about["meaning"])
