"""The progress of a search on stderr: a live picture in a terminal, else one line a trial."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from neumf_tui.search.plan import Plan
from neumf_tui.search.space import value_text
from neumf_tui.search.state import RunningTrial, SearchState, count_by_state, preset_trial
from neumf_tui.search.study import TrialRecord
from neumf_tui.text import clean, clock
from neumf_tui.views.output import say
from neumf_tui.views.ruler import BLOCKS

Watch = Callable[[SearchState], None]
DRAW_SECONDS = 0.5  # shortest time between two drawings when the state has changed
CLOCK_SECONDS = 2.0  # the same when only the clocks have changed
_BAR_STYLES = {"done": "green", "pruned": "yellow underline"}


def settings_text(searched: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {value_text(value)}" for name, value in searched.items())


def trial_line(record: TrialRecord, state: SearchState) -> str:
    """Return one line about how a trial ended."""
    best = state.best
    count = f"{state.counted}/{state.target}" if state.target else str(state.counted)
    result = ""
    if record.validation is not None:
        result = f" validation Hit@50 {record.validation:.4f} at epoch {record.epoch}"
    if record.state == "done":
        end = f"done:{result}"
        if best == record:
            end += "  the best yet"
        elif best is not None:
            end += f"  best {best.validation:.4f}, trial {best.trial}"
    else:
        after = f"{record.epochs} epoch{'s' * (record.epochs != 1)}"
        end = f"{record.state} after {after}:{result + ';' if result else ''} {record.reason}"
    searched = settings_text(record.searched)
    return f"{count}  trial {record.trial} {end}  {clock(record.seconds)}  {searched}"


def can_draw() -> bool:
    """Return whether stderr is a terminal that can show a live picture."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def plain_watch() -> Watch:
    """Print a line when a trial ends."""
    told, stopping = -1, False

    def watch(state: SearchState) -> None:
        nonlocal told, stopping
        for number in range(told if told >= 0 else len(state.records), len(state.records)):
            until_then = replace(state, records=state.records[: number + 1])
            say(trial_line(state.records[number], until_then))
        told = len(state.records)
        if state.running and state.running.stopping == "stopped" and not stopping:
            stopping = True
            say(f"stopping trial {state.running.trial} after this step, with a checkpoint")

    return watch


@contextmanager
def live_watch(study: str, plan: Plan) -> Iterator[Watch]:
    """Draw the state of the search; the picture disappears at the end."""
    console = Console(stderr=True)
    drawn, before = 0.0, None
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def watch(state: SearchState) -> None:
            nonlocal drawn, before
            one = state.running
            news = len(state.records), one and (one.epoch, one.validation, one.stopping)
            now = time.monotonic()
            if now - drawn >= (CLOCK_SECONDS if news == before else DRAW_SECONDS):
                drawn, before = now, news
                drawing = picture(study, plan, state, console.width, console.height)
                live.update(drawing, refresh=True)

        yield watch


def picture(study: str, plan: Plan, state: SearchState, width: int, height: int) -> RenderableType:
    """Return the picture of a search, within `width` × `height` cells."""
    above = [_head(study, plan, state), _counts_line(state, width), _bars(state, width), Text()]
    foot = _line("Ctrl-C stops the trial with a checkpoint and keeps the study", "dim")
    below = [Text(), *_running_lines(state.running, width), foot]
    rows = height - len(above) - len(below) - 4  # the header's three lines, and one for the cursor
    return Group(*above, _table(state, width, max(1, rows)), *below)


def _head(study: str, plan: Plan, state: SearchState) -> Text:
    line = _line("neumf-tui ▸ tune", "bold")
    line.append(clean(f"  {study}  {plan.label}  from {plan.preset}"), style="not bold")
    if (first := preset_trial(plan, state.records)) is not None:
        line.append(f", which has {first.validation:.4f}", style="not bold dim")
    return line


def _line(text: str, style: str) -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _counts_line(state: SearchState, width: int) -> RenderableType:
    words = Text("  ").join(
        Text(f"{number} {name}", style=style) for name, number, style in _count_words(state)
    )
    if state.target:
        words.append(f"  of {state.target}", style="dim")
    if state.eta is not None:
        words.append(f"  eta {clock(state.eta)}", style="dim")
    if not state.target:
        return words
    line = Table.grid(padding=(0, 2))
    room = max(8, min(40, width - words.cell_len - 4))
    line.add_row(words, ProgressBar(state.target, state.counted, width=room))
    return line


def _count_words(state: SearchState) -> list[tuple[str, int, str]]:
    number = count_by_state(state.records)
    shades = {**_BAR_STYLES, "failed": "red", "stopped": "dim"}
    return [(name, number[name], shades[name]) for name in shades if number[name] or name == "done"]


def _bars(state: SearchState, width: int) -> Text:
    """The latest trials' validation Hit@50 as bars, as many as fit."""
    last = state.records[-(width - 20) :]
    figures = [record.validation for record in last if record.validation is not None]
    line = Text(no_wrap=True).append("each trial  ", style="dim")
    low, high = min(figures, default=0.0), max(figures, default=0.0)
    for record in last:
        if record.validation is None:
            line.append("×", style="red")
        else:
            share = (record.validation - low) / (high - low) if high > low else 1.0
            block = BLOCKS[int(share * (len(BLOCKS) - 1))]
            line.append(block, style=_BAR_STYLES.get(record.state, "dim"))
    return line


def _table(state: SearchState, width: int, rows: int) -> Table:
    """The best trials, with as many settings as fit."""
    done = sorted(
        (r for r in state.records if r.state == "done"),
        key=lambda r: (-(r.validation or 0.0), r.trial),
    )[:rows]
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for header in ("\n\ntrial", "validation\nHit@50", "at\nepoch"):
        table.add_column(header.strip(), justify="right", no_wrap=True)
    names = list(dict.fromkeys(name for record in done for name in record.searched))
    room, kept = width - len("trial  validation  epoch  "), []
    for name in names:
        cells = [*name.split("_"), *(value_text(record.searched.get(name, "–")) for record in done)]
        room -= max(map(len, cells)) + 2
        if room < -2:
            break
        kept.append(name)
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    for place, record in enumerate(done):
        figures = (str(record.trial), f"{record.validation:.4f}", str(record.epoch))
        values = (value_text(record.searched.get(name, "–")) for name in kept)
        table.add_row(*figures, *values, style="bold" if place == 0 else "")
    return table


def _running_lines(running: RunningTrial | None, width: int) -> list[RenderableType]:
    """Always three lines, so that the picture keeps its height."""
    if running is None:
        return [Text("next trial …", style="dim"), Text(), Text()]
    line = _line(f"trial {running.trial}  epoch {running.epoch}/{running.epochs}", "bold")
    if running.validation is not None:
        best = f"best {running.best:.4f} at epoch {running.best_epoch}"
        line.append(f"  validation {running.validation:.4f}, {best}", style="not bold")
    line.append(f"  {clock(running.seconds)}", style="dim")
    if running.stopping:
        line.append(f"  {running.stopping}: waiting for its trainer", style="yellow")
    text = Text(settings_text(running.searched), style="dim")
    wrapped = text.wrap(Console(width=width), width)[:2]
    return [line, *wrapped, *[Text()] * (2 - len(wrapped))]
