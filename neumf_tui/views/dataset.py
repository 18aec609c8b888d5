"""What is known of a dataset before anybody trains on it: as JSON, as sheets and as text."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from neumf_tui.data.options import DataOptions
from neumf_tui.runs.events import DatasetRef, RunInfo
from neumf_tui.runs.protocol import make_protocol, protocol_line, protocol_of, split_protocol
from neumf_tui.settings import DEFAULT_PRESET, make_settings
from neumf_tui.text import clean
from neumf_tui.views.output import print_line
from neumf_tui.views.sheet import Sheet
from neumf_tui.views.sheet_keys import dataset_keys

if TYPE_CHECKING:
    from neumf_tui.data.dataset import Dataset
    from neumf_tui.explore.dataset_counts import Bin, DatasetCounts

LABEL = 14
"""Width of the names of facts."""
_WIDEST_CELL = 26
_MOST_LINES = 10
"""Files and reasons that are shown; JSON has all."""
_COUNTING = "counting …"


@dataclass(frozen=True)
class Fact:
    """One thing that is known, with a name; or rows of a table."""

    name: str
    text: str
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Section:
    """Facts under a title."""

    title: str
    facts: Sequence[Fact]


# The figures.


def dataset_object(data: "Dataset", counts: "DatasetCounts", train: str) -> dict[str, Any]:
    """Return what `datasets PATH --json` prints; `train` is the command that trains on it."""
    return {
        **dataset_keys(data),
        "source": data.source,
        "fingerprint": data.fingerprint,
        "noun": list(data.noun),
        "num_users": data.num_users,
        "num_items": data.num_items,
        "num_train": data.num_train,
        "not_evaluated": data.num_users - data.facts.heldout if data.facts.known else None,
        "later_share": counts.later_share,
        "read_facts": msgspec.structs.asdict(data.read_facts),
        "split_facts": msgspec.structs.asdict(data.facts),
        "options": {
            key: value for one in data.options for key, value in msgspec.structs.asdict(one).items()
        },
        "protocol": protocol_of_dataset(data),
        "notices": list(data.notices),
        "train": train,
    }


def protocol_of_dataset(data: "Dataset") -> dict[str, Any]:
    """Return the protocol of a run with the preset that `train` uses by itself."""
    settings = msgspec.to_builtins(make_settings(DEFAULT_PRESET, {}))
    split = split_protocol(data.facts, data.options.splitting) if data.facts.known else None
    return make_protocol(settings, data.num_candidates, split)


def train_command(data: "Dataset", flags: Sequence[str] = ()) -> str:
    """Return the command that trains on a dataset; `flags`: those that name it.

    Empty for rows that came from memory, so that no flags can name them.
    """
    flags = flags or _flags_of(data)
    return shlex.join(["neumf-tui", "train", *flags, *data.options.flags]) if flags else ""


def _flags_of(data: "Dataset") -> list[str]:
    """Return the flags that name a dataset, as far as its source tells."""
    if data.simulated:
        return ["--dataset", data.name]
    if data.facts.known:
        return ["--data-dir", data.source] if data.source.startswith("/") else []
    from neumf_tui.data.formats import source_of  # it knows what version 0.1.0 wrote

    found = source_of(data.source)
    if len(found) != 1:
        return []
    return ["--data-dir", str(found[0].place), *DataOptions(found[0].reading).flags]


def facts_sheet(data: "Dataset", counts: "DatasetCounts") -> Sheet:
    """Return a row for each fact, as it is shown."""
    rows = [
        {"section": section.title, "fact": fact.name, "text": text}
        for section in dataset_sections(data, counts)
        for fact in section.facts
        for text in (fact.text, *(" | ".join(cells) for cells in fact.rows))
        if text
    ]
    about = dataset_object(data, counts, train_command(data))
    return Sheet(f"{data.name}-facts", about, "facts", rows, ("section", "fact", "text"))


def counts_sheet(data: "Dataset", counts: "DatasetCounts") -> Sheet:
    """Return a row for each bin of each histogram."""
    rows = [
        {"histogram": title, "bin": one.label, "count": one.count}
        for title, bins in histograms(data, counts)
        for one in bins
    ]
    about = dataset_keys(data)
    return Sheet(f"{data.name}-counts", about, "bins", rows, ("histogram", "bin", "count"))


def histograms(data: "Dataset", counts: "DatasetCounts") -> "list[tuple[str, list[Bin]]]":
    """Return title and bins of each histogram."""
    return [
        ("users by number of interactions", counts.user_sizes),
        (f"{data.noun.plural} by number of interactions", counts.item_sizes),
        ("interactions over time", counts.times),
        ("interactions by rating", counts.ratings),
        ("interactions that share user and time", counts.ties),
    ]


def missing_text(data: "Dataset", title: str) -> str:
    """Return why a histogram has no bins."""
    if title == "interactions by rating":
        known = "No ratings, or not between 0 and 100."
        return known if data.facts.known else "Version 0.1.0 kept no ratings."
    return "No times."


# The facts.


def dataset_sections(
    data: "Dataset",
    counts: "DatasetCounts | None",
    protocol: Mapping[str, Any] | None = None,
) -> list[Section]:
    """Return the facts of a dataset; `counts` is None while they are computed.

    protocol: that of a run on it; None: that of the preset that `train` uses by itself.
    """
    line = protocol_line(protocol or protocol_of_dataset(data))
    line += "" if protocol else f" (preset {DEFAULT_PRESET})"
    sections = [
        Section("files", list(_file_facts(data))),
        Section("interactions", list(_interaction_facts(data))),
        Section("split", [*_split_facts(data, counts), Fact("protocol", line)]),
        Section("notices", [Fact("", notice) for notice in data.notices]),
    ]
    return [section for section in sections if section.facts]


def run_sections(info: RunInfo, problem: str) -> list[Section]:
    """Return what a run itself knows of its dataset, which cannot be opened."""
    data: DatasetRef = info.dataset
    facts = [
        Fact("name", data.label),
        Fact("from", data.source),
        Fact("users", f"{data.num_users:,}"),
        Fact(data.noun.plural, f"{data.num_items:,}"),
        Fact("training pairs", f"{data.num_train:,}"),
        Fact("read with", shlex.join(data.options.flags) or "no options"),
        Fact("protocol", protocol_line(protocol_of(info))),
    ]
    return [
        Section("this dataset cannot be opened", [Fact("", problem)]),
        Section("what the run says of it", facts),
        *([Section("notices", [Fact("", one) for one in data.notices])] if data.notices else []),
    ]


def _file_facts(data: "Dataset") -> Iterable[Fact]:
    read = data.read_facts
    yield Fact("name", data.label)
    yield Fact("from", data.source)
    if read.files:
        yield Fact("files", _listed(read.files, len(read.files)))
    if read.form:
        yield Fact("form", read.form)
    if read.columns:
        yield Fact("columns", " · ".join(f"{role}: {name}" for role, name in read.columns.items()))
    if read.first_rows:
        rows = (read.header, *read.first_rows) if read.header else read.first_rows
        yield Fact("first rows", "", tuple(rows))
    if read.bad:
        reasons = _listed(read.bad_rows, read.bad, "; ")
        yield Fact("bad rows", f"{read.bad:,}, left out: {reasons}")
    if data.options.flags:
        yield Fact("options", shlex.join(data.options.flags))
    if not data.facts.known:
        flags = _flags_of(data)
        command = shlex.join(["neumf-tui", "datasets", *flags])
        again = f" `{command}` reads them again." if flags else ""
        yield Fact(
            "no more known",
            f"Version 0.1.0 prepared this dataset and kept nothing about its files.{again}",
        )


def _listed(texts: Sequence[str], count: int, between: str = ", ") -> str:
    """Return the first of `count` texts, and how many more there are."""
    shown = texts[:_MOST_LINES]
    more = count - len(shown)
    return between.join(shown) + (f" and {more:,} more" if more > 0 else "")


def _interaction_facts(data: "Dataset") -> Iterable[Fact]:
    facts, read = data.facts, data.read_facts
    yield Fact("users", f"{data.num_users:,}")
    untitled = f", {read.untitled:,} without a title: shown by their ids" if read.untitled else ""
    yield Fact(data.noun.plural, f"{data.num_items:,}{untitled}")
    if facts.known:
        rows = f" of {read.rows:,} rows" if read.rows > facts.interactions else ""
        yield Fact("interactions", f"{facts.interactions:,}{rows}")
        yield Fact("left out", _left_out(data))
        first, last = facts.first_time, facts.last_time
    else:
        times = data.split.times
        first, last = (int(times.min()), int(times.max())) if len(times) else (None, None)
    yield Fact("training pairs", f"{data.num_train:,}")
    if first is not None and last is not None:
        yield Fact("time", f"{_moment(first)} to {_moment(last)}")
    elif not facts.has_times:
        yield Fact("time", "none: histories are in a random order")
    if facts.known and facts.has_times and facts.split != "random":
        tied = _of(facts.tied, facts.interactions, "interactions")
        yield Fact("tied", f"{tied} share user and time with others")
    ratings = read.ratings or tuple(rating for rating, _ in facts.rating_counts)
    if ratings:
        yield Fact("ratings", f"{ratings[0]:g} to {ratings[-1]:g}")


def _left_out(data: "Dataset") -> str:
    """Return which rows and interactions are not used, and why."""
    facts = data.facts
    kept = "the latest of each pair is kept" if facts.has_times else "one of each pair is kept"
    counts = (
        (data.read_facts.bad, "rows that cannot be read"),
        (facts.duplicates, f"duplicates ({kept})"),
        (facts.below_rating, "below --min-rating"),
        (facts.below_counts, "of users or items below --min-user-count or --min-item-count"),
        (facts.unused, "after the held-out ones"),
    )
    return " · ".join(f"{count:,} {what}" for count, what in counts if count) or "nothing"


def _split_facts(data: "Dataset", counts: "DatasetCounts | None") -> Iterable[Fact]:
    facts, protocol = data.facts, protocol_of_dataset(data)
    heldout, validated = facts.heldout, facts.validated
    if not facts.known:
        heldout, validated = (
            int((one >= 0).sum()) for one in (data.split.heldout, data.validation)
        )
    yield Fact("split", protocol["split"])
    if protocol["cut"]:
        yield Fact("cut", f"{protocol['cut']}; for validation {protocol['validation_cut']}")
    if facts.known:
        yield Fact("equal times", _tie_text(data, protocol["equal_times"]))
    yield Fact("held out", _users(heldout))
    yield Fact("validated", f"{_users(validated)}: {protocol['validation'].split(';')[0]}")
    yield Fact(
        "not evaluated", f"{_users(data.num_users - heldout)}: nothing of theirs is held out"
    )
    if facts.known:
        yield Fact("cold users", f"{_users(facts.cold_users)} without a history: left out")
        cold = _of(facts.cold_items, heldout, f"held-out {data.noun.plural}")
        yield Fact("cold items", f"{cold} are in nobody's history")
    if facts.rated:
        low = _of(facts.rated_low, facts.rated, "held-out interactions")
        yield Fact("low ratings", f"{low} are rated at most 2")
    if facts.has_times:
        yield Fact("later pairs", _later_text(counts))


def _tie_text(data: "Dataset", rule: str) -> str:
    facts = data.facts
    if not facts.has_times or facts.split == "random":
        return rule if not facts.has_times else "do not matter: histories are in a random order"
    return (
        f"{rule}; they decide what is held out for {_of(facts.tied_last, facts.heldout, 'users')}"
    )


def _later_text(counts: "DatasetCounts | None") -> str:
    if counts is None:
        return _COUNTING
    if counts.later_share is None:
        return "not known: the times of the held-out interactions are not kept"
    return (
        f"{_percent(counts.later_share)} of the training pairs are later than a user's held-out "
        "interaction (mean over users)"
    )


def _users(count: int) -> str:
    return f"{count:,} {'user' if count == 1 else 'users'}"


def _of(part: int, whole: int, what: str) -> str:
    """Return `5 of 20 users (25 %)`."""
    share = f" ({_percent(part / whole)})" if part else ""
    return f"{part:,} of {whole:,} {what}{share}"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if not 0 < share < 0.005 else "under 1 %"


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes").removesuffix("+00:00")


# Text.


def print_dataset(data: "Dataset", counts: "DatasetCounts", train: str) -> None:
    """Print the facts of a dataset, and the command that trains on it."""
    width = Console().width
    for line in sections_text(dataset_sections(data, counts), width).plain.splitlines():
        print_line(line.rstrip())
    print_line()
    print_line(f"train on it: {train}")


def sections_text(sections: Iterable[Section], width: int) -> Text:
    """Lay out facts in lines of at most `width` cells; hostile characters are made harmless."""
    text = Text()
    for section in sections:
        text.append(f"\n{section.title}\n" if text else f"{section.title}\n", "bold")
        for fact in section.facts:
            _lay_out(text, fact, width)
    return text


def _lay_out(text: Text, fact: Fact, width: int) -> None:
    indent = LABEL + 3 if fact.name else 2
    room = max(16, width - indent)
    lines = _table(fact.rows, room) if fact.rows else _wrapped(clean(fact.text), room)
    for number, line in enumerate(lines):
        name = clean(fact.name) if number == 0 else ""
        text.append(
            f"  {set_cell_size(_cropped(name, LABEL), LABEL)} " if fact.name else "  ", "dim"
        )
        text.append(f"{line}\n")


def _wrapped(text: str, width: int) -> list[str]:
    lines = Text(text).wrap(Console(), width, overflow="fold")
    return [line.plain.rstrip() for line in lines] or [""]


def _table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the rows with aligned columns; what does not fit ends in `…`."""
    cleaned = [[_cropped(clean(cell), _WIDEST_CELL) for cell in row] for row in rows]
    columns = zip_longest(*cleaned, fillvalue="")
    widths = [max(map(cell_len, column)) for column in columns]
    lines = (
        "  ".join(set_cell_size(cell, size) for cell, size in zip(row, widths, strict=False))
        for row in cleaned
    )
    return [_cropped(line.rstrip(), width) for line in lines]


def _cropped(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1)}…"
