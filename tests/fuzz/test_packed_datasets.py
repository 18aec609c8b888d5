"""Parquet files and zips, mutated: they are read as they are, or refused with one message."""

import io
import random
import zipfile
from pathlib import Path

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from neumf_tui.data.download import unpack
from neumf_tui.data.readers import table as reader
from neumf_tui.data.releases import RELEASES
from neumf_tui.errors import DatasetError
from tests.fuzz.test_datasets import FILES_PER_EXAMPLE, TOKENS, folder, mutated, of_dataset
from tests.support.fuzzing import examples
from tests.support.rating_files import TRIPLES, table
from tests.support.reading import dataset_from
from tests.support.reference_reader import histories

__all__ = ["folder"]
RELEASE = RELEASES["ml-10m"]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "replace", "replace", "insert", "delete", "cut"]),
        st.integers(0, 100_000),
        st.sampled_from([*TOKENS[:30], b"\x01", b"\x7f", b"\x80", b"\x00" * 8, b"\xff" * 8]),
    ),
    min_size=1,
    max_size=3,
)


def parquet_file(seed: int) -> bytes:
    draw = random.Random(seed)
    times = draw.choice([None, pa.timestamp("ms"), pa.date64(), pa.float64(), pa.int32()])
    made = table(times, draw.choice([None, pa.string(), pa.large_string(), pa.int32()]))
    if draw.random() < 0.3:
        made = made.set_column(0, "User ID", made["User ID"].dictionary_encode())
    target = io.BytesIO()
    parquet.write_table(
        made.slice(0, draw.choice([1, 9, 80])),
        target,
        row_group_size=draw.choice([3, 7, 100]),
        compression=draw.choice(["none", "snappy", "zstd"]),
        use_dictionary=draw.random() < 0.5,
        write_page_checksum=draw.random() < 0.2,
    )
    return target.getvalue()


def plainly(content: bytes) -> list[tuple[str, str, float]]:
    """Return the rows as pyarrow reads the whole file at once, times in their own unit."""
    found = parquet.read_table(io.BytesIO(content), columns=["User ID", "item_id", "time"])
    time = found["time"]
    if pa.types.is_date(time.type):
        time = time.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(time.type):
        time = time.cast(pa.int64())
    users, items = (found[name].to_pylist() for name in ("User ID", "item_id"))
    return list(zip(map(str, users), map(str, items), time.to_pylist(), strict=True))


@given(seed=st.integers(0, 10**6), edits=EDITS)
@examples(12)
def test_a_mutated_parquet_file_is_read_as_it_is_or_refused(
    folder: Path, seed: int, edits: list[tuple[str, int, bytes]]
) -> None:
    path = folder / "seen.parquet"
    for number in range(FILES_PER_EXAMPLE):
        content = parquet_file(seed + number)
        moved = [(edit, at * (number + 1), token) for edit, at, token in edits]
        content = mutated(content, moved)
        path.write_bytes(content)
        try:
            data = dataset_from(reader, path, "seen")
        except DatasetError as error:
            assert str(error).startswith(str(path))
        else:
            assert of_dataset(data) == histories(plainly(content))


def zip_file(seed: int) -> tuple[bytes, dict[str, bytes]]:
    draw = random.Random(seed)
    kinds = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    contents = {name: draw.randbytes(draw.choice([0, 9, 300])) for name in RELEASE.files}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", draw.choice(kinds)) as file:
        for name, content in contents.items():
            file.writestr(f"{RELEASE.folder}/{name}", content)
    return target.getvalue(), contents


@given(seed=st.integers(0, 10**6), edits=EDITS)
@examples(15)
def test_a_mutated_zip_is_unpacked_whole_or_not_at_all(
    folder: Path, seed: int, edits: list[tuple[str, int, bytes]]
) -> None:
    archive, target = folder / RELEASE.archive, folder / RELEASE.name
    for number in range(FILES_PER_EXAMPLE):
        content, contents = zip_file(seed + number)
        archive.write_bytes(mutated(content, edits))
        before = {path.name for path in folder.iterdir()}
        try:
            unpack(RELEASE, archive, target)
        except DatasetError as error:
            assert str(archive) in str(error)
            assert {path.name for path in folder.iterdir()} == before
        else:
            assert {path.name: path.read_bytes() for path in target.iterdir()} == contents
            for path in target.iterdir():
                path.unlink()
            target.rmdir()


def test_the_times_of_the_reference_are_those_of_the_table() -> None:
    target = io.BytesIO()
    parquet.write_table(table(), target)
    assert plainly(target.getvalue()) == [(str(u), str(i), t) for u, i, t in TRIPLES]
