"""`plot`: draw a run, or several, for a paper."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli import complete, options
from neumf_tui.cli.options import Force, Home
from neumf_tui.errors import UsageError

Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]…",
        help="Runs to draw over one another; RUN@EPOCH for cohorts and compare. "
        "[default: the latest run]",
        autocompletion=complete.runs,
    ),
]
What = Annotated[
    str,
    typer.Option(metavar="NAME", help="What to draw: curves, race, cohorts, journey or compare."),
]
Out = Annotated[
    Path | None,
    typer.Option(help="File to write: .svg, .pdf or .png. [default: RUN-WHAT.svg in this folder]"),
]
UserIds = Annotated[
    list[str] | None,
    typer.Option(
        "--user",
        metavar="ID",
        help="A user of the race, or of the journey; can be repeated for the race. [default of the "
        "race: pinned users]",
        autocompletion=complete.users,
    ),
]
Width = Annotated[float, typer.Option(metavar="INCHES", help="Width; 7 spans two columns.")]
Height = Annotated[
    float | None, typer.Option(metavar="INCHES", help="Height. [default: as the content needs]")
]


def plot(
    runs: Runs = None,
    what: What = "curves",
    out: Out = None,
    user: UserIds = None,
    width: Width = 3.5,
    height: Height = None,
    force: Force = False,
    home: Home = None,
) -> None:
    """Draw curves, ranks, cohorts or a comparison for a paper, and print the file's path.

    The caption, with the protocol, is printed on stderr and is in the file. Colours, dashes and
    markers can be told apart by people with colour blindness, and in print without colours. Needs
    the package matplotlib (pip install 'neumf-tui[paper]').
    """
    from neumf_tui.figures.picture import ENDINGS, SIZES, check_matplotlib, save_picture
    from neumf_tui.figures.plot import check_request, make_picture
    from neumf_tui.home import expanded
    from neumf_tui.runs.store import split_spec
    from neumf_tui.views.output import print_line, say
    from neumf_tui.views.sheet import check_target, write_new

    specs: list[tuple[str | None, str | None]] = [split_spec(run) for run in runs or ()]
    specs = specs or [(None, None)]
    chosen = user or []
    check_request(what, len(specs), [which for _, which in specs], len(chosen))
    for name, size in (("--width", width), ("--height", height)):
        if size is not None and not SIZES[0] <= size <= SIZES[1]:
            raise UsageError(f"{name} {size:g}: expected {SIZES[0]:g} to {SIZES[1]:g} inches")
    check_matplotlib()
    models = [(options.run_folder(home, run), which) for run, which in specs]
    name = "-".join(folder.name for folder, _ in models)[:100]
    path = expanded(out or Path(f"{name}-{what}.svg")).absolute()
    if problem := check_target(path, ENDINGS, force):
        raise UsageError(problem)
    picture = make_picture(what, models, options.home_of(home), chosen)
    warnings: list[str] = []
    write_new(
        path,
        lambda file: warnings.extend(save_picture(picture, file, path.suffix[1:], width, height)),
        force,
    )
    for warning in warnings:
        say(f"warning: {warning}")
    say(f"caption: {picture.caption}")
    print_line(str(path))
