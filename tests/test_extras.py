"""A package of an extra that is missing is named with the line that installs it."""

from pathlib import Path

import pytest

from neumf_tui.errors import UsageError
from neumf_tui.extras import require


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "broken_one.py").write_text("import nothing_of_that_name\n")
    require("this test", "test", "pytest")
    for package, says in (
        ("no_such_package", "is not installed"),
        ("only_a_folder", "is not installed"),
        ("broken_one", "cannot be loaded (No module named 'nothing_of_that_name')"),
    ):
        with pytest.raises(UsageError) as told:
            require("--to x", "extra", package)
        wanted = f"--to x needs the package {package}, which {says}: pip install 'neumf-tui[extra]'"
        assert str(told.value) == wanted
