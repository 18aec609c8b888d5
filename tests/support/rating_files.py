"""Small files of ratings in every form that the program reads."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from neumf_tui.data.releases import RELEASES

HOSTILE = ["[bold]Bold[/]", "\x1b[31mRed\x1b[0m", "tab\there", "שלום \u202eabc", "😀 film", "Plain"]


def write_100k(folder: Path, data: str, titles: list[str] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "u.data").write_text(data)
    names = titles or [f"Film {n} (19{n:02})" for n in range(90)]
    flags = "|".join(["0", "1"] + ["0"] * 17)
    lines = [f"{n}|{name}|01-Jan-1995||url|{flags}" for n, name in enumerate(names, start=1)]
    (folder / "u.item").write_bytes("\n".join(lines).encode("latin-1", "replace"))
    return folder


def ratings_100k(users: int = 8, items: int = 60) -> str:
    return "".join(
        f"{u}\t{1 + (7 * u + k) % items}\t4\t{1000 + k}\n"
        for u in range(1, users + 1)
        for k in range(10)
    )


def patch_release(monkeypatch: pytest.MonkeyPatch, name: str = "ml-100k", **facts: object) -> None:
    """Replace facts about a published release, such as its checksum."""
    monkeypatch.setitem(RELEASES, name, replace(RELEASES[name], **facts))  # type: ignore[arg-type]


TRIPLES = [
    (user, 1 + (3 * user + 7 * k) % 80, 1_000_000_000 + 60 * k)
    for user in (10, 2, 33, 4)
    for k in range(20)
]
FILMS = {
    film: (f"Film {film}", 1900 + film, ["Drama", "War"] if film % 2 else [])
    for film in range(1, 81)
}


def as_100k(folder: Path) -> Path:
    (folder / "u.data").write_text("".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in TRIPLES))
    flags = {
        number: "|".join("1" if number % 2 and g in (8, 17) else "0" for g in range(19))
        for number in FILMS
    }
    (folder / "u.item").write_text(
        "".join(f"{n}|{t} ({y})|||url|{flags[n]}\n" for n, (t, y, _) in FILMS.items())
    )
    return folder


def as_csv(folder: Path) -> Path:
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},3.5,{t}\n" for u, i, t in TRIPLES)
    )
    films = "".join(
        f"{n},{t} ({y}),{'|'.join(g) or '(no genres listed)'}\n" for n, (t, y, g) in FILMS.items()
    )
    (folder / "movies.csv").write_text("movieId,title,genres\n" + films)
    return folder


def as_dat(folder: Path) -> Path:
    (folder / "ratings.dat").write_text("".join(f"{u}::{i}::3.5::{t}\n" for u, i, t in TRIPLES))
    (folder / "movies.dat").write_text(
        "".join(f"{n}::{t} ({y})::{'|'.join(g)}\n" for n, (t, y, g) in FILMS.items())
    )
    (folder / "users.dat").write_text("10::F::1::10::48067\n")
    return folder


def as_recbole(folder: Path) -> Path:
    head = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
    (folder / "films.inter").write_text(
        head + "".join(f"{u}\t{i}\t3\t{t}\n" for u, i, t in TRIPLES)
    )
    head = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    (folder / "films.item").write_text(
        head + "".join(f"{n}\t{t}\t{y}\t{' '.join(g)}\n" for n, (t, y, g) in FILMS.items())
    )
    return folder / "films.inter"


def as_tsv(folder: Path) -> Path:
    (folder / "seen.tsv").write_text(
        "ts\titem\tuser\n" + "".join(f"{t}\t{i}\t{u}\n" for u, i, t in TRIPLES)
    )
    return folder / "seen.tsv"


def table(times: pa.DataType | None = None, ids: pa.DataType | None = None) -> pa.Table:
    users, items, when = zip(*TRIPLES, strict=True)
    ids = ids or pa.int64()
    columns = {"User ID": pa.array(users), "item_id": pa.array(items), "time": pa.array(when)}
    first, second = (columns[name].cast(pa.string()).cast(ids) for name in ("User ID", "item_id"))
    return pa.table(
        {
            "User ID": first,
            "item_id": second,
            "time": pa.array(when).cast(times or pa.int64()),
            "other": [None] * len(when),
        }
    )


def as_parquet(folder: Path) -> Path:
    parquet.write_table(table(), folder / "seen.parquet", row_group_size=7)
    return folder / "seen.parquet"


def as_parquet_of_strings(folder: Path) -> Path:
    written = table(pa.timestamp("s"), pa.string())
    written = written.set_column(0, "User ID", written["User ID"].dictionary_encode())
    written = written.set_column(2, "time", written["time"].cast(pa.timestamp("ns")))
    parquet.write_table(written, folder / "seen.parquet", row_group_size=7)
    return folder / "seen.parquet"
