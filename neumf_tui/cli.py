"""The command line: parse, call one function, print."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from neumf_tui import __version__
from neumf_tui.errors import NeumfTuiError, UsageError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a neural recommender (NeuMF), watch it learn, and see what it does to one person.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 dataset missing or unreadable, 4 run missing or unreadable.",
)


def _run_names(incomplete: str) -> list[str]:
    from neumf_tui.home import home_dir
    from neumf_tui.runs.store import run_folders

    return [folder.name for folder in run_folders(home_dir()) if folder.name.startswith(incomplete)]


Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of runs and datasets. [default: NEUMF_TUI_HOME, or the user data folder]"),
]
Run = Annotated[
    str | None,
    typer.Argument(help="Name, unique prefix or path of a run; the latest if left out.", autocompletion=_run_names),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="Name, unique prefix or path of a run; the latest if left out.",
        autocompletion=_run_names,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object (or list) on stdout.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"neumf-tui {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


def _home(option: Path | None) -> Path:
    from neumf_tui.home import home_dir

    return home_dir(option)


def _layers(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--mlp-layers {text}: expected widths separated by commas, such as 32,16,8") from None


@app.command(epilog="Example: neumf-tui train --dataset ml-100k --epochs 20 --name long-one")
def train(
    dataset: Annotated[str, typer.Option(help="auto, ml-100k or demo; auto takes ml-100k if it can be had.")] = "auto",
    data_dir: Annotated[Path | None, typer.Option(help="Folder with u.data, or its parent.")] = None,
    preset: Annotated[str, typer.Option(help="Named settings; d2l are those of Dive into Deep Learning's notebook.")] = "d2l",
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pairs.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Training pairs a step.")] = None,
    embedding_size: Annotated[int | None, typer.Option(help="Factors of each embedding table.")] = None,
    mlp_layers: Annotated[str | None, typer.Option(help="Widths of the MLP's layers, such as 32,16,8.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step size.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="L2 penalty in Adam.")] = None,
    negatives: Annotated[int | None, typer.Option(help="Negatives for each training pair.")] = None,
    exclude_heldout: Annotated[
        bool | None,
        typer.Option(
            "--exclude-heldout/--no-exclude-heldout",
            help="Keep held-out items out of the negatives. Leaks: it flatters Hit@50; d2l does it.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Start of every random draw.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    eval_every: Annotated[int | None, typer.Option(help="Epochs between evaluations and checkpoints.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run. [default: drawn]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads; 0 for one a core, and one alone for small batches.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run from its last checkpoint.", autocompletion=_run_names),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No screen: one line an epoch on stderr, summary on stdout.")] = False,
    json: Json = False,
    home: Home = None,
) -> None:
    """Train a model and watch it. The training goes on when the screen or the connection ends."""
    from neumf_tui.settings import make_settings
    from neumf_tui.start import new_run, resumed_run

    changes: dict[str, Any] = {
        "epochs": epochs, "batch_size": batch_size, "embedding_size": embedding_size, "mlp_layers": _layers(mlp_layers),
        "learning_rate": learning_rate, "weight_decay": weight_decay, "negatives": negatives,
        "exclude_heldout": exclude_heldout, "seed": seed, "device": device, "eval_every": eval_every, "threads": threads,
    }  # fmt: skip
    if resume is None:
        settings = make_settings(preset, changes)
        folder = new_run(_home(home), dataset, data_dir, name, preset, settings)
    else:
        given = [k for k, v in changes.items() if v is not None] + [
            k for k, v in {"name": name, "data_dir": data_dir}.items() if v
        ]
        if given or dataset != "auto" or preset != "d2l":
            flags = ", ".join("--" + key.replace("_", "-") for key in given) or "--dataset and --preset"
            raise UsageError(f"{flags}: a resumed run keeps its own settings; leave them out, or start a new run")
        folder = resumed_run(_home(home), resume)

    why_plain = "" if plain or json else _why_no_screen()
    if plain or json or why_plain:
        from neumf_tui.output import print_json, say
        from neumf_tui.runs.plain import train_plainly
        from neumf_tui.runs.summary import print_summary, train_summary

        if why_plain:
            say(f"{why_plain}: going on as with --plain")
        say(f"run {folder.name} in {folder}")
        code = train_plainly(folder)
        summary = train_summary(folder)
        if summary["metrics"] is not None or code == 0:
            print_json(summary) if json else print_summary(summary)
    else:
        code = _show(folder, "train", _home(home), launch=True)
    if resume is None:
        _drop_stillborn(folder)
    raise typer.Exit(code)


def _why_no_screen() -> str:
    """Why there can be no screen, or nothing. Textual draws on stderr and reads stdin."""
    if os.environ.get("TERM", "dumb") == "dumb":
        return "the terminal is dumb (TERM)"
    for stream, name in ((sys.__stdin__, "stdin"), (sys.__stderr__, "stderr"), (sys.__stdout__, "stdout")):
        if stream is None or not stream.isatty():
            return f"{name} is no terminal"
    return ""


def _show(folder: Path, screen: str, home: Path, launch: bool = False) -> int:
    from neumf_tui.tui.app import NeumfApp

    if launch:
        from neumf_tui.runs.launch import launch_trainer

        launch_trainer(folder)
    return NeumfApp(folder, home, screen).run_to_end()


def _drop_stillborn(folder: Path) -> None:
    """Remove a run that was refused before its first step: there is nothing in it."""
    import shutil

    from neumf_tui.runs.reader import read_snapshot, read_status

    status = read_status(folder)
    refused = status.exit_code in (2, 3, 4)  # anything else has a trainer.log worth reading
    if status.state == "failed" and refused and read_snapshot(folder).started is None:
        shutil.rmtree(folder, ignore_errors=True)


@app.command(epilog="Example: neumf-tui attach quiet-otter-07")
def attach(run: Run = None, home: Home = None) -> None:
    """Open the screen of a run, whether it is still training or not."""
    from neumf_tui.runs.store import find_run

    folder = find_run(_home(home), run)
    if why := _why_no_screen():
        raise UsageError(f"attach needs a terminal, and {why}; `neumf-tui runs` prints how it stands")
    raise typer.Exit(_show(folder, "train", _home(home)))


@app.command(epilog="Example: neumf-tui explore quiet-otter-07")
def explore(run: Run = None, home: Home = None) -> None:
    """Pick a user, see the ranked films and where the held-out one landed."""
    from neumf_tui.runs.checkpoint import evaluated_checkpoint
    from neumf_tui.runs.store import find_run

    folder = find_run(_home(home), run)
    evaluated_checkpoint(folder)
    if why := _why_no_screen():
        raise UsageError(f"explore needs a terminal, and {why}; `neumf-tui rank USER` prints the same list")
    raise typer.Exit(_show(folder, "explore", _home(home)))


@app.command(epilog="Example: neumf-tui rank 196 --top 20")
def rank(
    user: Annotated[str, typer.Argument(help="A user's id, as in the dataset.")],
    run: RunOption = None,
    top: Annotated[str, typer.Option(metavar="K", help="Films to show, or 'all'.")] = "10",
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values on stdout.")] = False,
    home: Home = None,
) -> None:
    """One user's ranked films and where the held-out one landed."""
    from neumf_tui.runs.store import find_run

    if json and csv:
        raise UsageError("--json and --csv: choose one")
    if top != "all" and not (top.isdecimal() and int(top) > 0):
        raise UsageError(f"--top {top}: expected a whole number of films from 1, or 'all'")
    folder = find_run(_home(home), run)
    from neumf_tui.ranking.load import Ranker
    from neumf_tui.ranking.report import print_ranking

    ranker = Ranker(folder, _home(home))
    if top != "all" and int(top) > ranker.dataset.num_items:
        raise UsageError(f"--top {top}: the catalogue has {ranker.dataset.num_items:,} items; give fewer, or 'all'")
    print_ranking(ranker, user, None if top == "all" else int(top), "json" if json else "csv" if csv else "table")


@app.command(epilog="Example: neumf-tui evaluate quiet-otter-07 --json")
def evaluate(run: Run = None, json: Json = False, home: Home = None) -> None:
    """Rank every held-out item again with the run's newest checkpoint and print the metrics."""
    from neumf_tui.runs.store import find_run

    folder = find_run(_home(home), run)
    from neumf_tui.output import print_json
    from neumf_tui.ranking.report import evaluation, print_evaluation

    result = evaluation(folder, _home(home))
    print_json(result) if json else print_evaluation(result)


@app.command(epilog="Example: neumf-tui runs --json")
def runs(json: Json = False, home: Home = None) -> None:
    """All runs, the latest first."""
    from neumf_tui.runs.summary import print_runs

    print_runs(_home(home), json)


@app.command(epilog="Example: neumf-tui datasets")
def datasets(json: Json = False, home: Home = None) -> None:
    """The datasets and where they lie."""
    import dataclasses

    from neumf_tui.data.registry import known_datasets
    from neumf_tui.output import print_json, print_table

    known = known_datasets(_home(home))
    if json:
        print_json([dataclasses.asdict(row) for row in known])
    else:
        print_table(
            ("dataset", "here", "where"),
            [(row.name, "yes" if row.available else "no", row.where) for row in known],
        )


def main() -> None:
    """Run the command line; errors become one message on stderr and the documented exit code."""
    try:
        app()
    except NeumfTuiError as error:
        from neumf_tui.output import say

        say(f"neumf-tui: {error}")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of stdout is gone (`| head`); nothing more is wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
