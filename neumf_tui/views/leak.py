"""The result of the check for leaks, as a sheet and as text."""

from typing import TYPE_CHECKING

import msgspec

from neumf_tui.data.dataset import Dataset
from neumf_tui.runs.events import METRIC_NAMES
from neumf_tui.runs.protocol import make_protocol, protocol_line, split_protocol
from neumf_tui.settings import Settings
from neumf_tui.text import counted
from neumf_tui.views.output import column, number, print_line, print_rows
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import dataset_keys, label_of

if TYPE_CHECKING:
    from neumf_tui.training.leak import LeakCheck

_NAMES = {name: METRIC_NAMES[name] for name in ("hit@10", "hit@50", "auc")}
_VERDICTS = {"chance": "as chance", "above": "ABOVE", "below": "BELOW"}
_SMALLEST_P = 1e-11  # smaller p values are not printed as numbers


def leak_sheet(data: Dataset, preset: str, settings: Settings, result: "LeakCheck") -> Sheet:
    """Return what `check-leak --json` prints: one row for each metric.

    `low` and `high` are its 95 % interval, `chance_low` and `chance_high` the bounds of the test.
    """
    from neumf_tui.training.leak import FALSE_ALARMS

    config = msgspec.to_builtins(settings)
    split = split_protocol(data.facts, data.options.splitting)
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
        "protocol": make_protocol(config, result.num_candidates, split)
        | {"chosen_by": "none: the last epoch"},
    }
    rows = [
        {
            "metric": found.metric,
            "value": found.value,
            "low": found.interval[0],
            "high": found.interval[1],
            "chance": found.chance,
            "chance_low": found.band[0],
            "chance_high": found.band[1],
            "p": found.p,
            "verdict": found.verdict,
        }
        for found in result.findings
    ]
    return Sheet("check-leak", about, "metrics", rows, tuple(rows[0]), ("preset",))


def verdict_text(settings: Settings, result: "LeakCheck") -> str:
    """Return the verdict in one sentence, with the remedy."""
    above = [_NAMES[found.metric] for found in result.findings if found.verdict == "above"]
    below = [_NAMES[found.metric] for found in result.findings if found.verdict == "below"]
    if result.verdict == "pass":
        return "held-out items unseen: training does not depend on them, and they rank as by chance"
    if result.verdict == "fault":
        return (
            f"held-out items unseen, but a fault: {', '.join(below)} below chance, which happens "
            "if many scores are equal; check the run's loss and scores before you trust its metrics"
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


def print_leak(sheet: Sheet) -> None:
    """Print the sheet of `leak_sheet` for people."""
    about, twins = sheet.about, sheet.about["twins"]
    rounds = about["rounds"]
    print_line(
        f"check-leak  {label_of(about)} without structure  {about['preset']}  "
        f"epoch {about['epoch']}  {rounds} round{'s' * (rounds > 1)}"
    )
    print_line(
        f"{counted(about['num_users'], 'user')} with as many items as before, drawn uniformly from "
        f"{about['num_items']:,}"
    )
    weights = "the same" if twins["same_weights"] else "DIFFERENT"
    print_line(f"only held-out items changed: {weights} weights after {twins['steps']} steps")
    print_rows(
        sheet.rows,
        column("metric", lambda row: _NAMES[row["metric"]]),
        number("value", "value", ".4f"),
        number("95 %", "{low:.4f} to {high:.4f}".format_map, str),
        number("chance", "chance", ".4f"),
        number("bounds of chance", "{chance_low:.4f} to {chance_high:.4f}".format_map, str),
        number("p", "p", lambda p: f"<{_SMALLEST_P:g}" if p < _SMALLEST_P else f"{p:.2g}"),
        column("verdict", lambda row: _VERDICTS[row["verdict"]]),
    )
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
    print_line(
        f"protocol: {protocol_line(about['protocol'])} · last epoch, seed {about['config']['seed']}"
    )
    print_line(about["meaning"])
