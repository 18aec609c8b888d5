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
