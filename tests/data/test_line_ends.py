"""Line ends of any kind and mix: every row is read, fast and by line, or the file is refused."""

import re
from itertools import product
from pathlib import Path

import pytest

from neumf_tui.data.progress import silent
from neumf_tui.data.readers.text_layout import LINE_LIMIT
from neumf_tui.data.readers.text_read import read_text
from neumf_tui.errors import DatasetError
from tests.fuzz.test_datasets import FORMS, layout_for
from tests.support.reading import fast_blocks, listed, read_in_blocks, read_whole
from tests.support.reference_reader import Form

ENDS = ["\n", "\r", "\r\n", "\n\n", "\r\r", "\n\r"]
ROWS = [("1", "2", "3", "60"), ("2", "2", "4", "70"), ("1", "7", "5", "80"), ("x", "9", "1", "90")]
WANTED = [(user, item, int(time)) for user, item, _, time in ROWS]


def text_of(form: Form, ends: tuple[str, ...]) -> str:
    """Return the rows with the line ends in turn."""
    lines = [form.separator.join(row) for row in ROWS]
    if form.has_header:
        lines.insert(0, form.separator.join(("user_id", "item_id", "rating", "timestamp")))
    return "".join(line + ends[number % len(ends)] for number, line in enumerate(lines))


@pytest.mark.parametrize("name", FORMS)
def test_every_row_is_read_with_any_mix_of_line_ends(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    path = tmp_path / form.file
    for number, ends in enumerate([*product(ENDS, repeat=2), *product(ENDS[:3], repeat=3)]):
        content = text_of(form, ends)
        content = content.rstrip("\r\n") if number % 2 else content
        assert len(re.findall(r"[^\r\n]+", content)) == len(ROWS) + form.has_header
        path.write_bytes(content.encode())
        layout = layout_for(path, form)
        for block in (1, 1 << 20):
            assert listed(read_in_blocks(path, layout, block)) == WANTED
            fast = fast_blocks(path, layout, block)
        if "\r" not in content.replace("\r\n", ""):
            assert all(fast), "usual line ends need no second look"


def test_a_carriage_return_in_quotes_belongs_to_the_id(tmp_path: Path) -> None:
    path = tmp_path / "seen.csv"
    path.write_bytes(b'user,item,time\r"a\rb",2,3\nc,"d\r\ne",4\r')
    assert listed(read_text(path, layout_for(path, FORMS["csv"]), silent)) == [
        ("a\rb", "2", 3),
        ("c", "d\r\ne", 4),
    ]


@pytest.mark.parametrize(
    "line",
    [
        b'3,10",5\n4,"6',  # as many quotes that start a field as quotes that end one
        b'"3,4,5\n6",7,8\n',
        b"\xef\xbb\xbf1,2,3\n",
        b"\xd9\xa1,2,3\n",
        b"1,2,3,\n",
    ],
)
def test_a_line_that_only_looks_valid_is_refused(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "seen.csv"
    path.write_bytes(b"time,user,item\n" + line)
    if line.startswith(b"3,10"):
        path.write_bytes(b"time,user,item\n1,2,3\n" + line)
    with pytest.raises(DatasetError, match=r"seen\.csv, line [234]: "):
        read_whole(path, layout_for(path, FORMS["csv"]))


def test_a_block_of_empty_lines_adds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "seen.csv"
    path.write_bytes(b"user,item,time\n1,2,3\n" + b"\n" * 99 + b"4,5,6\n")
    layout = layout_for(path, FORMS["csv"])
    assert all(fast_blocks(path, layout, 20))
    assert listed(read_in_blocks(path, layout, 20)) == [("1", "2", 3), ("4", "5", 6)]


@pytest.mark.parametrize("digits", [400, 5000, 100_000])
@pytest.mark.parametrize("name", FORMS)
def test_numbers_of_any_length_are_read_or_named(name: str, digits: int, tmp_path: Path) -> None:
    form = FORMS[name]
    path = tmp_path / form.file
    for place, digit in product(range(4), "09"):
        row = list(ROWS[0])
        row[place] = digit * digits + "5"
        path.write_text(text_of(form, ("\n",)) + form.separator.join(row) + "\n")
        layout = layout_for(path, form)
        if digit == "9" and place > 1:
            last = len(ROWS) + 1 + form.has_header
            with pytest.raises(DatasetError, match=rf"line {last}: .{{0,240}}$"):
                read_whole(path, layout)
            continue
        expected = (row[0], row[1], 5 if place == 3 else 60)
        assert listed(read_text(path, layout, silent))[-1] == expected
        fast_blocks(path, layout)


@pytest.mark.parametrize("name", FORMS)
def test_a_line_without_end_does_not_fill_the_memory(name: str, tmp_path: Path) -> None:
    form = FORMS[name]
    path = tmp_path / form.file
    for start in ("", text_of(form, ("\n",))):
        path.write_text(start + "7" * (2 * LINE_LIMIT))
        line = start.count("\n") + 1
        with pytest.raises(DatasetError, match=rf"line {line}: longer than 1,048,576 characters"):
            read_whole(path, layout_for(path, form))


def test_a_field_of_many_digits_and_a_letter_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "seen.inter"
    path.write_text("user:token\titem:token\ttime:float\n1\t2\t" + "9" * 500_000 + "x\n")
    with pytest.raises(DatasetError, match=r"line 2: .{,300}$"):
        read_whole(path, layout_for(path, FORMS["inter"]))
