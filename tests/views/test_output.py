"""What commands print: nothing that a terminal executes, whole JSON, and CSV for spreadsheets."""

import io
import json
import sys
from pathlib import Path
from unicodedata import category

import numpy as np
import pyarrow.csv
import pytest

from neumf_tui.views.column_files import write_columns
from neumf_tui.views.output import print_json, print_line, print_sheet, print_table, say
from neumf_tui.views.sheet import CSV_SAFE, Sheet, json_text

HOSTILE = "a\x1b[31m\x9b1m\x7f\u202eb\u2066\u200f\ud800\U000e0001\n\r\t\0é–"


def sheet_of(*titles: str) -> Sheet:
    about = {"dataset": "demo", "simulated": True}
    rows = [{"title": title, "tags": [title], "score": -1.5} for title in titles]
    return Sheet("films", about, "items", rows, ("title", "tags", "score"))


def test_no_form_of_output_prints_what_a_terminal_executes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sheet = sheet_of(HOSTILE)
    say(HOSTILE)
    print_line(HOSTILE)
    print_table((HOSTILE, "b"), [(HOSTILE, HOSTILE)])
    print_json({HOSTILE: HOSTILE})
    for form in ("json", "csv", CSV_SAFE):
        print_sheet(sheet, form, lambda _: None)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        found = [c for c in text if c != "\n" and category(c) in ("Cc", "Cs", "Zl", "Zp")]
        assert found == [] and "b" in text
        assert "\u202e" not in text and "\u2066" not in text


def test_json_is_whole_though_it_is_escaped() -> None:
    value = {HOSTILE: [HOSTILE, 1.5, None, True, "plain", "日本 שלום 😀"]}
    text = json_text(value)
    assert [c for c in text if not (c.isprintable() or c == "\n")] == []
    assert json.loads(text) == value
    assert "日本 שלום 😀" in text, "letters of any script stay"
    assert "\\u009b" in text and "\\u202e" in text and "\\udb40\\udc01" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_json_is_whole_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding=encoding, errors="replace"))
    print_json([HOSTILE, "日本"])
    print_line("é–日")
    sys.stdout.flush()
    *lines, last = raw.getvalue().decode(encoding).splitlines()
    assert json.loads("\n".join(lines)) == [HOSTILE, "日本"]
    assert last.endswith("?") and len(last) == 3


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]


def test_csv_for_spreadsheets_has_no_formulas(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sheet = sheet_of(*FORMULAS, "plain")
    print_sheet(sheet, "csv", lambda _: None)
    assert capsys.readouterr().out.splitlines()[1] == "demo,True,=1+1,=1+1,-1.5", "exact by default"
    print_sheet(sheet, CSV_SAFE, lambda _: None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "demo,True,'=1+1,'=1+1,-1.5", "numbers are no formulas"
    assert lines[-1] == "demo,True,plain,plain,-1.5"
    assert not [line for line in lines if line.split(",")[2][0] in "=+-@\t\r"]


def test_exported_csv_for_spreadsheets_has_no_formulas(tmp_path: Path) -> None:
    columns = {"user": np.array([*FORMULAS, "plain"]), "rank": np.arange(-3.0, 4.0)}
    for form in ("csv", CSV_SAFE):
        write_columns(columns, {"dataset": "=demo"}, tmp_path / f"{form}.csv", form)
    exact, safe = (
        pyarrow.csv.read_csv(tmp_path / f"{form}.csv").to_pydict() for form in ("csv", CSV_SAFE)
    )
    assert exact["user"][:2] == ["=1+1", "+1"] and exact["rank"] == safe["rank"]
    assert safe["user"] == [f"'{text}" for text in FORMULAS] + ["plain"]
    assert set(safe["dataset"]) == {"'=demo"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_a_narrow_terminal_gets_whole_cells_in_several_tables(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "unknown")  # prints no styles
    monkeypatch.setattr(sys, "stdout", Terminal())
    header = ("run", *(f"column {n}" for n in range(6)))
    rows = [(f"run-{n}", *(f"{n}{'x' * n}" for _ in range(6))) for n in range(3)]
    print_table(header, rows, in_parts=True)
    assert isinstance(sys.stdout, Terminal)
    lines = sys.stdout.getvalue().splitlines()
    assert max(map(len, lines)) <= columns and not any("…" in line for line in lines)
    tables = "\n".join(line.rstrip() for line in lines).split("\n\n")
    assert len(tables) == {30: 3, 60: 2, 200: 1}[columns]
    assert all(table.startswith("run") and table.count("run-1") == 1 for table in tables)
    assert sum(table.count("column") for table in tables) == 6
