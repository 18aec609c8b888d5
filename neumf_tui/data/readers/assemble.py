"""Bring the rows of a file and the catalogue of its items together."""

from dataclasses import replace

import msgspec

from neumf_tui.data.catalogue import Catalogue
from neumf_tui.data.prepare import Content
from neumf_tui.data.readers.rows import Rows, coded, plain_ids
from neumf_tui.data.split import Ties


def assemble(rows: Rows, catalogue: Catalogue | None, ties: Ties = "hash") -> Content:
    """Return the interactions `rows`, whose lists are emptied, with users and items by number.

    Items that are not in `catalogue` use their id as title. Those without interactions are left
    out.
    """
    has_times = bool(rows.times)
    user_ids, item_ids, interactions, facts = coded(rows)
    if catalogue is None:
        catalogue = Catalogue([], [], [], []).with_untitled(item_ids)
    else:
        catalogue = replace(catalogue, item_ids=plain_ids(catalogue.item_ids)[0])
        known = set(catalogue.item_ids)
        missing = [item_id for item_id in item_ids if item_id not in known]
        if missing:
            notice = "items are not in the file of items; their ids are used as titles"
            facts = msgspec.structs.replace(
                facts,
                untitled=len(missing),
                notices=(*facts.notices, f"{len(missing):,} {notice}"),
            )
            catalogue = catalogue.with_untitled(missing)
        places = {item_id: place for place, item_id in enumerate(catalogue.item_ids)}
        catalogue = catalogue.select(places[item_id] for item_id in item_ids)
    return Content(user_ids, catalogue, interactions, ties, has_times, facts)
