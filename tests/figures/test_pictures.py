"""Pictures for papers: they show what they say, can be told apart, and are always the same."""

import io
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from neumf_tui.data.prepared import save
from neumf_tui.errors import UsageError
from neumf_tui.figures.picture import COLOURS, look, save_picture, shortened
from neumf_tui.figures.plot import WHAT, check_request, make_picture
from neumf_tui.home import datasets_dir
from tests.support.commands import Cli
from tests.support.datasets import random_dataset
from tests.support.golden_runs import make_run
from tests.support.kept_runs import kept_run
from tests.support.logged_runs import make_logged

SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: bytes) -> list[str]:
    """Return the texts of an SVG, which has to be well-formed."""
    return ["".join(text.itertext()) for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def drawn(what: str, folders: list[Path], home: Path, users: tuple[str, ...] = ()) -> bytes:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    models = [(folder, None) for folder in folders]
    file = io.BytesIO()
    assert save_picture(make_picture(what, models, home, users), file, "svg") == []
    return file.getvalue()


def test_every_picture_has_its_axes_and_says_what_is_in_it(own_home: Path) -> None:
    one = make_run(own_home, "finished", name="_one", with_data=True, validation=(0.1, 0.3, 0.2))
    other = make_run(own_home, "finished", name="other", with_data=True, lift=0.1)
    both = texts(drawn("curves", [one, other], own_home))
    assert {"_one", "other"} <= {*both} and "validation items" not in both
    race = texts(drawn("race", [one, other], own_home, ("196", "22")))
    assert any(text.startswith("196: Kolya") for text in race), "titles stay text"
    assert any("[bold]Bold[/]" in text for text in race)
    assert "rank of 96 (1 is best)" in race and "other" in race
    journey = texts(drawn("journey", [one], own_home, ("186",)))
    assert {"popularity alone", "loss per pair", "epoch"} <= {*journey}
    cohorts = texts(drawn("cohorts", [one, other], own_home))
    assert {"history:", "_one@3", "other@3"} <= {*cohorts}
    compare = texts(drawn("compare", [one, other], own_home))
    assert {"rank in A: _one@3", "rank in B: other@3"} <= {*compare}


def test_a_run_of_any_kind_has_curves(own_home: Path) -> None:
    logged = make_logged(own_home, scalars=["$x_1$", "_y"], loss=False)
    shown = texts(drawn("curves", [logged], own_home))
    assert {"$x_1$", "_y", "step"} <= {*shown}, "no text is a formula, and none is left out"
    many = make_logged(own_home, name="many", scalars=[f"name {n}" for n in range(9)])
    assert "3 more logged values" in make_picture("curves", [(many, None)], own_home, ()).caption
    data = random_dataset(41, 200, 12)
    save(data, datasets_dir(own_home) / "prepared")
    top_k = kept_run(own_home, data, "top_k", epochs=2)
    caption = make_picture("race", [(top_k, None)], own_home, ()).caption
    assert "beyond a user's list" in caption


def test_a_picture_in_each_format(own_home: Path, inside: Cli, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    make_run(own_home, "finished", with_data=True, validation=(0.1, 0.3, 0.2))
    for ending, start in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        path = tmp_path / f"picture{ending}"
        result = inside("plot", "golden", "--out", str(path), "--width", "5", "--height", "3")
        assert result.returncode == 0 and result.stdout == f"{path}\n", result.stderr
        assert path.read_bytes().startswith(start)
        assert "golden (d2l) on ml-100k" in result.stderr and "Protocol: " in result.stderr
    svg = tmp_path / "picture.svg"
    before = svg.read_bytes()
    for wanted in ("epoch", "Hit@50", "AUC", "loss per pair", "held-out items", "validation items",
                   "popularity alone", "reported epoch"):  # fmt: skip
        assert wanted in texts(before), wanted
    assert b"360pt" in before and not re.search(rb"<dc:date>|\d\d:\d\d:\d\d", before)
    again = ("plot", "golden", "--out", str(svg), "--width", "5", "--height", "3")
    refused = inside(*again)
    assert refused.returncode == 2 and "--force" in refused.stderr
    assert inside(*again, "--force").returncode == 0
    assert svg.read_bytes() == before, "equal pictures are equal files"


@pytest.mark.parametrize(
    ("what", "models", "epochs", "users", "says"),
    [
        ("bars", 1, [None], 0, "expected one of curves, race"),
        ("curves", 1, ["3"], 0, "without @EPOCH"),
        ("curves", 1, [None], 1, "--user is for"),
        ("journey", 1, [None], 0, "add --user ID once"),
        ("compare", 3, [None] * 3, 0, "two models, not 3"),
    ],
)
def test_what_a_picture_cannot_show_is_refused(
    what: str, models: int, epochs: list[str | None], users: int, says: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        check_request(what, models, epochs, users)


def test_users_without_a_rank_and_runs_without_epochs_are_refused(
    own_home: Path, inside: Cli
) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    make_run(own_home, "finished", with_data=True)
    refused = inside("plot", "golden", "--what", "race", "--user", "166")
    assert refused.returncode == 2 and "no held-out film" in refused.stderr
    make_run(own_home, "starting", name="new", with_data=True)
    for what in WHAT[:3]:
        refused = inside("plot", "new", "--what", what)
        assert refused.returncode == 4 and "no e" in refused.stderr, refused.stderr
    assert not list(Path().glob("*.svg"))


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2


def test_lines_can_be_told_apart_without_colours() -> None:
    looks = [look(number) for number in range(28)]
    assert len({str(one) for one in looks}) == 28
    pairs = [{key: str(one[key]) for key in ("linestyle", "marker")} for one in looks[:20]]
    assert all(a != b for a, b in combinations(pairs, 2)), "by dashes and markers alone"
    assert all((1.05) / (luminance(colour) + 0.05) > 1.9 for colour in COLOURS)


def test_letters_that_no_font_has_are_told_where_they_are_lost(own_home: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    folder = make_run(own_home, "finished", with_data=True)
    picture = make_picture("race", [(folder, None)], own_home, ("196",))
    strange = replace(picture, draw=lambda figure: figure.text(0, 0, "\U000e0041\ue000") and None)
    notes = save_picture(strange, io.BytesIO(), "png")
    assert len(notes) == 1 and "write an .svg" in notes[0]
    assert save_picture(strange, io.BytesIO(), "svg") == []


def test_a_hostile_text_is_only_a_text(own_home: Path) -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra `paper`")
    folder = make_run(own_home, "finished", with_data=True)
    text = "</text><script>\x1b[31m\uffff & $x_1$ \\frac{"
    picture = replace(
        make_picture("race", [(folder, None)], own_home, ("196",)),
        draw=lambda figure: figure.text(0, 0, shortened(text)) and None,
        caption=text,
    )
    file = io.BytesIO()
    save_picture(picture, file, "svg")
    assert texts(file.getvalue()) == ["</text><script>·[31m· & $x_1$ \\frac{"]
    assert b"<script" not in file.getvalue()
