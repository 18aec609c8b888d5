"""The one error family. The text names the file or value, what was expected, and the remedy."""


class NeumfTuiError(Exception):
    """A failure the user can act on; shown as one message, without a traceback."""

    exit_code = 1


class UsageError(NeumfTuiError):
    """A setting or argument that cannot work."""

    exit_code = 2


class DatasetError(NeumfTuiError):
    """A dataset that is missing or cannot be read."""

    exit_code = 3


class RunError(NeumfTuiError):
    """A run that is missing or cannot be read."""

    exit_code = 4
