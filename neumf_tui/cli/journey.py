"""`journey`: print the rank of a user's held-out item after each epoch."""

from neumf_tui.cli.options import Csv, Home, Json, RunOption, User, form_of, home_of, run_folder


def journey(
    user: User, run: RunOption = None, json: Json = False, csv: Csv = False, home: Home = None
) -> None:
    """Print the rank of a user's held-out film and the loss after each epoch."""
    form = form_of(json, csv)
    folder = run_folder(home, run)
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.protocol import protocol_line
    from neumf_tui.runs.reader import read_snapshot
    from neumf_tui.text import rank_text
    from neumf_tui.views.journey import journey_sheet
    from neumf_tui.views.output import print_line, print_sheet, print_table
    from neumf_tui.views.sheet_keys import label_of

    users = load_users(folder, home_of(home))
    sheet = journey_sheet(users, users.dataset.user_index(user), read_snapshot(folder))
    if not print_sheet(sheet, form):
        return
    about = sheet.about
    print_line(f"run {about['run']}  {label_of(about)}  user {user}")
    if about["heldout"] is None:
        print_line("no held-out film: the user has a single interaction")
        return
    print_line(f"protocol: {protocol_line(about['protocol'])}")
    popular = rank_text(about["popularity_rank"])
    print_line(f"held out: {about['heldout']['title']}; rank by popularity alone {popular}")
    print_table(
        ("epoch", "rank", "hit", "loss"),
        [
            (
                str(row["epoch"]),
                "–" if row["rank"] is None else rank_text(row["rank"]),
                "✓" if row["hit@50"] else "",
                "–" if row["loss"] is None else f"{row['loss']:.4f}",
            )
            for row in sheet.rows
        ],
        numbers=("epoch", "rank", "loss"),
    )
