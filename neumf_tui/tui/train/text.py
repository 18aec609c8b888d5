"""The train screen's lines and panels as text; pure, from what has been read of a run."""

from rich.text import Text

from neumf_tui.explore.race import Race, Runner
from neumf_tui.runs.events import FINAL_STATES, RunInfo, Status
from neumf_tui.runs.protocol import is_optimistic, protocol_line, protocol_of
from neumf_tui.runs.snapshot import Snapshot
from neumf_tui.text import clean, clock, rank_text, si
from neumf_tui.tui.widgets.chart_text import STATE_STYLES


def head(
    info: RunInfo, name: str, status: Status, snapshot: Snapshot, link: str, width: int
) -> Text:
    """Program, run and data on the left; state, time and bytes a second on the right."""
    left = Text.assemble(
        ("neumf-tui", "bold"),
        " ▸ train  ",
        (clean(name), "bold"),
        f"  {info.dataset.label}  {info.preset}  {status.device}",
    )
    state = Text(
        f"● {status.state} {clock(snapshot.seconds(status))}",
        STATE_STYLES.get(status.state, "bold red"),
    )
    if link and width >= 76:
        state.append(f"  {link:>9}", "default")
    room = width - 2 - state.cell_len
    left.truncate(room - 1, overflow="ellipsis")
    left.pad_right(max(1, room - left.cell_len))
    return left + state


def standing_notice(info: RunInfo, width: int) -> tuple[str, bool]:
    """What stands on the screen for as long as it is open, in about `width` cells: of the data, and the protocol; and whether
    the figures are to be read with care."""
    simulated, protocol = "", protocol_of(info)
    if info.dataset.simulated:
        fallback = [n for n in info.dataset.notices if n.startswith("demo data")]
        simulated = clean(fallback[0]) if fallback else "simulated viewers"
    return protocol_line(protocol, width, simulated), bool(simulated) or is_optimistic(protocol)


def progress(info: RunInfo, status: Status, snapshot: Snapshot, width: int) -> Text:
    """Epoch, bar, step, speed, time left, newest checkpoint; or why the run ended."""
    if status.state in ("failed", "crashed"):
        return Text(clean(status.reason), "bold red")
    if status.state == "damaged":
        return Text("this run cannot be read", "bold red")
    if snapshot.started is None:
        begun = status.state not in FINAL_STATES
        return Text(
            "starting the trainer (loading PyTorch takes a moment)"
            if begun
            else "events.jsonl tells of no training"
        )
    epochs, per_epoch = snapshot.planned or info.epochs, snapshot.started.steps
    done = int(snapshot.points.steps[-1]) if len(snapshot.points) else 0
    total = per_epoch * epochs
    share = min(1.0, done / total) if total else 1.0
    epoch = status.epoch if status.evaluated else min(epochs, done // per_epoch + 1)
    if status.state == "finished" and status.reason:
        return Text(f"epoch {status.epoch}/{epochs}  {clean(status.reason)}")
    size = max(6, min(24, width - 76))
    filled = round(share * size)
    bar = Text.assemble(("━" * filled, "bold"), ("━" * (size - filled), "dim"))
    step = f"step {done - (epoch - 1) * per_epoch:>{len(str(per_epoch))}}/{per_epoch}"
    rest = [f"{share:4.0%}", f"evaluating {status.evaluated:.0%}" if status.evaluated else step]
    if snapshot.epochs:
        rest.append(f"{si(snapshot.epochs[-1].examples_per_second)} examples/s")
    first = snapshot.started.epoch * per_epoch + snapshot.started.step
    if status.state == "running" and done > first:
        spent = max(snapshot.seconds(status) - float(snapshot.elapsed(snapshot.started.t)), 1e-3)
        rest.append(f"eta {clock((total - done) * spent / (done - first))}")
    if snapshot.checkpoint:
        rest.append(f"ckpt {snapshot.checkpoint.file.removesuffix('.safetensors')}")
    room = width - 2 - len(f"epoch {epoch}/{epochs}  ") - size
    while len("  ".join(rest)) > room and len(rest) > 1:
        rest.pop()  # whole figures go, for half a number is another one
    return Text.assemble(f"epoch {epoch}/{epochs} ", bar, " " + "  ".join(rest))


def epoch_panel(race: Race, snapshot: Snapshot, width: int) -> Text:
    """Held-out films that entered and left the top 50, and the biggest movers by name."""
    if not snapshot.evaluations:
        return Text("after the first evaluation", "dim")
    last = snapshot.evaluations[-1]
    text = Text()
    text.append(f"+{last.entered} into the top 50  −{last.left} out\n")
    movers = [(r, "▲", "green") for r in race.risers] + [(r, "▼", "red") for r in race.fallers[:2]]
    for runner, mark, style in movers:
        text.append(f"{mark} ", style)
        text.append(_moved(runner, width - 2) + "\n")
    return text


def _moved(runner: Runner, width: int) -> str:
    change = f" {rank_text(runner.before)}→{rank_text(runner.rank)}"
    title = Text(clean(runner.title))
    title.truncate(max(4, width - len(change)), overflow="ellipsis", pad=True)
    return title.plain + change
