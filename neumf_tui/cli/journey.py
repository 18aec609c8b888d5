"""`journey`: print the rank of a user's held-out item after each epoch."""

from neumf_tui.cli.lookup import naming_latest
from neumf_tui.cli.options import Home, RunOption, User, home_of, run_folder, sheet_forms


@sheet_forms
def journey(user: User, run: RunOption = None, home: Home = None, *, form: str) -> None:
    """Print the rank of a user's held-out item and the loss after each epoch."""
    folder = run_folder(home, run)
    from neumf_tui.explore.users import load_users
    from neumf_tui.runs.reader import read_losses
    from neumf_tui.views.journey import journey_sheet, print_journey
    from neumf_tui.views.output import print_sheet

    users = load_users(folder, home_of(home))
    with naming_latest(home, run):
        index = users.dataset.user_index(user)
    sheet = journey_sheet(users, index, read_losses(folder))
    print_sheet(sheet, form, print_journey)
