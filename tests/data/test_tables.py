"""Tables that people have: separators, headers, packing, encodings, quotes, times, ids, parts."""

import bz2
import codecs
import gzip
import json
import lzma
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from neumf_tui.data.columns import choose_columns
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.formats import only_table
from neumf_tui.data.options import ReadOptions
from neumf_tui.data.readers import table, text_open
from neumf_tui.data.readers.text_sniff import layout_of
from neumf_tui.errors import DatasetError
from tests.support.rating_files import TRIPLES
from tests.support.reading import dataset_at, dataset_from, fast_blocks

HEADER = ("user", "item", "rating", "timestamp")
_NAMED = Path(os.environ.get("NEUMF_TUI_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROWS = [(str(user), f"P{item}", "3.5", str(time)) for user, item, time in TRIPLES]


def lines(
    separator: str = ",",
    header: tuple[str, ...] | None = HEADER,
    change: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple,
) -> str:
    rows = [change(row) for row in ROWS]
    return "".join(separator.join(row) + "\n" for row in ([header] if header else []) + rows)


def with_time(form: str | Callable[[int], str]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Return a function that writes the time of a row in another way."""

    def write(row: tuple[str, ...]) -> tuple[str, ...]:
        time = int(row[3])
        text = datetime.fromtimestamp(time, UTC).strftime(form) if isinstance(form, str) else None
        return (*row[:3], form(time) if text is None else text)  # type: ignore[operator]

    return write


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the fingerprint of the interactions in plain CSV."""
    path = tmp_path_factory.mktemp("wanted") / "x.csv"
    path.write_text(lines())
    return dataset_at(path).fingerprint


def facts_of(path: Path, content: str | bytes, wanted: str, **options: object) -> ReadFacts:
    """Write a file, read it, and return what was understood; it has the usual interactions."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    data = dataset_at(path, **options)
    assert data.fingerprint == wanted
    return data.read_facts


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".log", ""])
@pytest.mark.parametrize(
    ("separator", "name"),
    [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "'|'"), ("::", "'::'"),
     (" ", "blanks"), ("   ", "blanks")],
)  # fmt: skip
def test_separators_are_recognised_whatever_the_name(
    separator: str, name: str, suffix: str, tmp_path: Path, wanted: str
) -> None:
    facts = facts_of(tmp_path / f"x{suffix}", lines(separator), wanted)
    assert facts.form == f"text separated by {name}, UTF-8"
    usual = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(suffix)
    said = f"x{suffix} is read as separated by {name}"
    assert facts.notices == ((said,) if separator != usual else ())
    assert facts.header == HEADER
    assert facts.first_rows[0] == ROWS[0]
    assert (len(facts.first_rows), facts.rows, facts.ratings) == (5, 80, (3.5, 3.5))


def test_a_table_without_header_is_read_by_numbers_or_refused_with_them(
    tmp_path: Path, wanted: str
) -> None:
    path = tmp_path / "my ratings.csv"
    with pytest.raises(DatasetError) as caught:
        facts_of(path, lines(header=None), wanted)
    said = str(caught.value)
    assert "line 1: the first line is not a header; found 1 '10', 2 'P31', 3 '3.5', 4 '1" in said
    assert said.endswith(f"--data-dir '{path}' --columns user=1,item=2,rating=3,time=4")
    (only,) = only_table(tmp_path, ReadOptions())
    with pytest.raises(DatasetError, match="the first line is not a header"):
        only.read()  # so a folder says the same of its only table
    columns = "user=1,item=2,rating=3,time=4"
    facts = facts_of(path, lines(header=None), wanted, columns=columns)
    assert facts.columns == {"user": "column 1", "item": "column 2", "rating": "column 3",
                             "time": "column 4"}  # fmt: skip
    assert any("first line is read as data" in one for one in facts.notices)
    facts = facts_of(path, lines(), wanted, columns=columns)  # also where there is a header
    assert facts.columns["user"] == "user"
    with pytest.raises(DatasetError, match=r"not number its columns; found 1 '10'"):
        facts_of(path, lines(header=None), wanted, columns="user=1,item=9")


@pytest.mark.parametrize(
    ("suffix", "pack", "name"),
    [
        (".gz", gzip.compress, "gzip"),
        (".bz2", bz2.compress, "bzip2"),
        (".xz", lzma.compress, "xz"),
        (".zst", lambda text: pa.compress(text, "zstd", asbytes=True), "Zstandard"),
        ("", gzip.compress, "gzip"),
    ],
)
def test_compressed_tables_are_read_as_they_are(
    suffix: str, pack: Callable[[bytes], bytes], name: str, tmp_path: Path, wanted: str
) -> None:
    packed = pack(lines().encode())
    facts = facts_of(tmp_path / f"x.csv{suffix}", packed, wanted)
    assert facts.form == f"text separated by commas, UTF-8, {name}"
    for damaged in (packed[: len(packed) // 2], packed[:60] + b"\xff" * 9 + packed[69:]):
        if name == "Zstandard" and len(damaged) == len(packed):
            continue  # without a checksum
        with pytest.raises(DatasetError, match=r"x\.csv.*(damaged|not text|no columns)"):
            facts_of(tmp_path / f"x.csv{suffix}", damaged, wanted)


def test_a_small_file_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\n" + b"1,1\n" * (1 << 18)))
    assert dataset_at(path).read_facts.rows == 1 << 18
    monkeypatch.setattr(text_open, "FREE_BYTES", 1 << 16)
    with pytest.raises(DatasetError, match="unpacks to more than 200 times its size"):
        dataset_at(path)


def test_a_file_in_a_zip_can_be_named(tmp_path: Path, wanted: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in/x.csv", lines())
    path = tmp_path / "x.zip" / "in" / "x.csv"
    assert dataset_from(table, path).fingerprint == wanted
    with pytest.raises(DatasetError, match=r"x\.zip/in/y\.csv: cannot be read"):
        dataset_from(table, path.with_name("y.csv"))


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"),
     ("latin-1", "Windows-1252"), ("cp1252", "Windows-1252")],
)  # fmt: skip
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, name: str, ends: str, tmp_path: Path) -> None:
    def change(row: tuple[str, ...]) -> tuple[str, ...]:
        return (row[0], row[1].replace("P", "Größe " if encoding != "cp1252" else "„ž”"), *row[2:])

    (tmp_path / "wanted.csv").write_text(lines(change=change), "utf-8")
    text = lines(change=change).replace("\n", ends)
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    content = mark + text.encode(encoding)
    facts = facts_of(tmp_path / "x.csv", content, dataset_at(tmp_path / "wanted.csv").fingerprint)
    assert facts.form == f"text separated by commas, {name}"
    assert facts.notices == (
        (f"x.csv is not UTF-8, and is read as {name}",) if name == "Windows-1252" else ()
    )


def test_latin_1_far_down_in_a_file_is_found(tmp_path: Path) -> None:
    content = b"user,item,time\n" + b"7,8,9\n" * 20_000 + "ä,ö,9\n".encode("latin-1")
    (tmp_path / "x.csv").write_bytes(content)
    data = dataset_at(tmp_path / "x.csv")
    assert data.user_ids == ["7", "ä"]
    assert "x.csv is not UTF-8, and is read as Windows-1252" in data.notices


JSON = "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in ROWS)


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".json"])
def test_json_lines_are_a_table(suffix: str, tmp_path: Path, wanted: str) -> None:
    numbers = "".join(
        json.dumps(
            {"review": {"stars": [1]}, "user": int(user), "item": item, "rating": 3.5,
             "timestamp": int(time)}
        ) + "\n\n"
        for user, item, _, time in ROWS
    )  # fmt: skip
    for text in (numbers, numbers.replace("3.5", "NaN").replace('"rating"', '"price"')):
        assert facts_of(tmp_path / f"x{suffix}", text, wanted).form == "JSON Lines, UTF-8"
    with pytest.raises(DatasetError, match=r"line 1: rating \"3\.5\"|rating '3.5'|rating"):
        facts_of(tmp_path / f"x{suffix}", JSON.replace('"3.5"', "[1]"), wanted)


@pytest.mark.parametrize(
    "user", [7, -7, "7", " 7", 7.0, None, "", True, [7], 10**20, "ä", "\ud800"]
)
@pytest.mark.parametrize("time", [1000086400, 1000086400.5, "1000086400", -1, None, "x", 10**20])
def test_json_is_read_fast_only_as_line_by_line(user: object, time: object, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    one = {"user": user, "item": "A", "time": time, "x": {"user": 8}, "rating": 3}
    plain = {"user": 8, "item": "B", "time": 1000086400, "rating": 2.5}
    for rows in ([plain, one, plain], [one, one]):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        fast = fast_blocks(path, layout_of(path))
    if isinstance(user, str) and user in ("7", " 7", "ä") and time == 1000086400:
        assert all(fast)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"user": 1, "item": 2', "is not JSON"),
        ("[1, 2]", "is not a JSON object such as"),
        ('{"user": null, "item": 2, "timestamp": 5}', "user is empty"),
        ('{"item": 2, "timestamp": 5}', "user is empty"),
        ('{"user": [1], "item": 2, "timestamp": 5}', "neither text nor a number"),
        ('{"user": 1, "item": 2, "timestamp": "x"}', "'x' is not a number like that of line 1"),
        ('{"user": 1, "item": 2} {"user": 1, "item": 2}', "is not JSON"),
    ],
)
def test_a_bad_line_of_json_is_named(line: str, says: str, tmp_path: Path) -> None:
    good = '{"user": 1, "item": 2, "timestamp": 1000086400}\n'
    (tmp_path / "x.jsonl").write_text(good * 3 + line + "\n" + good)
    with pytest.raises(DatasetError, match=r"x\.jsonl, line 4: ") as caught:
        dataset_at(tmp_path / "x.jsonl")
    assert says in str(caught.value)
    data = dataset_at(tmp_path / "x.jsonl", max_bad=1)
    assert (data.read_facts.rows, len(data.read_facts.bad_rows)) == (4, 1)


def test_reviews_of_amazon_2023_go_by_their_parent_product(tmp_path: Path) -> None:
    row = {"rating": 5, "title": "x", "asin": "B1", "parent_asin": "B0", "user_id": "A",
           "timestamp": 7}  # fmt: skip
    (tmp_path / "Books.jsonl").write_text(json.dumps(row) + "\n")
    data = dataset_at(tmp_path / "Books.jsonl")
    assert data.catalogue.item_ids == ["B0"]
    assert "items are told apart by parent_asin, not by asin" in data.notices
    named = dataset_at(tmp_path / "Books.jsonl", columns="user=user_id,item=asin")
    assert named.catalogue.item_ids == ["B1"]


def test_an_array_of_json_is_refused_with_a_command(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([{"user": 1, "item": 2}]))
    with pytest.raises(DatasetError, match=r"jq -c '\.\[\]' x\.json"):
        dataset_at(tmp_path / "x.json")


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y-%m-%d %H:%M:%S.000", "%Y-%m-%d %H:%M:%S UTC", "%d.%m.%Y %H:%M:%S",
        "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y %H:%M:%S", "%a %b %d %H:%M:%S +0000 %Y",
        "%b %d, %Y %H:%M:%S", "%Y%m%d%H%M%S", "%Y/%m/%d %H:%M:%S",
    ],
)  # fmt: skip
def test_times_as_people_write_them(form: str, tmp_path: Path) -> None:
    def later(row: tuple[str, ...]) -> tuple[str, ...]:
        return with_time(form)((*row[:3], str(int(row[3]) + 4 * 86400)))

    def plain(row: tuple[str, ...]) -> tuple[str, ...]:
        return (*row[:3], str(int(row[3]) + 4 * 86400))

    (tmp_path / "wanted.csv").write_text(lines(";", change=plain))
    wanted = dataset_at(tmp_path / "wanted.csv").fingerprint
    facts_of(tmp_path / "x.csv", lines(";", change=later), wanted)


@pytest.mark.parametrize(
    "form",
    [
        lambda time: f"{time}000",
        lambda time: f"{time}000000",
        lambda time: f"{time}000000000",
        lambda time: f"{time}.0",
        lambda time: f"{time / 10**9:.9f}e9",
        lambda time: f" {time} ",
    ],
    ids=["ms", "µs", "ns", "fraction", "scientific", "blanks"],
)
def test_times_as_numbers(form: Callable[[int], str], tmp_path: Path, wanted: str) -> None:
    facts_of(tmp_path / "x.csv", lines(change=with_time(form)), wanted)


def test_day_and_month_that_can_be_exchanged_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("user,item,time\n1,2,05/05/2024\n1,3,03/04/2024\n2,3,01/02/2024\n")
    with pytest.raises(
        DatasetError, match=r"line 3: time '03/04/2024' can be .*, unlike"
    ) as caught:
        dataset_at(path)
    assert "try --time-format '%d/%m/%Y'" in str(caught.value)
    first = dataset_at(path, time_format="%d/%m/%Y")
    other = dataset_at(path, time_format="%m/%d/%Y")
    assert first.facts.first_time != other.facts.first_time
    path.write_text(path.read_text() + "2,4,31/12/2024\n")
    assert dataset_at(path).facts.first_time == first.facts.first_time
    with pytest.raises(DatasetError, match=r"line 5: time '31/12/2024' does not have the format"):
        dataset_at(path, time_format="%m/%d/%Y")


@pytest.mark.parametrize(
    ("times", "odd", "says"),
    [
        ("1000086400", "1000086400000", "line 9: time '1000086400000' is not in seconds"),
        ("1000086400", "253402214400", "line 9: time '253402214400' is not in seconds"),
        ("1000086400000", "1000086400", "line 9: time '1000086400' is not in milliseconds"),
        ("1000086400", "2024-04-13", "line 9: time '2024-04-13' is not a number like that of"),
        ("2024-04-13", "1000086400", "line 9: time '1000086400' is not an ISO date without"),
        ("2024-04-13", "2024-04-13T10:00Z", "line 9: time '2024-04-13T10:00Z' is not an ISO date"),
        ("2024-04-13", "2024-02-30", "line 9: time is not a date between 1970 and 9999"),
        ("2024-04-13", "1969-12-31", "line 9: time is not a date between 1970 and 9999"),
        ("2024-04-13", "", "line 9: time is empty"),
    ],
)
def test_a_time_that_does_not_fit_the_others_is_named(
    times: str, odd: str, says: str, tmp_path: Path
) -> None:
    rows = [f"{k},{k + 1},{times}" for k in range(20)]
    rows[7] = f"7,8,{odd}"
    path = tmp_path / "x.csv"
    path.write_text("\n".join(["user,item,time", *rows, ""]))
    with pytest.raises(DatasetError) as caught:
        dataset_at(path)
    said = str(caught.value)
    assert says in said
    assert said.endswith("fix it, or leave it out with --max-bad 1")
    if "empty" not in said and "between" not in said:
        assert f"line 2: '{times}'" in said or f"unlike '{times}' in {path}, line 2" in said
    data = dataset_at(path, max_bad=1)
    assert data.read_facts.rows == 19
    assert "7" not in data.user_ids


def test_without_times_the_split_is_random(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(lines(change=lambda row: row[:3], header=HEADER[:3]))
    data = dataset_at(tmp_path / "x.csv")
    assert (data.facts.split, data.facts.has_times) == ("random", False)
    (tmp_path / "x.csv").write_text(lines(header=(*HEADER[:3], "moment of time")))
    with pytest.raises(DatasetError, match="but moment of time looks like it") as caught:
        dataset_at(tmp_path / "x.csv")
    assert "--columns 'user=user,item=item,rating=rating,time=moment of time'" in str(caught.value)
    assert str(caught.value).endswith("--columns user=user,item=item,rating=rating")


@pytest.mark.parametrize(
    ("ids", "plain", "says"),
    [
        (["8.0", "12.0"], ["8", "12"], "items: ids such as 8.0 are read as 8"),
        (["8.0", "8"], ["8"], "items: ids such as 8.0 are read as 8"),
        (["1e+05", "7"], ["7", "100000"], "items: ids such as 1e+05 are read as 100000"),
        ([" 8", "9"], ["8", "9"], "items: blanks around 1 ids are cut"),
        (["8.0", "B"], ["8.0", "B"], ""),
        (["1.5", "8.0"], ["1.5", "8.0"], ""),
        (["007", "7"], ["007", "7"], ""),
    ],
)
def test_ids_are_text(ids: list[str], plain: list[str], says: str, tmp_path: Path) -> None:
    rows = "".join(f"u{k % 3},{ids[k % len(ids)]},{k}\n" for k in range(6))
    (tmp_path / "x.csv").write_text("user,item,time\n" + rows)
    data = dataset_at(tmp_path / "x.csv")
    assert sorted(data.catalogue.item_ids) == sorted(plain)
    assert [one for one in data.notices if one.startswith("items: ")] == [says] * bool(says)


STRAY = [
    ('1\t2\t3\t5\t"Great\n', '7\t8\t3\t5\tawesome"\n'),
    ('1\t2\t3\t5\t7" disc\n', ""),
    ('1\t2\t3\t5\t"Great\n', ""),
]


@pytest.mark.parametrize(("first", "last"), STRAY)
def test_between_tabs_a_quote_is_a_letter(first: str, last: str, tmp_path: Path) -> None:
    middle = "".join(f"{k}\t9\t3\t5\tok\n" for k in range(20, 50))
    (tmp_path / "x.tsv").write_text(f"user\titem\trating\ttime\ttext\n{first}{middle}{last}")
    assert dataset_at(tmp_path / "x.tsv").read_facts.rows == 31 + bool(last)


@pytest.mark.parametrize("between", [0, 1, 30])
@pytest.mark.parametrize("place", [0, 4])
def test_rows_between_stray_quotes_are_never_lost(between: int, place: int, tmp_path: Path) -> None:
    def row(user: int, text: str) -> str:
        fields = [str(user), "9", "3", "5"]
        return ",".join([*fields[:place], text, *fields[place:]]) + "\n"

    header = ["user", "item", "rating", "time"]
    header.insert(place, "text")
    rows = [row(k, "ok") for k in range(20, 20 + between)]
    path = tmp_path / "x.csv"
    path.write_text(",".join(header) + "\n" + row(1, '"Great') + "".join(rows) + row(2, 'awesome"'))
    with pytest.raises(DatasetError, match=r"line 2: .*quote"):
        dataset_at(path)


def test_a_quoted_text_over_lines_is_one_field(tmp_path: Path, wanted: str) -> None:
    def change(row: tuple[str, ...]) -> tuple[str, ...]:
        return (*row, '"Great, ""really""\nand 5,\n\nstars"')

    facts = facts_of(tmp_path / "x.csv", lines(header=(*HEADER, "text"), change=change), wanted)
    assert facts.first_rows[0][4] == 'Great, "really"\nand 5,\n\nstars'


def test_bad_rows_are_counted_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(lines() + ",P1,3,5\n7,,3,5\n7,P1,3\n7,P1,3,late\n7,P1,good,5\n7, ,3,5\n")
    with pytest.raises(DatasetError) as caught:
        dataset_at(path)
    assert f"{path}, line 82: user is empty; 6 rows cannot be read" in str(caught.value)
    assert str(caught.value).endswith("or leave them out with --max-bad 6")
    with pytest.raises(DatasetError, match="--max-bad 6"):
        dataset_at(path, max_bad=5)
    data = dataset_at(path, max_bad=6)
    assert data.read_facts.rows == 80
    assert [one.partition(", line ")[2] for one in data.read_facts.bad_rows] == [
        "82: user is empty",
        "83: item is empty",
        "84: 3 columns; expected the 4 of the header (quote a field that contains a comma)",
        "85: timestamp 'late' is not a number like that of line 2: '1000000000'",
        "86: rating 'good' is not a number",
    ]
    assert any(one.startswith("6 rows could not be read and are left out") for one in data.notices)


def test_counting_bad_rows_ends_where_all_are(tmp_path: Path) -> None:
    rows = "".join(f"{k},{k},x\n" for k in range(3000))
    (tmp_path / "x.csv").write_text("user,item,rating\n" + rows)
    with pytest.raises(DatasetError, match="more than 1,000 rows cannot be read; try --columns"):
        dataset_at(tmp_path / "x.csv", max_bad=7)


@pytest.mark.parametrize(
    ("header", "user", "item", "time"),
    [
        ("customer,sku,quantity,invoice_date", "customer", "sku", "invoice_date"),
        ("InvoiceNo,StockCode,Quantity,InvoiceDate,CustomerID", "CustomerID", "StockCode",
         "InvoiceDate"),
        ("event_time,event_type,product_id,brand,user_id", "user_id", "product_id", "event_time"),
        ("session_user,track,played_at", "session_user", "track", "played_at"),
        ("Customer ID,song,created_at", "Customer ID", "song", "created_at"),
        ("reviewerID,asin,overall,unixReviewTime", "reviewerID", "asin", "unixReviewTime"),
        ("t_dat,customer_id,article_id,price", "customer_id", "article_id", "t_dat"),
        ("timestamp,visitorid,event,itemid", "visitorid", "itemid", "timestamp"),
        ("user_id:token,item_id:token,timestamp:float", "user_id:token", "item_id:token",
         "timestamp:float"),
        ("member,book_id", "member", "book_id", None),
    ],
)  # fmt: skip
def test_columns_are_known_by_their_names(
    header: str, user: str, item: str, time: str | None
) -> None:
    found = choose_columns("x", header.split(","), None)
    assert (found.user, found.item, found.time) == (user, item, time)


@pytest.mark.parametrize(
    ("header", "both"),
    [
        ("user_id,asin,parent_asin,rating", "asin and parent_asin may both be the item"),
        ("user,artist,track,played_at", "artist and track may both be the item"),
        ("user,customer,item", "user and customer may both be the user"),
        ("user,item,created_at,date", "created_at and date may both be the time"),
    ],
)
def test_two_candidates_are_shown_with_a_flag_for_each(header: str, both: str) -> None:
    with pytest.raises(DatasetError, match=both) as caught:
        choose_columns("x", header.split(","), None)
    assert str(caught.value).count("--columns user=") == 2


def write_parts(folder: Path, kind: str) -> None:
    """Write three parts; the last has no rows."""
    for number, rows in enumerate((ROWS[:30], ROWS[30:], [])):
        name = folder / f"part-{number:05}-4f1c{number}.snappy.{kind}"
        if kind == "parquet":
            columns = list(zip(*rows, strict=True)) or [[]] * 4
            table = {key: pa.array(column, pa.string())
                     for key, column in zip(HEADER, columns, strict=True)}  # fmt: skip
            table["rating"] = table["rating"].cast(pa.float64())
            table["timestamp"] = table["timestamp"].cast(pa.int64())
            parquet.write_table(pa.table(table), name)
        elif kind == "csv.gz":
            text = "\n".join(map(",".join, [HEADER, *rows]))
            name.write_bytes(gzip.compress(f"{text}\n".encode()))
        else:
            name.write_text("".join(
                json.dumps({"user": u, "item": i, "timestamp": int(t)}) + "\n"
                for u, i, _, t in rows
            ) or "\n")  # fmt: skip
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.crc").write_bytes(b"crc")


@pytest.mark.parametrize("separator", ["\t", " ", ","])
@pytest.mark.parametrize("mark", ["# ", "% ", "## "])
def test_comments_above_a_table(mark: str, separator: str, tmp_path: Path, wanted: str) -> None:
    above = f"{mark}Purchases of a shop\n{mark.strip()}\n{mark}rows: {len(ROWS)}\n"
    path, named, unnamed = tmp_path / "shop.txt", lines(separator), lines(separator, None)
    for text, count in ((above + named, 3), (above + mark + named, 3)):
        facts = facts_of(path, text, wanted)
        assert f"{count} lines of comments above the table of shop.txt are skipped" in facts.notices
    columns = "user=1,item=2,rating=3,time=4"
    path.write_text(above + unnamed)
    with pytest.raises(DatasetError, match=r"shop\.txt, line 4: the first line is not a header"):
        dataset_at(path)
    assert dataset_at(path, columns=columns).fingerprint == wanted
    path.write_text(above + unnamed + separator.join(["anna", "", "1", "1000086400"]) + "\n")
    where = rf"shop\.txt, line {4 + len(ROWS)}: "
    with pytest.raises(DatasetError, match=where):
        dataset_at(path, columns=columns)


def test_nothing_but_comments_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("# Nodes: 3\n# Edges: 2\n")
    with pytest.raises(DatasetError, match="has only comments, lines that start with # or %"):
        dataset_at(tmp_path / "x.txt")


@pytest.mark.parametrize("kind", ["parquet", "csv.gz"])
def test_parts_in_a_folder_are_one_table(kind: str, tmp_path: Path, wanted: str) -> None:
    folder = tmp_path / "purchases.parquet"
    folder.mkdir()
    write_parts(folder, kind)
    data = dataset_at(folder)
    assert data.fingerprint == wanted
    assert data.name == "purchases"
    assert data.read_facts.form.endswith(", in 3 files")
    assert "3 files are read as parts of one" in data.notices
    if kind == "parquet":
        strange = pa.table({"user": ["a"], "item": ["b"]})
        parquet.write_table(strange, folder / "part-00001-4f1c1.snappy.parquet")
        with pytest.raises(DatasetError, match="expected parts of one table"):
            dataset_at(folder)


def test_a_bad_row_of_a_part_is_named(tmp_path: Path) -> None:
    for number, time in enumerate(("1000086400", "1000086400000")):
        (tmp_path / f"log-{number}.csv").write_text(f"user,item,time\n1,{number},{time}\n")
    with pytest.raises(DatasetError, match=r"log-1\.csv, line 2: time .*, unlike .*log-0\.csv"):
        dataset_at(tmp_path)


def test_the_shop_of_a_year_is_read() -> None:
    places = [folder / "online-retail" for folder in (_NAMED, _NAMED.parent)]
    shop = next((one for one in places if (one / "purchases.csv.gz").exists()), None)
    if shop is None:
        pytest.skip("Online Retail is not there; NEUMF_TUI_DATA names the folder that holds it")
    data = dataset_at(shop / "purchases.csv.gz")
    assert (data.num_users, data.read_facts.rows) == (4339, 397_924)
    assert data.read_facts.form == "text separated by commas, UTF-8, gzip"
