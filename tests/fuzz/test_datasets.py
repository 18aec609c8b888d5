"""Files of interactions, mutated: the readers agree with a plain reference reader.

Either both read the same rows in the same order, or both refuse, and the error names file and line.
"""

import random
import re
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.formats import source_at
from neumf_tui.data.readers import chunks, ml100k, movielens_dat
from neumf_tui.data.readers.rows import coded
from neumf_tui.data.readers.text_layout import Layout
from neumf_tui.data.readers.text_sniff import layout_of
from neumf_tui.errors import DatasetError
from tests.support.fuzzing import examples
from tests.support.reading import fast_blocks, read_in_blocks, read_whole
from tests.support.reference_reader import (
    BOM,
    Form,
    Refused,
    Unclear,
    histories,
    read_reference,
)

FORMS = {
    "u.data": Form("u.data", "\t", has_header=False, has_quotes=False),
    "dat": Form("ratings.dat", "::", has_header=False, has_quotes=False),
    "csv": Form("seen.csv", ",", has_header=True, has_quotes=True),
    "tsv": Form("seen.tsv", "\t", has_header=True, has_quotes=True),
    "inter": Form("seen.inter", "\t", has_header=True, has_quotes=False),
}
IDS = ["1", "2", "3", "10", "007", "x", "é", "u 1", "999999999999", "9" * 25, "-5", "NA", "0x1f"]
TIMES = ["5", "70", "1000", "891717742", "1e3", "5.25", "0"]
MILLISECONDS = ["1700000000000", "1700000000123", "1.7e12", "1700000000123.5", "0"]
LINE_ENDS = ["\n", "\n", "\n", "\r\n", "\r\n", "\r", "\n\n"]
TOKENS = [
    b"\r", b"\n", b"\r\n", b'"', b'""', b",", b"\t", b":", b"::", b"\0", b"\xff", b"\xc3", BOM,
    b" ", b"-", b"+", b".", b"0", b"1", b"9", b"e5", b"E400", b"nan", b"inf", b"0x1f", b"_",
    "é".encode(), "\u0661".encode(), "\u2028".encode(), b"\x85", b"\x0b", b"\x1c", b"#", b"'",
    b"9" * 400, b"0" * 4400, b"9" * 4400, b"\x1a", b"|", b";",
]  # fmt: skip
FILES_PER_EXAMPLE = 8
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "double", "cut"]),
        st.integers(0, 4000),
        st.sampled_from(TOKENS),
    ),
    max_size=6,
)


class NoThreads(ThreadPoolExecutor):
    """A pool that works at once: threads cost more than such a small file."""

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(work(*arguments, **named))
        return done


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Make a folder in memory, if there is one: thousands of files are written in it."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "ThreadPoolExecutor", NoThreads)
        yield made
    shutil.rmtree(made)


def written(form: Form, seed: int) -> bytes:
    """Return a file in this form, with ids, times and line ends of few or many kinds."""
    draw = random.Random(seed)
    ids = IDS[: draw.choice([4, 4, 5, len(IDS)])]
    times = draw.choice([TIMES, TIMES, MILLISECONDS])[: draw.choice([2, 3, 4, 6, 7])]
    ends = LINE_ENDS[: draw.choice([3, 3, 5, 7])]
    quote = draw.choice([0, 0, 0.2, 1]) if form.has_quotes else 0
    rows = [
        [draw.choice(ids), draw.choice(ids), draw.choice(["3", "4.5"]), draw.choice(times)]
        for _ in range(draw.choice([1, 3, 12, 30]))
    ]
    if form.has_header:
        header = ["user_id", "item_id", "rating", "timestamp"]
        if not form.has_quotes:
            header = [f"{name}:token" for name in header]
        order = draw.sample(range(4), 4)
        rows = [[row[place] for place in order] for row in [header, *rows]]
    lines = [
        form.separator.join(f'"{one}"' if draw.random() < quote else one for one in row)
        + draw.choice(ends)
        for row in rows
    ]
    text = "".join(lines)
    return (BOM if draw.random() < 0.1 else b"") + text.encode()


def mutated(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for edit, at, token in edits:
        place = at % (len(content) + 1)
        start, end = content[:place], content[place:]
        content = {
            "insert": start + token + end,
            "replace": start + token + end[len(token) :],
            "delete": start + end[1 + at % 7 :],
            "double": start + end[: at % 40] + end,
            "cut": start if at % 5 == 0 else content,
        }[edit]
    return content


def layout_for(path: Path, form: Form) -> Layout:
    if not form.has_header:
        return ml100k.LAYOUT if form.separator == "\t" else movielens_dat.LAYOUT
    return layout_of(path, form.separator, None, quoted=form.has_quotes)


def of_dataset(data: Dataset) -> dict[str, tuple[list[str], str | None]]:
    items = data.catalogue.item_ids
    return {
        user_id: (
            [items[item] for item in data.history(user)],
            None if (held := int(data.split.heldout[user])) < 0 else items[held],
        )
        for user, user_id in enumerate(data.user_ids)
    }


@pytest.mark.parametrize("name", FORMS)
@given(seed=st.integers(0, 10**6), edits=EDITS, block=st.sampled_from([20, 64, 300, 1 << 20]))
@examples(12)
def test_readers_of_text_agree_with_the_reference(
    name: str, folder: Path, seed: int, edits: list[tuple[str, int, bytes]], block: int
) -> None:
    for number in range(FILES_PER_EXAMPLE):
        check_text(folder, FORMS[name], mutated(written(FORMS[name], seed + number), edits), block)


def check_text(folder: Path, form: Form, content: bytes, block: int) -> None:
    path = folder / form.file
    path.write_bytes(content)
    try:
        expected = read_reference(content, form)
    except Unclear:
        with suppress(DatasetError):
            read_whole(path, layout_for(path, form))
        return
    except Refused as refused:
        with pytest.raises(DatasetError) as caught:
            read_whole(path, layout_for(path, form))
        said = re.match(rf"{re.escape(str(path))}(?:, line (\d+))?: ", str(caught.value))
        assert said and (said[1] and int(said[1])) in refused.lines, caught.value
        return
    layout = layout_for(path, form)
    fast_blocks(path, layout, block)
    found = coded(read_in_blocks(path, layout, block))
    rows = found.interactions
    users, items = ([*map(names.__getitem__, numbers)] for names, numbers in (
        (found.user_ids, rows.users), (found.item_ids, rows.items)
    ))  # fmt: skip
    assert list(zip(users, items, strict=True)) == [row[:2] for row in expected]
    times = np.array([row[2] for row in expected])
    unit = 1000 ** sum(times.max() >= limit for limit in (1e11, 1e14, 1e17))
    np.testing.assert_allclose(rows.times / rows.units_per_second, times / unit, atol=1e-6)
    if form.has_header:  # the other two forms need a file of items
        source = source_at(path)
        assert source is not None
        assert of_dataset(source.read()) == histories(expected)
