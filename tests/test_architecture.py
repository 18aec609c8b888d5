"""What a command must not load; static analysis cannot see imports inside functions."""

import subprocess
import sys

import pytest

INVOKE = (
    "from neumf_tui.cli.main import app\n"
    "import typer.testing\n"
    "typer.testing.CliRunner().invoke(app, [{!r}])"
)
CASES = [
    (INVOKE.format("--help"), "torch textual pandas numpy"),
    (INVOKE.format("runs"), "torch textual pandas"),
    (INVOKE.format("status"), "torch textual pandas"),
    (
        "import neumf_tui.runs.control, neumf_tui.runs.keeper, neumf_tui.views.log",
        "torch textual pandas typer",
    ),
    (
        "import neumf_tui.doctor.examine, neumf_tui.terminal, neumf_tui.host",
        "torch textual pandas typer numpy",
    ),
    (
        "import neumf_tui.tui.app; neumf_tui.tui.app.known_keys()",
        "torch pandas typer neumf_tui.training neumf_tui.evaluation",
    ),
    (
        "import neumf_tui.data.registry, neumf_tui.data.readers.ml100k, neumf_tui.data.demo",
        "torch textual typer",
    ),
    (
        "import neumf_tui.runs.reader, neumf_tui.runs.checkpoint, neumf_tui.runs.store",
        "torch textual pandas typer",
    ),
    ("import neumf_tui.training.loop, neumf_tui.training.worker", "textual typer"),
    (
        "import neumf_tui.views.person, neumf_tui.explore.ranker",
        "textual typer neumf_tui.training neumf_tui.baselines",
    ),
    (
        "import neumf_tui.baselines.compute, neumf_tui.baselines.registry",
        "textual typer implicit neumf_tui.training",
    ),
    (
        "import neumf_tui.baselines.kept, neumf_tui.views.baselines",
        "torch textual pandas typer scipy",
    ),
    (
        "import neumf_tui.explore.users, neumf_tui.explore.journey, neumf_tui.explore.failures\n"
        "import neumf_tui.explore.compare_users",
        "torch textual typer",
    ),
    (
        "import neumf_tui.data.title_search, neumf_tui.views.sheet",
        "torch textual typer pyarrow rapidfuzz",
    ),
]


@pytest.mark.parametrize(("code", "never"), CASES)
def test_rooms_load_only_what_they_may(code: str, never: str) -> None:
    check = (
        f"{code}\nimport sys\nprint([name for name in {never.split()!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
