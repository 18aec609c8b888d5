"""`datasets`: list the datasets, or show what was understood of one."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import AcceptUnverified, DataDir, DatasetName, Home, Json, home_of
from neumf_tui.data.options import DataOptions
from neumf_tui.errors import DatasetError, UsageError


@data_flags
def datasets(
    path: Annotated[
        str | None,
        typer.Argument(metavar="[PATH]", help="A folder, a file, or the name of a dataset."),
    ] = None,
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    accept_unverified: AcceptUnverified = False,
    json: Json = False,
    home: Home = None,
    *,
    data_options: DataOptions,
) -> None:
    """List the datasets; or read one and show what was understood, before anybody trains.

    It shows files, columns, counts, times and the split, what was left out and why, and the command
    that trains on it. Which dataset, and how it is read and split, can also be said with the flags
    of `train`.
    """
    where = home_of(home)
    if (path, dataset, data_dir, data_options) == (None, "auto", None, DataOptions()):
        _print_list(json, where)
        return
    if path is not None:
        if data_dir is not None:
            raise UsageError(f"{path} and --data-dir {data_dir}: give only one of them")
        dataset, data_dir = _name_and_folder(path, dataset, where)
    from neumf_tui.explore.dataset_counts import count_dataset
    from neumf_tui.views.dataset import dataset_object, print_dataset, train_command
    from neumf_tui.views.open_data import open_data
    from neumf_tui.views.output import print_json

    data = open_data(dataset, data_dir, where, data_options, accept_unverified, tell_notices=False)
    flags = [] if dataset == "auto" else ["--dataset", dataset]
    flags += [] if data_dir is None else ["--data-dir", str(data_dir)]
    counts, train = count_dataset(data), train_command(data, flags)
    if json:
        print_json(dataset_object(data, counts, train))
    else:
        print_dataset(data, counts, train)


def _name_and_folder(path: str, dataset: str, home: Path) -> tuple[str, Path | None]:
    """Return a dataset's name and its folder or file; a folder goes before a name."""
    from neumf_tui.data.registry import known_datasets
    from neumf_tui.home import expanded

    place = expanded(Path(path))
    if place.exists() or "/" in path:
        return dataset, place
    if path not in {"auto", *(known.name for known in known_datasets(home))}:
        raise DatasetError(
            f"{path}: there is no such folder or file, and no dataset of this name; name the path "
            "of your data, or one that `neumf-tui datasets` lists"
        )
    if dataset != "auto":
        raise UsageError(f"{path} and --dataset {dataset}: give only one of them")
    return path, None


def _print_list(json: bool, home: Path) -> None:
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.views.output import column, print_json, print_rows

    known = [dataclasses.asdict(row) for row in known_datasets(home)]
    if json:
        print_json(known)
        return
    here = column("here", lambda row: "yes" if row["available"] else "no")
    print_rows(known, column("dataset", "name"), here, column("where", "where"))
