"""`mirror`: copy a run's curves to TensorBoard, Weights & Biases or MLflow."""

from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, run_folder

To = Annotated[
    str,
    typer.Option("--to", metavar="tensorboard:DIR|wandb[:PROJECT]|mlflow[:URI]", help="Where to."),
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
    sink = open_sink(to, read_info(folder))
    say(f"copying {folder.name} to {to}")
    try:
        status = copy(folder, sink, say, once=once)
    except KeyboardInterrupt:
        say("the copy is not whole; the same command continues it")
        raise typer.Exit(130) from None
    say(f"copied {folder.name} as far as epoch {status.epoch}: {status.state}")
