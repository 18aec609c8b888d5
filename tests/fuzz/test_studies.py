"""Study files with anything in them: a study is continued, or one message says why it is not."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.errors import RunError
from tests.support.commands import Cli
from tests.support.fuzzing import examples

optuna = pytest.importorskip("optuna", reason="the extra [tune] is not installed")

from neumf_tui.data.options import DataOptions  # noqa: E402
from neumf_tui.search import search  # noqa: E402
from neumf_tui.search.open_study import open_study  # noqa: E402
from neumf_tui.search.plan import PlanOptions  # noqa: E402
from neumf_tui.search.space import decoded, suggest  # noqa: E402
from neumf_tui.search.study import TrialRecord, write_record, write_target  # noqa: E402
from neumf_tui.views.open_data import open_data  # noqa: E402

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "/", "..", "\0", "\x1b[2J", "s", "demo", "COMPLETE", "RUNNING", "WAITING"]
    ),
    st.sampled_from([[], {}, [[]], [1e400], {"low": 1, "high": 0}, 10**18, -1, 0, 1e308]),
)
"""What a value of a JSON text is replaced by."""
SQL_ODD = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
)


@pytest.fixture(scope="module")
def study(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a study with trials in every state."""
    home = tmp_path_factory.mktemp("study")
    shutil.copytree(shared_home, home, dirs_exist_ok=True)
    options = PlanOptions(preset="d2l", changes={"validation": True, "threads": 1})
    opened = open_study(
        home, "s", options, "demo", None, DataOptions(), lambda *names: open_data(*names[:2], home)
    )
    with opened as (found, plan, _):
        for number, state in enumerate(("done", "done", "pruned", "failed", "running")):
            trial = found.ask()
            suggest(trial, plan.space, plan.settings)
            trial.report(0.3, 1)
            if state == "running":
                continue
            record = TrialRecord(
                trial=number, run=f"s-000{number}", state=state, validation=0.3, epoch=1, epochs=2,
                seconds=1.0, reason="", searched=decoded(trial.params, plan.space, plan.settings),
            )  # fmt: skip
            write_record(trial, record)
            ends = {
                "pruned": optuna.trial.TrialState.PRUNED,
                "failed": optuna.trial.TrialState.FAIL,
            }
            found.tell(trial, 0.3 if state == "done" else None, state=ends.get(state))
        found.enqueue_trial({"dropout": 0.1})
        write_target(found, 30)
    return (home / "tune" / "s.db").read_bytes()


@pytest.fixture
def go_on(with_demo: Path, inside: Cli, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that continues a study file, up to where a trainer would start."""

    def no_trainer(*_: object) -> None:
        raise RunError("no trainer here")

    monkeypatch.setattr(search, "make_run", no_trainer)
    file = with_demo / "tune" / "s.db"
    file.parent.mkdir()

    def run() -> None:
        done = inside("tune", "--study", "s", "--trials", "9", "--json")
        assert done.returncode in (1, 2, 3, 4) and done.stderr, done
        assert "Traceback" not in done.stderr and "a fault of the" not in done.stderr, done.stderr
        for journal in file.parent.glob("s.db-*"):
            journal.unlink()

    run.file = file  # type: ignore[attr-defined]
    return run


def test_the_study_itself_goes_on(study: bytes, go_on: Any, inside: Cli) -> None:
    """Otherwise the tests below would prove nothing."""
    go_on.file.write_bytes(study)
    assert "no trainer here" in inside("tune", "--study", "s", "--trials", "9").stderr
    done = inside("tune", "--study", "s", "--trials", "3", "--json")
    assert done.returncode == 0 and len(json.loads(done.stdout)["trials"]) == 6


@given(data=st.data())
@examples(6)
def test_any_bytes(data: st.DataObject, study: bytes, go_on: Any) -> None:
    content = bytearray(study)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        kind = data.draw(st.sampled_from(["flip", "write", "cut", "zero"]))
        if kind == "flip":
            content[place] ^= 1 << data.draw(st.integers(0, 7))
        elif kind == "write":
            new = data.draw(st.binary(min_size=1, max_size=16))
            content[place : place + len(new)] = new
        elif kind == "cut":
            del content[max(1, place) :]
        else:
            content[place : place + 512] = bytes(len(content[place : place + 512]))
    go_on.file.write_bytes(content)
    go_on()


@given(data=st.data())
@examples(10)
def test_any_values_in_the_tables(data: st.DataObject, study: bytes, go_on: Any) -> None:
    go_on.file.write_bytes(study)
    with closing(sqlite3.connect(go_on.file, isolation_level=None)) as database:
        names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        tables = [row[0] for row in database.execute(names)]
        for _ in range(data.draw(st.integers(1, 2))):
            table = data.draw(st.sampled_from(tables))
            found = database.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid")
            columns = [column[0] for column in found.description]
            rows = found.fetchall()
            if not rows:
                continue
            row, column = (
                data.draw(st.sampled_from(rows)),
                data.draw(st.integers(1, len(columns) - 1)),
            )
            value = _changed(row[column], data)
            try:
                if data.draw(st.integers(0, 9)) == 0:
                    database.execute(f"DELETE FROM {table} WHERE rowid = ?", (row[0],))
                else:
                    database.execute(
                        f"UPDATE {table} SET {columns[column]} = ? WHERE rowid = ?", (value, row[0])
                    )
            except sqlite3.Error:
                continue
    go_on()


def _changed(value: Any, data: st.DataObject) -> Any:
    """Return another value: of a JSON text mostly one with a change somewhere in it."""
    if isinstance(value, str) and value.startswith("{") and data.draw(st.integers(0, 5)):
        tree = json.loads(value)
        at = tree
        while True:
            key = data.draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
            inner = at[key]
            if not (isinstance(inner, dict | list) and inner) or data.draw(st.integers(0, 4)) == 0:
                break
            at = inner
        if isinstance(at, dict) and data.draw(st.integers(0, 5)) == 0:
            at[data.draw(st.text(max_size=5))] = at.pop(key)
        else:
            at[key] = data.draw(ODD)
        return json.dumps(tree)
    return data.draw(SQL_ODD)


@pytest.mark.parametrize(
    "script",
    [
        "DROP TABLE studies; CREATE VIEW studies AS WITH RECURSIVE n(study_id, study_name) AS "
        "(SELECT 1, 's' UNION ALL SELECT study_id + 1, study_name FROM n) SELECT * FROM n",
        "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM studies; END",
        "CREATE VIRTUAL TABLE v USING fts5(x)",
    ],
)
def test_programs_in_a_database_are_refused(
    script: str, study: bytes, go_on: Any, inside: Cli
) -> None:
    go_on.file.write_bytes(study)
    with closing(sqlite3.connect(go_on.file)) as database:
        database.executescript(script)
    done = inside("tune", "--study", "s", "--trials", "9")
    assert done.returncode == 4 and "is not a table of a study" in done.stderr


@pytest.mark.parametrize("ending", ["", "-journal", "-wal", "-shm"])
def test_links_are_not_followed(ending: str, study: bytes, go_on: Any, inside: Cli) -> None:
    precious = go_on.file.with_name("precious")
    precious.write_bytes(study)
    go_on.file.write_bytes(study)
    link = go_on.file.with_name(f"s.db{ending}")
    link.unlink(missing_ok=True)
    link.symlink_to(precious)
    done = inside("tune", "--study", "s", "--trials", "9")
    assert (
        done.returncode != 0 and "symbolic link" in done.stderr and "Traceback" not in done.stderr
    )
    assert precious.read_bytes() == study
