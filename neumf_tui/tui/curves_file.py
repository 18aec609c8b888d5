"""Ask for a file, and write the curves of runs into it: as a picture or as values."""

from collections.abc import Sequence
from pathlib import Path

from neumf_tui.home import expanded
from neumf_tui.tui.base_screen import BaseScreen
from neumf_tui.views.sheet import check_target


def ask_for_file(screen: BaseScreen, folders: Sequence[Path], home: Path) -> None:
    """Let the person name a file for the curves of `folders`, and write it in a thread."""
    from neumf_tui.figures.chart_file import ENDINGS, usual_name, write_curves

    def check(name: str) -> str:
        return check_target(expanded(Path(name)), ENDINGS) if name else "type a file name"

    def write(name: str) -> None:
        screen.change(lambda: write_curves(expanded(Path(name)), folders, home))

    question = f"File for these curves ({', '.join(ENDINGS)})"
    screen.ask_line(question, str(Path.cwd() / usual_name(folders)), check, "Save", write)
