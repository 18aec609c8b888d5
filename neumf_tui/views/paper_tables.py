"""Lines and tables as Markdown and as LaTeX, for papers and for pages that are written by hand."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol


class Paper(Protocol):
    """A form of text in which tables are typeset. What it gets is harmless for a terminal."""

    def line(self, text: str) -> str:
        """Return a line about the tables beside it."""

    def drawing(self, lines: Sequence[str]) -> str:
        """Return lines that need a font with equally wide characters."""

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]
    ) -> str:
        """Return a table; `numbers` says which columns are aligned right."""


class Markdown:
    """Tables of GitHub's Markdown; a line is a paragraph."""

    def line(self, text: str) -> str:
        return f"{_markdown_start(text.strip())}\n" if text.strip() else ""

    def drawing(self, lines: Sequence[str]) -> str:
        return "\n".join(("```text", *lines, "```", ""))

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]
    ) -> str:
        sides = ["---:" if is_number else ":---" for is_number in numbers]
        lines = [[markdown(cell) for cell in line] for line in (header, *rows)]
        lines.insert(1, sides)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


class Latex:
    """Tables with the rules of the package booktabs; a line is a comment."""

    def line(self, text: str) -> str:
        return f"% {text}".rstrip()

    def drawing(self, lines: Sequence[str]) -> str:
        return "\n".join(map(self.line, lines))

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[bool]
    ) -> str:
        sides = "".join("r" if is_number else "l" for is_number in numbers)
        head, *body = (" & ".join(map(latex, line)) + r" \\" for line in (header, *rows))
        whole = (r"\toprule", head, r"\midrule", *body, r"\bottomrule")
        return "\n".join(
            (
                r"% needs \usepackage{booktabs}; letters of other scripts need LuaLaTeX or XeLaTeX",
                rf"\begin{{tabular}}{{{sides}}}",
                *(f"  {line}" for line in whole),
                r"\end{tabular}",
                "",
            )
        )


PAPERS: Mapping[str, Paper] = {"markdown": Markdown(), "latex": Latex()}
"""The forms by name."""

_MARKDOWN = re.compile(r"[\\`*_\[\]<>|~$&]|(?<=:)/(?=/)|(?<=www)\.")
"""What Markdown would act on anywhere in a line; addresses in a text from data are no links."""
_COMMAND = re.compile(r"(`neumf-tui [^`]+`)")
_BLOCK = re.compile(r"[-+=#:]|(?<=\d)[.)](?=\s|$)")
"""What begins a list, a heading or a table at the start of a line."""


def markdown(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, within a line."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", text)


def _markdown_start(text: str) -> str:
    parts = _COMMAND.split(text)  # every second part is a command, which stays code
    escaped = "".join(one if n % 2 else markdown(one) for n, one in enumerate(parts))
    number = re.match(r"\d{0,9}", escaped)
    start = number.end() if number else 0
    if _BLOCK.match(escaped, start):
        return f"{escaped[:start]}\\{escaped[start:]}"
    return escaped


_LATEX_TEXTS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%",
    "&": r"\&", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "\"": "{\"}",  # Babel gives it other meanings
    "`": r"\textasciigrave{}",
    "[": "{[}", "*": "{*}",  # after \\ they would be its arguments
    "-": "-{}", "'": "'{}",  # two of them would be a dash, or a quotation mark
    "−": "$-$", "–": "--", "—": "---", "→": r"$\rightarrow$", "±": r"$\pm$", "×": r"$\times$",
    "…": r"\dots{}", "≤": r"$\leq$", "≥": r"$\geq$", "≈": r"$\approx$", "·": r"$\cdot$",
    "σ": r"$\sigma$", "▲": r"$\uparrow$", "▼": r"$\downarrow$", "★": r"$\star$",
    "✓": r"$\surd$", "✗": r"$\times$", "●": r"$\bullet$", "○": r"$\circ$", "\u00a0": "~",
}  # fmt: skip
_LATEX = re.compile(
    "|".join([*(re.escape(text) for text in _LATEX_TEXTS if text not in "-'"), "-(?=-)", "'(?=')"])
)


def latex(text: str) -> str:
    """Return `text` so that LaTeX typesets it as it is, in a table."""
    return _LATEX.sub(lambda found: _LATEX_TEXTS[found[0]], re.sub(r"^-(?=\d)", "−", text))
