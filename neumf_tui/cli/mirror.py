"""`mirror`: copy a run's curves to TensorBoard, Weights & Biases or MLflow."""

from signal import SIGINT, SIGTERM, signal
from threading import Event
from types import FrameType
from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, run_folder

To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="TARGET",
        help="Where to: tensorboard:DIR, wandb[:PROJECT] or mlflow[:URI].",
    ),
]
Once = Annotated[
    bool, typer.Option("--once", help="Copy what is there now; do not wait for the run to end.")
]


def mirror(to: To, run: Run = None, once: Once = False, home: Home = None) -> None:
    """Copy a run's curves, metrics and rank histograms to another program while it trains.

    It reads the run's files, so it slows no training and works for every kind of run. It ends with
    the run, or with Ctrl-C; the same command continues the copy without repeating points. Settings
    become hyper-parameters. TensorBoard discards what a resumed run has gone back behind; the
    others keep those points. Needs the package of the target (pip install
    'neumf-tui[tensorboard]', [wandb] or [mlflow]).
    """
    from neumf_tui.mirrors.copier import mirror as copy
    from neumf_tui.mirrors.targets import open_sink
    from neumf_tui.runs.reader import read_info
    from neumf_tui.views.output import say

    folder = run_folder(home, run)
    sink = open_sink(to, folder, read_info(folder))
    say(f"copying {folder.name} to {to}")
    caught: list[int] = []
    stopped = Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if caught:
            raise SystemExit(128 + number)  # the second signal: leave at once
        caught.append(number)
        stopped.set()

    # In the middle of a batch an interrupt would leave points that nobody remembers.
    before = {number: signal(number, stop) for number in (SIGINT, SIGTERM)}
    try:
        status = copy(folder, sink, say, once=once, stop=stopped.wait)
    finally:
        for number, handler in before.items():
            signal(number, handler)
    if caught:
        say("the copy is not whole; the same command continues it")
        raise typer.Exit(128 + caught[0])
    say(f"copied {folder.name} as far as epoch {status.epoch}: {status.state}")
