"""Sheets of the views as frames of pandas."""

from typing import TYPE_CHECKING

from neumf_tui.views.sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd


def to_frame(sheet: Sheet) -> "pd.DataFrame":
    """Return a sheet's rows as a frame, and what holds for all of them in its `attrs`."""
    import pandas as pd

    frame = pd.DataFrame(list(sheet.rows), columns=list(sheet.columns))
    frame.attrs.update(sheet.about)
    return frame
