"""`attach`: open the screen of a run."""

import typer

from neumf_tui.cli.options import Home, LowBandwidth, Run, home_of, run_folder
from neumf_tui.cli.screen import need_screen, open_screen


def attach(run: Run = None, low_bandwidth: LowBandwidth = None, home: Home = None) -> None:
    """Open the train screen of a run that is training or has ended."""
    folder = run_folder(home, run)
    need_screen("neumf-tui status")
    raise typer.Exit(open_screen(folder, "train", home_of(home), low_bandwidth))
