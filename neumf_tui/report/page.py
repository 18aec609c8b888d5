"""Make the page of a run and write it as HTML, in which every text from data is only text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from neumf_tui.errors import NeumfTuiError
from neumf_tui.report.content import Drawing, Page, Part, Section, Table
from neumf_tui.report.people import people
from neumf_tui.report.sections import (
    Run,
    baselines,
    cohorts,
    curves,
    failed,
    figures,
    lead,
    open_run,
    protocol,
    settings,
)
from neumf_tui.text import clean

ENDINGS = (".html", ".htm")


@dataclass(frozen=True)
class Chapter:
    """A section that a run may not have."""

    key: str
    title: str
    make: Callable[[Run], Sequence[Part]]


CHAPTERS = (
    Chapter("protocol", "How it was measured", protocol),
    Chapter("curves", "How it learned", curves),
    Chapter("baselines", "Beside simpler models", baselines),
    Chapter("cohorts", "For which people it works", cohorts),
    Chapter("failed", "Whom it fails", failed),
    Chapter("people", "Three people", people),
    Chapter("settings", "Settings", settings),
)


def make_page(folder: Path, home: Path) -> Page:
    """Return the page of a run; raises RunError if it cannot be read.

    A section that cannot be made is one sentence that says why.
    """
    run = open_run(folder, home)
    sections = [_section(chapter, run) for chapter in CHAPTERS]
    return Page(run.info.name, lead(run), figures(run), sections)


def _section(chapter: Chapter, run: Run) -> Section:
    try:
        parts = chapter.make(run)
    except (NeumfTuiError, OSError) as error:
        # The page is for others, whom the folders of this machine do not concern.
        problem = str(error)
        for place in (run.folder.parent, run.home):
            problem = problem.replace(f"{place}/", "")
        parts = [Part("", [f"This section is left out: {problem}."])]
    return Section(chapter.key, chapter.title, parts)


def page_html(page: Page) -> str:
    """Return the page as one HTML document without scripts and without addresses."""
    environment = Environment(
        loader=PackageLoader("neumf_tui", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["table"] = lambda shown: isinstance(shown, Table)
    environment.tests["drawing"] = lambda shown: isinstance(shown, Drawing)
    return environment.get_template("page.html").render(page=page)


def _harmless(value: Any) -> Any:
    # Escaping leaves control characters and overrides of the writing direction.
    return clean(value) if type(value) is str else value
