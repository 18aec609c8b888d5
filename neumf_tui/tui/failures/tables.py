"""The columns of the tables on the failures screen."""

from neumf_tui.tui.widgets.table import Column
from neumf_tui.views.failures import WHISKER

USER_COLUMNS = (
    Column("user", 7),
    Column("held-out {item}", 12, flex=True),
    Column("rank", 6, right=True),
    Column("popularity", 10, right=True, drop=3),
    Column("gain", 7, right=True),
    Column("history", 7, right=True, drop=2),
    Column("seen by", 7, right=True, drop=1),
    Column("age", 3, right=True, drop=4),
)
COHORT_COLUMNS = (
    Column("", 1),
    Column("kind", 10, drop=2),
    Column("cohort", 15, flex=True),
    Column("users", 7, right=True),
    Column("Hit@50", 6, right=True),
    Column("95 % interval", 13, drop=1),
    Column("0", WHISKER, drop=4),
    Column("popularity", 10, right=True, drop=3),
    Column("AUC", 5, right=True, drop=5),
    Column("95 % interval", 13, drop=6),
)
ITEM_COLUMNS = (
    Column("never recommended", 20, flex=True),
    Column("year", 4),
    Column("genres", 26, drop=1),
    Column("seen by", 7, right=True),
)
