"""`adopt`: make a run of weights that were trained elsewhere."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neumf_tui.cli.data_flags import data_flags
from neumf_tui.cli.options import DataDir, DatasetName, Home, Json, home_of
from neumf_tui.data.options import DataOptions
from neumf_tui.errors import UsageError
from neumf_tui.views.open_data import open_data

if TYPE_CHECKING:
    from neumf_tui.adopt.contents import Side
    from neumf_tui.adopt.rows import Given
    from neumf_tui.runs.events import ModelKind

_SIMILARITIES = ("dot", "cosine")
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…",
        help=".pt .pth .safetensors .npz .npy .parquet .csv .tsv",
        show_default=False,
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the run. [default: drawn]")]
As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="KIND",
        help="neumf, vectors, item-item, scores or top-k. [default: told by names and shapes]",
    ),
]
Similarity = Annotated[
    str, typer.Option(metavar="dot|cosine", help="How vectors of users and items are compared.")
]
Rows = Annotated[
    str | None,
    typer.Option(
        metavar="order|id|id-1",
        help="Row k is that of the k-th id of the dataset, of id k, or of id k + 1. "
        "[default: order]",
    ),
]
UserIds = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The user of each row: one id a line, or .npy.")
]
ItemIds = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The item of each row: one id a line, or .npy.")
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        metavar="METRIC=VALUE",
        help="A metric reported elsewhere, such as hit@50=0.361; can be repeated. Unless it holds "
        "to its last digit, no run is made, and the exit code is 1.",
    ),
]


@data_flags
def adopt(
    files: Files,
    dataset: DatasetName = "auto",
    data_dir: DataDir = None,
    name: Name = None,
    kind: As = None,
    similarity: Similarity = "dot",
    rows: Rows = None,
    user_ids: UserIds = None,
    item_ids: ItemIds = None,
    expect: Expect = None,
    json: Json = False,
    home: Home = None,
    *,
    data_options: DataOptions,
) -> None:
    """Make a run of a model trained elsewhere, to explore and compare it like any other.

    A file holds a NeuMF (names as in Dive into Deep Learning, RecBole, Cornac, guoyang9/NCF,
    yihong-chen's, or ours), or `users` and `items` (vectors; `user_bias`, `item_bias`), or
    `weights` (items × items, dense or scipy's sparse .npz), or `scores` (users × items), or is a
    table with the columns user, item and score. Nothing in it is run.

    Several files: those with `user` or `item` in their names are parts of one model (user.npy
    item.npy). Others are its epochs, by the numbers in their names (epoch-1.pt epoch-2.pt).
    """
    from neumf_tui.adopt.check import parse_expectations
    from neumf_tui.adopt.read import check_file
    from neumf_tui.runs.store import new_run_name
    from neumf_tui.views.adopt import outcome_object, print_outcome
    from neumf_tui.views.output import print_json
    from neumf_tui.views.progress_line import ProgressLine

    if similarity not in _SIMILARITIES:
        raise UsageError(f"--similarity {similarity}: expected dot or cosine")
    expected = parse_expectations(expect or [])
    where, model = home_of(home), _kind_of(kind)
    run, given = new_run_name(where, name), _given(rows, user_ids, item_ids)
    for file in files:
        check_file(file)
    data = open_data(dataset, data_dir, where, data_options)
    from neumf_tui.adopt.adopt import Order
    from neumf_tui.adopt.adopt import adopt as make

    order = Order(run, files, model, similarity == "cosine", given, expected)
    with closing(ProgressLine()) as progress:
        outcome = make(where, data, order, progress)
    print_json(outcome_object(outcome)) if json else print_outcome(outcome)


def _kind_of(text: str | None) -> "ModelKind | None":
    from neumf_tui.adopt.layouts import KINDS

    if text is None:
        return None
    for kind in KINDS:
        if text.replace("-", "_") == kind:
            return kind
    names = ", ".join(kind.replace("_", "-") for kind in KINDS)
    raise UsageError(f"--as {text}: expected one of {names}")


def _given(rows: str | None, user_ids: Path | None, item_ids: Path | None) -> "Given":
    from neumf_tui.adopt.rows import RULES, Given, read_ids

    if rows not in (None, *RULES):
        raise UsageError(f"--rows {rows}: expected {', '.join(RULES[:-1])} or {RULES[-1]}")
    if rows and user_ids and item_ids:
        raise UsageError("--rows, --user-ids and --item-ids: the ids say it all; leave --rows out")
    ids: dict[Side, list[str]] = {}
    if user_ids:
        ids["user"] = read_ids(user_ids)
    if item_ids:
        ids["item"] = read_ids(item_ids)
    return Given(rows, ids)
