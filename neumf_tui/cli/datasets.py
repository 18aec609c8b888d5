"""`datasets`: list the datasets."""

from neumf_tui.cli.options import Home, Json, home_of


def datasets(json: Json = False, home: Home = None) -> None:
    """The datasets and where they lie."""
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.views.output import print_json, print_table

    known = known_datasets(home_of(home))
    if json:
        print_json([dataclasses.asdict(row) for row in known])
    else:
        print_table(
            ("dataset", "here", "where"),
            [(row.name, "yes" if row.available else "no", row.where) for row in known],
        )
