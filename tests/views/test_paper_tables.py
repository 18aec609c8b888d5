"""Tables in Markdown and LaTeX: whatever a text from data says, it is only text."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from neumf_tui.views.paper_tables import Latex, Markdown, latex

HOSTILE = (
    r"a|b \c `d` *e* _f_ [g](http://h) <b> &amp; ~~i~~ $j$ www.k.de", "1. a", "# b", "- c", "+",
    "=", "> d", "[e]: http://f", "100 % & # _ {g} ^ ~ \\", "--", "''", '"a', "* a", "[a]", "a\\",
)  # fmt: skip
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)


def cells_of_markdown(text: str) -> list[str]:
    """Return the texts of all cells, and check that nothing but text is in them."""
    found = []
    tokens = MarkdownIt("commonmark", {"linkify": False}).enable("table").parse(text)
    assert tokens[0].type == "table_open" and tokens[-1].type == "table_close"
    for token in tokens:
        if token.type == "inline":
            parts = token.children or []
            assert {part.type for part in parts} <= {"text", "text_special"}
            found.append("".join(part.content for part in parts))
    return found


def check_markdown(cells: list[str]) -> None:
    rows = [cells, cells[::-1]]
    shown = cells_of_markdown(Markdown().table(cells, rows, [False] * len(cells)))
    assert shown == [cell.strip() for cell in (*cells, *rows[0], *rows[1])]


def test_cells_of_markdown_are_what_they_were() -> None:
    check_markdown(list(HOSTILE))


@settings(max_examples=40, deadline=None)
@given(st.lists(CELLS, min_size=2, max_size=4))
def test_any_cells_of_markdown_are_what_they_were(cells: list[str]) -> None:
    check_markdown(cells)


def test_a_line_of_markdown_is_a_paragraph() -> None:
    for text in HOSTILE:
        paragraph, inline, *_ = MarkdownIt().parse(Markdown().line(f"    {text}"))
        assert paragraph.type == "paragraph_open", text
        children = inline.children or []
        assert "".join(part.content for part in children) == text.strip()
        assert {part.type for part in children} <= {"text", "text_special"}, text


_TOKEN = re.compile(r"\\[a-zA-Z]+\{\}|\\.|\{[\[*\"]\}|\$[^$]*\$|[-']\{\}|.", re.DOTALL)


@settings(max_examples=40, deadline=None)
@given(st.lists(CELLS, min_size=2, max_size=4))
def test_cells_of_latex_end_where_they_end(cells: list[str]) -> None:
    lines = Latex().table(cells, [cells], [True] * len(cells)).splitlines()
    assert lines[1] == f"\\begin{{tabular}}{{{'r' * len(cells)}}}"
    for line in (lines[3], lines[5]):
        assert line.endswith(r" \\")
        tokens = _TOKEN.findall(line[2:-3])
        assert tokens.count("&") == len(cells) - 1
        assert not {"#", "%", "_", "^", "~", "\\", "<", ">", "|", "["} & {*tokens}


def test_known_letters_of_latex_and_its_rules() -> None:
    assert latex(r"5 % of A_1 & {b} #2 $3 ^ ~ \ [c] --- −1 → 2 ± ☃") == (
        r"5 \% of A\_1 \& \{b\} \#2 \$3 \textasciicircum{} \textasciitilde{} \textbackslash{} "
        r"{[}c] -{}-{}- $-$1 $\rightarrow$ 2 $\pm$ ☃"
    )
    assert latex("-1.5") == "$-$1.5" and latex("item-knn") == "item-knn"
    table = Latex().table(["a", "b"], [["x", "1"]], [False, True])
    assert [line.strip() for line in table.splitlines()[1:]] == [
        r"\begin{tabular}{lr}", r"\toprule", r"a & b \\", r"\midrule", r"x & 1 \\", r"\bottomrule",
        r"\end{tabular}",
    ]  # fmt: skip
    assert Latex().line("split: latest %") == "% split: latest %"
