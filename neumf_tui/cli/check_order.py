"""`check-order`: test how much of a run's metrics comes from how equal timestamps are ordered."""

from contextlib import closing
from typing import Annotated

import typer

from neumf_tui.cli.options import Home, Run, home_of, run_folder, sheet_forms


@sheet_forms
def check_order(
    run: Run = None,
    rounds: Annotated[
        int,
        typer.Option(min=1, max=100, metavar="R", help="Trainings in each order."),
    ] = 3,
    home: Home = None,
    *,
    form: str,
) -> None:
    """Test how much of a run's metrics comes from the order of equal timestamps.

    A file that is sorted by item lets item ids decide which of several interactions at the same
    time is the latest: metrics then measure the file. The check trains R times each in the run's
    own order, with interactions of the same time in a random order, and with each user's whole
    history in a random order, and compares Hit@50, NDCG@10 and AUC, of the model and of popularity.
    Each training takes as long as the run did, with the settings of the run, which `neumf-tui train
    --help` explains; validation chooses the epoch as in the run. No run is created.
    """
    folder, where = run_folder(home, run), home_of(home)
    from neumf_tui.runs.reader import read_info
    from neumf_tui.settings import check
    from neumf_tui.training.order import check_order as compare_orders
    from neumf_tui.training.order import check_run, load_timed
    from neumf_tui.views.order import order_sheet, print_order
    from neumf_tui.views.output import print_sheet
    from neumf_tui.views.progress_line import ProgressLine

    info = read_info(folder)
    check_run(info)
    with closing(ProgressLine()) as progress:
        data = load_timed(info, where, folder, progress)
        result = compare_orders(data, check(info.settings), rounds, progress)
    print_sheet(order_sheet(info, data, result), form, print_order)
