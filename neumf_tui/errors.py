"""The errors that a user can act on: what is wrong, where, and what to do."""


class NeumfTuiError(Exception):
    """A failure that is shown as one message, without a traceback."""

    exit_code = 1


class UsageError(NeumfTuiError):
    """An invalid setting or argument."""

    exit_code = 2


class DatasetError(NeumfTuiError):
    """A dataset that is missing or cannot be read."""

    exit_code = 3


class RunError(NeumfTuiError):
    """A run that is missing or cannot be read."""

    exit_code = 4


class UnknownNameError(RunError):
    """A user or an item that the dataset of a run does not have."""

    def __init__(self, message: str, name: str, *, is_user: bool) -> None:
        super().__init__(message)
        self.name = name
        self.is_user = is_user
