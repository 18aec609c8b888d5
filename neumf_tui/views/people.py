"""A list of people as table cells."""

from neumf_tui.data.dataset import Dataset
from neumf_tui.explore.user_search import UserList
from neumf_tui.runs.events import CUTOFF
from neumf_tui.text import clean, counted, shortened
from neumf_tui.views.beyond import tape_rank_text


def person_cells(people: UserList, row: int) -> list[str]:
    """Return id, history size, held-out title, rank, and a mark for a hit."""
    assert people.users is not None
    who = people.who(row)
    if not isinstance(who, int):
        return [f"+{who.name}", str(len(who.item_ids)), "a guest", "", ""]
    rank = float(people.ranks[who])
    return [
        people.users.dataset.user_ids[who],
        str(people.users.history_sizes[who]),
        people.users.heldout_title(who),
        tape_rank_text(people.users, who, rank, short=True),
        "✓" if rank <= CUTOFF else "",
    ]


def nobody_text(dataset: Dataset, query: str, whose: str = "") -> str:
    """Return two lines on what was searched where nobody matches.

    `whose` names a part of the users.
    """
    users = f"{counted(dataset.num_users, 'user')}{f' of {clean(whose)}' if whose else ''}"
    return (
        f"none of {users} matches “{shortened(query, 30)}”:\n"
        f"not by the start of an id, nor by a held-out {dataset.noun.singular}"
    )
