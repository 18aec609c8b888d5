"""A line to search users."""

import re

from textual.widgets import Input


class UserSearchLine(Input):
    """Hidden until it is opened; the screen searches when it is changed."""

    DEFAULT_CSS = """
    UserSearchLine { border: none; height: 1; padding: 0; display: none; }
    UserSearchLine.-open { display: block; }
    """

    def __init__(self, *, id: str) -> None:  # noqa: A002
        super().__init__(placeholder="id or held-out title", id=id, compact=True)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self) -> None:
        self.add_class("-open")
        self.focus()

    def close(self) -> None:
        """Empty and hide the line, without a message that it has changed."""
        with self.prevent(Input.Changed):
            self.value = ""
        self.remove_class("-open")


def matches_in(query: str, *columns: int) -> dict[int, re.Pattern[str]]:
    """Return what `Table.matches` marks: `query` anywhere in these columns."""
    text = re.escape(query.strip())
    return dict.fromkeys(columns, re.compile(text, re.IGNORECASE)) if text else {}
