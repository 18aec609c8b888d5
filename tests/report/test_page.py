"""The page of a run: whole for every kind of run, loads nothing, and shows texts as texts."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.prepared import save
from neumf_tui.home import datasets_dir
from neumf_tui.report.content import Drawing, Figure, Page, Part, Section, Table
from neumf_tui.report.page import CHAPTERS, make_page, page_html
from tests.support.commands import Cli
from tests.support.datasets import random_dataset
from tests.support.golden_runs import make_run
from tests.support.kept_runs import kept_run
from tests.support.logged_runs import make_logged

VOID = {"meta", "img", "br"}
LOADING = {"src", "href", "action", "srcset", "data", "poster", "background"}
HOSTILE = "</td><script>alert(1)</script>&amp;\"'><img src=x onerror=y> \x1b[31m\u202e {{ 7*7 }}"


class Reader(HTMLParser):
    """Reads a page and keeps what it consists of; fails where elements are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in LOADING:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def read_page(html: str) -> Reader:
    found = Reader(html)
    for address in found.addresses:
        assert address.startswith("data:image/svg+xml;base64,") or address[1:] in found.ids
    assert "script" not in found.tags and "link" not in found.tags and "iframe" not in found.tags
    assert "http:" not in html and "https:" not in html and "@import" not in html
    assert len(set(found.ids)) == len(found.ids)
    return found


def test_a_text_is_only_a_text_wherever_it_stands() -> None:
    shown = (Table(HOSTILE, [HOSTILE], [[HOSTILE]], bars=[0.5]), Drawing(HOSTILE, HOSTILE))
    part = Part(HOSTILE, [HOSTILE], shown)
    page = Page(HOSTILE, [HOSTILE], [Figure(HOSTILE, HOSTILE)], [Section("key", HOSTILE, [part])])
    html = page_html(page)
    found = Reader(html)
    assert found.tags.count("img") == 1 and "script" not in found.tags
    wanted = " ".join(HOSTILE.replace("\x1b", "·").replace("\u202e", "").split())
    assert found.text.count(wanted) == 13
    assert "\x1b" not in html and "\u202e" not in html and "49" not in found.text


@pytest.fixture(scope="module")
def data() -> Dataset:
    return random_dataset(41, 200, 12)


SAID = {
    "top_k": "beyond a user's list",
    "item_item": "is first: most comes from",
    "vectors": "carried by",
    "none": "kept no model",
}
"""What the page of a kind of run says."""
FAST = ("none", "item_item")


@pytest.mark.parametrize(
    "kind", [k if k in FAST else pytest.param(k, marks=pytest.mark.slow) for k in SAID]
)
def test_every_kind_of_run_has_a_page(own_home: Path, data: Dataset, kind: str) -> None:
    save(data, datasets_dir(own_home) / "prepared")
    page = read_page(page_html(make_page(kept_run(own_home, data, kind), own_home)))
    assert SAID[kind] in page.text
    left_out = page.text.count("This section is left out:")
    assert left_out == 2 + (kind == "none"), "curves, settings, people"
    assert all(chapter.title in page.text for chapter in CHAPTERS)
    assert "neumf-tui baselines" in page.text, "how to get what is missing"


def test_a_run_without_figures_has_a_page(own_home: Path) -> None:
    html = page_html(make_page(make_run(own_home, "starting"), own_home))
    assert str(own_home) not in html, "others do not see where the run lies"
    page = read_page(html)
    assert "Nothing has been evaluated yet" in page.text
    assert page.text.count("This section is left out") == len(CHAPTERS) - 2
    logged = make_logged(own_home, scalars=["x"], loss=False)
    assert "Hit@50" in read_page(page_html(make_page(logged, own_home))).text


def test_the_page_of_a_trained_run(trained: Path, inside: Cli, tmp_path: Path) -> None:
    inside("baselines", "--dataset", "demo", "--only", "popularity")
    path = tmp_path / "page.html"
    result = inside("report", "trained", "--out", str(path))
    assert result.returncode == 0 and result.stdout == f"{path}\n", result.stderr
    page = read_page(path.read_text("utf-8"))
    for wanted in ("simulated", "run − model", "Worst rank first", "★", "GMF", "± is half"):
        assert wanted in page.text, wanted
    assert page.tags.count("h3") >= 5, "two tables of users, three people"
    refused = inside("report", "trained", "--out", str(path))
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert inside("report", "trained", "--out", str(tmp_path / "a.txt")).returncode == 2


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_the_page_without_scripts_and_network(
    trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_html(make_page(trained, trained.parents[1])), "utf-8")
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--dump-dom",
        f"file://{path}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Content Security Policy" not in done.stderr, "nothing of the page is refused"
    page = Reader(done.stdout.split("</html>")[0] + "</html>")
    assert "Three people" in page.text and page.text.count("left out") == 0
