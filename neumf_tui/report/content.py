"""What a page consists of: sections of sentences, tables and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A table with its caption; `numbers` are the columns that are aligned right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    bars: Sequence[float] = ()
    """Shares from 0 to 1, drawn as a bar at the end of each row; empty for none."""


@dataclass(frozen=True)
class Drawing:
    """A picture within the page, and what stands below it."""

    uri: str  # data:image/svg+xml;base64,…
    caption: str


@dataclass(frozen=True)
class Part:
    """A title, sentences, and what they speak of."""

    title: str
    sentences: Sequence[str] = ()
    shown: Sequence[Table | Drawing] = ()


@dataclass(frozen=True)
class Section:
    """A chapter of the page; `key` names it in the address."""

    key: str
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page, and what it is."""

    value: str
    name: str


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    lead: Sequence[str]
    figures: Sequence[Figure]
    sections: Sequence[Section]
