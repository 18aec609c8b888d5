"""Rows that cannot be read: none are dropped in silence, and only as many as a person allows."""

from neumf_tui.errors import DatasetError


class BadRows:
    """Counts rows that cannot be read, and raises DatasetError if they are too many."""

    SHOWN = 5
    """Rows of which the reason is kept."""
    _COUNTED = 1000
    """Rows after which counting ends: then something else is wrong than a few rows."""

    def __init__(self, allowed: int = 0) -> None:
        self.allowed = allowed
        self.count = 0
        self.texts: list[str] = []
        self._remedy = ""

    def add(self, text: str, remedy: str = "") -> None:
        """Count a row; `text`: file, line and what is wrong; `remedy`: flags that may help."""
        self.count += 1
        if len(self.texts) < self.SHOWN:
            self.texts.append(text)
        self._remedy = self._remedy or remedy
        if self.count > max(self.allowed, self._COUNTED):
            raise self._error(f"; more than {self.count - 1:,} rows cannot be read")

    def copy(self) -> "BadRows":
        """Return another counter that goes on from here."""
        other = BadRows(self.allowed)
        other.count, other.texts, other._remedy = self.count, [*self.texts], self._remedy
        return other

    def check(self) -> None:
        """Raise DatasetError if more rows are bad than allowed."""
        if self.count > self.allowed:
            others = f"; {self.count:,} rows cannot be read" if self.count > 1 else ""
            raise self._error(others)

    def _error(self, others: str) -> DatasetError:
        flag = f"; try {self._remedy}" if self._remedy else ""
        them = "it" if self.count == 1 else "them"
        way = f"fix {them}, or leave {them} out with --max-bad {self.count}"
        if self.count > max(self.allowed, self._COUNTED):
            way = "check that these are the right columns, or name others with --columns"
        return DatasetError(f"{self.texts[0]}{others}{flag}; {way}")
