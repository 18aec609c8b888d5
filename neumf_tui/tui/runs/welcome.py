"""Four ways to a new run: the runs screen shows them while there is no run, and when asked."""

import os
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from neumf_tui.data.progress import Progress
from neumf_tui.home import expanded
from neumf_tui.runs.contents import remove_run
from neumf_tui.settings import did_you_mean
from neumf_tui.text import clean
from neumf_tui.tui.base_screen import BaseScreen
from neumf_tui.tui.keys import bindings, hidden
from neumf_tui.tui.terminal.themed import Static
from neumf_tui.tui.widgets.dialogs import AskDialog
from neumf_tui.tui.work import Cancelled
from neumf_tui.views.progress_line import line_of

WAYS = {
    "demo": ("1  Train on demo data", "700 simulated users; built in, takes a minute"),
    "ml-100k": ("2  Train on MovieLens 100K", "943 people; fetched if need be (5 MB)"),
    "file": ("3  Train on a file of yours", "CSV, Parquet, JSON, …; asks for its path"),
    "adopt": ("4  Adopt a model", "trained elsewhere; shows the command"),
}
"""What can be chosen: title and explanation."""
ADOPT = (
    "In the shell, with the model's files and its data:\n"
    "  neumf-tui adopt FILE… --dataset ml-100k\n"
    "  neumf-tui adopt FILE… --data-dir DATA\n"
    "`neumf-tui adopt --help` says which files it reads."
)
TALK_SECONDS = 0.2
"""Time between two texts on the progress of long work."""


class Welcome(VerticalScroll, can_focus=False):
    """A list to choose from, and what is being done."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(
        "welcome",
        *(
            hidden(title[0], f"choose('{way}')", title[3:], key_id=way)
            for way, (title, _) in WAYS.items()
        ),
    )

    @dataclass
    class Chosen(Message):
        """One of WAYS was chosen."""

        way: str

    def compose(self) -> ComposeResult:
        yield Static(id="welcome-asks", markup=False)
        options = (
            Option(Text.assemble((title, "bold"), f"\n   {about}"), id=way)
            for way, (title, about) in WAYS.items()
        )
        yield OptionList(*options)
        yield Static(id="welcome-says", markup=False)

    def ask(self, has_runs: bool) -> None:
        """Ask how to start the first run, or another one."""
        first = "A new run" if has_runs else "No runs here yet"
        back = " Esc: back to the list" if has_runs else ""
        self.query_one("#welcome-asks", Static).update(f"{first}. How do you want to start?{back}")
        self.query_one(OptionList).focus()

    def say(self, text: str) -> None:
        """Show what is being done, or what went wrong."""
        self.query_one("#welcome-says", Static).update(text)
        self.call_after_refresh(self.scroll_end, animate=False)  # where it is longer than the room

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_choose(event.option_id or "")

    def action_choose(self, way: str) -> None:
        self.query_one(OptionList).highlighted = [*WAYS].index(way)
        self.post_message(self.Chosen(way))


@dataclass
class Progressed(Message):
    """How far the preparation of a dataset is."""

    text: str


class FirstRun:
    """Starts a training from the welcome of a screen."""

    def __init__(self, screen: BaseScreen, home: Path, opened: Callable[[Path], None]) -> None:
        """`opened` is called with the folder of the new run."""
        self._screen, self._home, self._opened = screen, home, opened

    def start(self, way: str) -> None:
        """Do what was chosen, unless something is being done."""
        if self._screen.waiting("start"):
            return
        if way == "adopt":
            self._say(ADOPT)
        elif way == "file":
            self._ask_path("", "")
        else:
            self._train(way, None, self._say)

    def _say(self, text: str) -> None:
        self._screen.query_one(Welcome).say(text)

    def _ask_path(self, path: str, problem: str) -> None:
        def answer(line: str | None) -> None:
            if line is not None:
                self._train("auto", expanded(Path(line)).absolute(), partial(self._ask_path, line))

        question = "File or folder of your ratings, purchases, plays: who had what, and when"
        self._screen.app.push_screen(
            AskDialog(question, path or f"{Path.cwd()}{os.sep}", path_problem, "Train", problem),
            answer,
        )

    def _train(self, dataset: str, path: Path | None, failed: Callable[[str], None]) -> None:
        what = str(path) if path else dataset
        self._say(f"Opening {clean(what)} …")
        told = 0.0

        def report(progress: Progress) -> None:
            nonlocal told
            if time.monotonic() - told > TALK_SECONDS:
                told = time.monotonic()
                self._screen.post_message(Progressed(line_of(progress, 0, 0.0)))

        def talk(text: str) -> None:
            self._screen.post_message(Progressed(text))

        def work(cancelled: Cancelled) -> Path | None:
            return start_training(self._home, dataset, path, talk, report, cancelled)

        def then(folder: Path | None) -> None:
            self._say("")
            if folder is not None:
                self._opened(folder)

        def fail(problem: str) -> None:
            self._say("")
            flags = f"\nWith flags: neumf-tui train --data-dir {clean(shlex.quote(str(path)))}"
            failed(f"{clean(problem)}{flags if path else ''}")

        self._screen.ask("start", work, then, fail)


def start_training(
    home: Path,
    dataset: str,
    path: Path | None,
    talk: Callable[[str], None],
    report: Callable[[Progress], None],
    cancelled: Cancelled,
) -> Path | None:
    """Prepare a dataset, start a training with the default preset, and return the run's folder.

    None where nobody waits for it any more. Raises NeumfTuiError, OSError.
    """
    from neumf_tui.data.registry import open_dataset
    from neumf_tui.runs.create_run import make_run
    from neumf_tui.runs.launch import launch_trainer
    from neumf_tui.runs.store import new_run_name
    from neumf_tui.settings import DEFAULT_PRESET, make_settings

    data = open_dataset(dataset, path, home, talk, report)
    if cancelled():
        return None
    settings = make_settings(DEFAULT_PRESET, {})
    folder = make_run(home, data, new_run_name(home, None), DEFAULT_PRESET, settings)
    try:
        launch_trainer(folder, home)
    except BaseException:
        remove_run(folder)
        raise
    return folder


def path_problem(line: str) -> str:
    """Return why no dataset can be at this path; empty if one can."""
    if not line:
        return "type the path of a file or a folder"
    path = expanded(Path(line)).absolute()
    if path.exists():
        return (
            "" if os.access(path, os.R_OK) else f"{clean(line)}: this cannot be read; change that"
        )
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return f"{clean(str(path.parent))}: there is no such folder"
    hint = did_you_mean(path.name, names, "check its name")
    return clean(f"{path.name} is not in {path.parent}; {hint}")
