"""The train screen's lines and panels as text, from what was read of a run."""

from rich.text import Text

from neumf_tui.explore.race import Race, Runner
from neumf_tui.runs.events import FINAL_STATES, RunInfo, Status
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean, clock, epoch_text, rank_text, si
from neumf_tui.tui.widgets.chart_text import STATE_STYLES
from neumf_tui.tui.widgets.fitted_text import wrapped
from neumf_tui.views.model_label import model_label

REASON_LINES = 4
"""Most lines of the reason why a run has ended."""


def head(
    info: RunInfo, name: str, status: Status, snapshot: Snapshot, link: str, width: int
) -> Text:
    """Return the first line: program, run and data, then state, time and link at the right."""
    names = ("neumf-tui", "bold"), " ▸ train  ", (clean(name), "bold")
    made = clean(model_label(info))
    left = Text.assemble(*names, f"  {info.dataset.label}  {made}  {status.device}")
    state = f"● {status.state} {clock(snapshot.seconds(status))}"
    right = Text(state, STATE_STYLES.get(status.state, "bold red"))
    if link and width >= 74:
        right.append(f"  {link:>9}", "default")
    room = width - right.cell_len
    left.truncate(room - 1, overflow="ellipsis")
    left.pad_right(max(1, room - left.cell_len))
    return left + right


def progress_line(info: RunInfo, status: Status, snapshot: Snapshot, width: int) -> Text:
    """Return epoch, bar, step, speed, time left and newest checkpoint, or why the run ended."""
    if status.state in ("failed", "crashed"):
        return Text(wrapped(clean(status.reason), width, REASON_LINES), "bold red")
    if status.state == "damaged":
        return Text("this run cannot be read", "bold red")
    if snapshot.started is None:
        if status.state in FINAL_STATES:
            return Text("events.jsonl has no training in it")
        if not info.is_trained:
            return Text("starting")
        return Text("starting the trainer (loading PyTorch takes a moment)")
    epochs, per_epoch = snapshot.planned or info.epochs, snapshot.started.steps
    if status.state == "finished" and status.reason:
        end = f"epoch {epoch_text(status.epoch, epochs)}  {clean(status.reason)}"
        return Text(wrapped(end, width, REASON_LINES))
    if not (info.is_trained and epochs and per_epoch):
        return _unplanned_line(status, snapshot, epochs, width)
    done = int(snapshot.points.steps[-1]) if len(snapshot.points) else 0
    epoch = status.epoch if status.evaluated else min(epochs, done // per_epoch + 1)
    total = per_epoch * epochs
    share = min(1.0, done / total) if total else 1.0
    size = max(6, min(24, width - 74))
    filled = round(share * size)
    bar = Text.assemble(("━" * filled, "bold"), ("━" * (size - filled), "dim"))
    step = f"step {done - (epoch - 1) * per_epoch:>{len(str(per_epoch))}}/{per_epoch}"
    rest = [f"{share:4.0%}", f"evaluating {status.evaluated:.0%}" if status.evaluated else step]
    rest += _speed(status, snapshot, done, total)
    room = width - len(f"epoch {epoch}/{epochs}  ") - size
    while len("  ".join(rest)) > room and len(rest) > 1:
        rest.pop()  # part of a number would be another number
    return Text.assemble(f"epoch {epoch}/{epochs} ", bar, " " + "  ".join(rest))


def _unplanned_line(status: Status, snapshot: Snapshot, epochs: int, width: int) -> Text:
    """Return the same of a run of which nobody knows how many steps it will have."""
    step, seconds = snapshot.step, snapshot.seconds(status)
    parts = [f"epoch {epoch_text(status.epoch, epochs)}"]
    if status.evaluated:
        parts.append(f"evaluating {status.evaluated:.0%}")
    elif step:
        parts.append(f"step {step:,}")
    if step and seconds > 1:
        is_fast = step >= seconds
        parts.append(f"{si(step / seconds)} steps/s" if is_fast else f"{seconds / step:.1f} s/step")
    if snapshot.checkpoint:
        parts.append(f"ckpt {snapshot.checkpoint.file.removesuffix('.safetensors')}")
    if status.state == "stopped":
        parts.insert(1, clean(status.reason))
    line = Text("  ".join(parts))
    line.truncate(max(1, width), overflow="ellipsis")
    return line


def _speed(status: Status, snapshot: Snapshot, done: int, total: int) -> list[str]:
    """Return speed, time left and newest checkpoint, as far as they are known."""
    started, parts = snapshot.started, []
    if snapshot.epochs and (rate := snapshot.epochs[-1].examples_per_second):
        parts.append(f"{si(rate)} examples/s")
    if started and status.state == "running":
        steps = done - started.epoch * started.steps - started.step
        if steps > 0:
            spent = max(snapshot.seconds(status) - snapshot.clock.started, 1e-3)
            parts.append(f"eta {clock((total - done) * spent / steps)}")
    if snapshot.checkpoint:
        parts.append(f"ckpt {snapshot.checkpoint.file.removesuffix('.safetensors')}")
    return parts


def epoch_panel(race: Race, snapshot: Snapshot, width: int) -> Text:
    """Return how many held-out items entered and left the top 50, and the biggest moves."""
    if not snapshot.evaluations:
        return Text("after the first evaluation", "dim")
    last = snapshot.evaluations[-1]
    text = Text(f"+{last.entered} into the top 50  −{last.left} out\n")
    moves = [(r, "▲", "green") for r in race.risers] + [(r, "▼", "red") for r in race.fallers[:2]]
    for runner, mark, style in moves:
        text.append(f"{mark} ", style)
        text.append(_move(runner, width - 2) + "\n")
    return text


def _move(runner: Runner, width: int) -> str:
    """Return user, held-out item and both ranks of a mover."""
    change = f" {rank_text(runner.before)}→{rank_text(runner.rank)}"
    name = Text(f"{clean(runner.user)}  {clean(runner.title)}")
    name.truncate(max(4, width - len(change)), overflow="ellipsis", pad=True)
    return name.plain + change
