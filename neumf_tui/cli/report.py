"""`report`: write a run as one page of HTML."""

from pathlib import Path
from typing import Annotated

import typer

from neumf_tui.cli.options import Force, Home, Run, home_of, run_folder
from neumf_tui.errors import UsageError

Out = Annotated[
    Path | None, typer.Option(help="File to write: .html. [default: RUN.html in this folder]")
]


def report(run: Run = None, out: Out = None, force: Force = False, home: Home = None) -> None:
    """Write a run as one page for people without this program, and print the file's path.

    Protocol, curves, baselines, cohorts, who is failed, and three people's lists, in one file of
    HTML without scripts, which loads nothing. Pictures need the package matplotlib (pip install
    'neumf-tui[paper]'); without it they are left out.
    """
    from neumf_tui.home import expanded
    from neumf_tui.report.page import ENDINGS, make_page, page_html
    from neumf_tui.views.output import print_line
    from neumf_tui.views.sheet import check_target, write_new

    folder = run_folder(home, run)
    path = expanded(out or Path(f"{folder.name}.html")).absolute()
    if problem := check_target(path, ENDINGS, force):
        raise UsageError(problem)
    html = page_html(make_page(folder, home_of(home))).encode()
    write_new(path, lambda file: file.write(html), force)
    print_line(str(path))
