"""`status`: print the state of a run."""

from neumf_tui.cli.options import Home, Json, Run, run_folder


def status(run: Run = None, json: Json = False, home: Home = None) -> None:
    """How a run stands: state, epoch, metrics, where it lies, what can be done next."""
    from neumf_tui.runs.summary import card_lines, status_object
    from neumf_tui.text import clean
    from neumf_tui.views.output import print_json

    facts = status_object(run_folder(home, run))
    print_json(facts) if json else print("\n".join(clean(line) for line in card_lines(facts)))
