"""Every command that prints a sheet prints it in every form."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from neumf_tui.views.paper_tables import Latex
from tests.support.commands import Cli

WITH_FORMS = (
    ["evaluate", "trained", "--sampled"],
    ["runs"],
    ["baselines", "--dataset", "demo", "--only", "popularity"],
    ["compare", "trained@2", "trained@10"],
    ["compare", "trained@2", "trained@10", "--user", "sim-001"],
    ["failures", "trained", "--users", "--cohorts", "--catalogue"],
    ["journey", "sim-001"],
    ["rank", "sim-001"],
)


@pytest.fixture(autouse=True)
def _home(trained: Path) -> None:
    """Run the commands on a finished run."""


@pytest.mark.slow
def test_papers_get_tables_with_their_protocol(inside: Cli) -> None:
    for command in WITH_FORMS:
        latex = inside(*command, "--latex")
        assert latex.returncode == 0, latex.stderr
        lines = latex.stdout.splitlines()
        assert r"\toprule" in latex.stdout and lines.count(r"\end{tabular}") >= 1
        # Whatever stands outside of the tables is a comment.
        inner = False
        for line in lines:
            inner = inner or line.startswith(r"\begin{tabular}")
            assert inner or not line or line.startswith("%"), (command, line)
            inner = inner and line != r"\end{tabular}"
        markdown = inside(*command, "--markdown").stdout
        kinds = [token.type for token in MarkdownIt().enable("table").parse(markdown)]
        assert "table_open" in kinds and "bullet_list_open" not in kinds
        assert "heading_open" not in kinds and "code_block" not in kinds
        for text in (latex.stdout, markdown):
            assert not re.search(
                r"None|\w\\?_\w|(?<!\d)\d\.\d{6}|hit@|\\`", text.partition("tabular")[0]
            )
            assert "simulated" in text and "\x1b" not in text
            assert command[0] == "runs" or "held out" in text or "split" in text, command


def test_tables_of_papers_have_the_figures_of_json(inside: Cli) -> None:
    result = json.loads(inside("evaluate", "trained", "--json").stdout)
    table = inside("evaluate", "trained", "--latex").stdout
    assert rf"  Hit@50 & {result['metrics']['hit@50']:.4f} &" in table
    compared = json.loads(inside("compare", "trained@2", "trained@10", "--json").stdout)
    row = f"| Hit@50 | {compared['hit@50_a']:.4f} | {compared['hit@50_b']:.4f} |"
    assert row in inside("compare", "trained@2", "trained@10", "--markdown").stdout


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_evaluate_and_runs_have_csv(inside: Cli) -> None:
    inside("baselines", "--dataset", "demo", "--only", "popularity")
    result = json.loads(inside("evaluate", "trained", "--json").stdout)
    run, popularity = rows_of(inside("evaluate", "trained", "--csv").stdout)
    assert (run["model"], popularity["model"]) == ("trained", "popularity")
    assert (run["dataset"], run["simulated"], run["epoch"]) == ("demo", "True", "10")
    assert float(run["hit@50"]) == result["metrics"]["hit@50"]
    assert float(popularity["hit@50"]) == result["popularity"]["hit@50"]
    assert float(popularity["difference"]) == result["baselines"][0]["difference"]
    assert "sampled_hr@10" not in run
    sampled = rows_of(inside("evaluate", "trained", "--csv", "--sampled").stdout)
    assert 0 < float(sampled[0]["sampled_hr@10"]) < 1 and sampled[1]["sampled_hr@10"] == ""
    (listed,) = json.loads(inside("runs", "--json").stdout)
    (row,) = rows_of(inside("runs", "--csv").stdout)
    assert row.keys() == listed.keys() - {"protocol"}
    assert float(row["best_auc"]) == listed["best_auc"] and row["validation_hit@50"] == ""


def test_two_forms_at_once_are_refused(inside: Cli) -> None:
    for forms in (("--json", "--latex"), ("--csv-safe", "--markdown")):
        refused = inside("journey", "sim-001", *forms)
        assert refused.returncode == 2
        assert refused.stderr == f"neumf-tui: {' and '.join(forms)}: choose one\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_typesets_every_table(inside: Cli, tmp_path: Path) -> None:
    start = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    tables = [inside(*command, "--latex").stdout for command in WITH_FORMS]
    hostile = [r"a|b \c `d` *e* _f_ <b> &amp; ~~i~~ $j$ --- '' ^", "− – → ± × … ≤ · ▲ ▼ ★ ✓ ✗ ● ○"]
    whole = [start, *tables, Latex().table(hostile, [hostile], [False, True]), r"\end{document}"]
    (tmp_path / "all.tex").write_text("\n".join(whole), "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
