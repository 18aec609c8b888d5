"""`datasets`: list the datasets."""

from neumf_tui.cli.options import Home, Json, home_of


def datasets(json: Json = False, home: Home = None) -> None:
    """List the known datasets and where they are."""
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.views.output import print_json, print_table

    known = known_datasets(home_of(home))
    if json:
        print_json([dataclasses.asdict(row) for row in known])
    else:
        rows = [(row.name, "yes" if row.available else "no", row.where) for row in known]
        print_table(("dataset", "here", "where"), rows)
