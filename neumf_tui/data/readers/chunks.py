"""Read a file of interactions in chunks: each fast if possible, else record by record."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from neumf_tui.cores import usable_cores
from neumf_tui.data.facts import ReadFacts
from neumf_tui.data.progress import Progress, Report
from neumf_tui.data.readers.bad_rows import BadRows
from neumf_tui.data.readers.records import Record, UnfinishedError, part_of, sort_records
from neumf_tui.data.readers.rows import Part, Rows
from neumf_tui.data.readers.text_layout import Layout

Chunk = Any
"""Bytes of a text, or a batch of Parquet."""
Place = tuple[int, int]
"""How far a file has been read, and how far it goes."""


class _Piece(NamedTuple):
    """What one chunk, or several that belong together, holds."""

    chunk: Chunk
    first: int
    """Number of its first line or row."""
    part: Part
    bad: list[Record]
    place: Place


@dataclass(frozen=True)
class ChunkedFile:
    """A file that can be read in chunks, again and again."""

    path: Path
    layout: Layout
    unit: Literal["line", "row"]
    first: int
    """Number of the first line or row of the first chunk."""
    chunks: Callable[[], AbstractContextManager[Iterator[tuple[Chunk, Place]]]]
    parse_fast: Callable[[Chunk], Part | None]
    """Return the interactions in a chunk, or None if one may be invalid."""
    records: Callable[[Chunk, int], Iterator[Record]]
    """Yield the records of a chunk, which starts with the line or row of this number."""
    count: Callable[[Chunk], int]
    """Return how many lines or rows a chunk has."""
    progress_unit: Literal["B", "rows"] = "B"

    def read(self, facts: ReadFacts, bad: BadRows, time_format: str, report: Report) -> Rows:
        """Return all interactions; memory: the columns and a few chunks.

        Raises DatasetError for the first record that is none, unless `bad` allows it.
        """
        rows = Rows(facts, bad, time_format, self.locate)
        for piece in self._pieces():
            for record in piece.bad:
                bad.add(f"{self._where(record)}: {record.problem}", record.remedy)
            rows.add(piece.part)
            done, total = piece.place
            report(Progress(f"reading {self.path.name}", done, total, self.progress_unit))
        bad.check()
        return rows

    def locate(self, rows: Sequence[int]) -> list[tuple[str, str]]:
        """Return where interactions, whose numbers ascend, stand, and their times as text."""
        found: list[tuple[str, str]] = []
        wanted, before = deque(rows), 0
        for piece in self._pieces():
            after = before + len(piece.part.users)
            if wanted and wanted[0] < after:
                good = sort_records(self.records(piece.chunk, piece.first), self.layout).good
                while wanted and wanted[0] < after:
                    record = good[wanted.popleft() - before]
                    time = "" if self.layout.time is None else record.fields[self.layout.time]
                    found.append((self._where(record), time))
            before = after
        return found

    def _pieces(self) -> Iterator[_Piece]:
        """Yield what the chunks hold, in order; several are read at the same time."""
        workers, number = usable_cores(), self.first
        waiting: deque[tuple[Future[Part | None], Chunk, Place]] = deque()
        with self.chunks() as chunks, ThreadPoolExecutor(workers) as pool:

            def fill() -> bool:
                """Have as many chunks read as there are workers; return whether one is left."""
                while len(waiting) <= workers and (found := next(chunks, None)):
                    waiting.append((pool.submit(self.parse_fast, found[0]), *found))
                return bool(waiting)

            while fill():
                job, chunk, place = waiting.popleft()
                part, bad = job.result(), []
                while part is None:
                    try:
                        found = sort_records(self.records(chunk, number), self.layout)
                        part, bad = part_of(found, self.layout, self.count(chunk)), found.bad
                    except UnfinishedError:
                        # It goes on in the next chunk, which starts within the record.
                        if not fill():
                            raise
                        _, following, place = waiting.popleft()
                        chunk += following
                yield _Piece(chunk, number, part, bad, place)
                number += part.lines

    def _where(self, record: Record) -> str:
        return f"{self.path}, {self.unit} {record.number}"
