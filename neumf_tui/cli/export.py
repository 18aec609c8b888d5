"""`export`: write a run's ranks, top lists or embeddings into a file for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.lookup import open_ranker
from neumf_tui.cli.options import CsvSafe, Epoch, Force, Home, Run, home_of, run_folder
from neumf_tui.errors import UsageError


def export(
    run: Run = None,
    what: Annotated[
        str, typer.Option(metavar="ranks|top-k|embeddings", help="What to write.")
    ] = "ranks",
    form: Annotated[
        str, typer.Option("--format", metavar="csv|parquet|npz", help="Format of the file.")
    ] = "csv",
    output: Annotated[
        Path | None,
        typer.Option(help="Path of the file. [default: RUN-WHAT.FORMAT in this folder]"),
    ] = None,
    top: Annotated[int, typer.Option(help="Items per user in top-k.")] = 50,
    epoch: Epoch = None,
    force: Force = False,
    csv_safe: CsvSafe = False,
    home: Home = None,
) -> None:
    """Write held-out ranks, all users' top items or the embeddings to a file and print its path."""
    from neumf_tui.explore import export as columns
    from neumf_tui.home import expanded
    from neumf_tui.runs.reader import read_info
    from neumf_tui.views.column_files import FORMATS, write_columns
    from neumf_tui.views.output import print_line
    from neumf_tui.views.sheet import CSV_SAFE, check_target
    from neumf_tui.views.sheet_keys import dataset_keys

    if what not in columns.WHAT:
        raise UsageError(f"--what {what}: expected one of {', '.join(columns.WHAT)}")
    if form not in FORMATS:
        raise UsageError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    if what == "ranks" and epoch is not None:
        raise UsageError(
            "--epoch: ranks are written for every evaluated epoch; leave it out, or add "
            "--what top-k or --what embeddings"
        )
    if csv_safe and form != "csv":
        raise UsageError(f"--csv-safe: not with --format {form}; leave one out")
    folder, at = run_folder(home, run), home_of(home)
    path = expanded(output or Path(f"{folder.name}-{what}.{form}")).absolute()
    if problem := check_target(path, (path.suffix,), force):  # before long work, not after it
        raise UsageError(problem)
    if what == "ranks":
        from neumf_tui.explore.users import load_users

        found = columns.rank_columns(load_users(folder, at))
    elif what == "top-k":
        found = columns.top_columns(open_ranker(folder, at, epoch), top)
    else:
        found = columns.embedding_arrays(open_ranker(folder, at, epoch))
        if form != "npz":
            found = columns.embedding_columns(found)
    about = dataset_keys(read_info(folder).dataset)
    write_columns(found, about, path, CSV_SAFE if csv_safe else form, force)
    print_line(str(path))
