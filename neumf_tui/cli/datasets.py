"""`datasets`: list the datasets."""

from neumf_tui.cli.options import Home, Json, home_of


def datasets(json: Json = False, home: Home = None) -> None:
    """List the known datasets and where they are."""
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.views.output import column, print_json, print_rows

    known = [dataclasses.asdict(row) for row in known_datasets(home_of(home))]
    if json:
        print_json(known)
        return
    here = column("here", lambda row: "yes" if row["available"] else "no")
    print_rows(known, column("dataset", "name"), here, column("where", "where"))
