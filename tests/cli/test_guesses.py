"""Wrong guesses end in a message that names the right form; the run that was taken is named."""

from pathlib import Path

import pytest
import typer.main

from neumf_tui.cli.guesses import run_as_argument
from neumf_tui.cli.main import EXAMPLES, app
from neumf_tui.data.prepared import save
from neumf_tui.errors import UsageError
from neumf_tui.home import datasets_dir
from tests.support.commands import Cli
from tests.support.kept_runs import kept_run
from tests.support.shops import NAMES, shop_dataset


@pytest.fixture
def two(trained: Path, own_home: Path) -> Path:
    """A home with a run of the demo, and a later one of a shop."""
    data = shop_dataset()
    save(data, datasets_dir(own_home) / "prepared")
    return kept_run(own_home, data, "neumf", name="shop", epochs=1)


def test_an_unknown_name_names_the_run_that_was_taken(two: Path, inside: Cli) -> None:
    taken = "run shop, the latest, was taken: --run"
    has_it, another = f"{taken} trained has it", f"{taken} NAME chooses another"
    for args, hint in (
        (("why", "sim-021"), has_it),
        (("why", "sim-21"), another),
        (("rank", "sim-021"), has_it),
        (("journey", "sim-021"), has_it),
        (("near-miss", "sim-021"), has_it),
        (("similar", "--user", "sim-021"), has_it),
        (("similar", "Blade Runner"), has_it),
        (("item", "Blade Runner"), has_it),
        (("film", "no such thing"), another),
        (("recommend", "--likes", "Blade Runner"), has_it),
        (("explore", "--user", "sim-021"), has_it),
        (("pin", "sim-021"), has_it),
    ):
        result = inside(*args)
        assert result.returncode == 4 and result.stderr.strip().endswith(hint), result.stderr
    result = inside("why", "sim-021", "--run", "shop")
    assert "nearest ids" in result.stderr and "--run" not in result.stderr
    assert "blanks" not in inside("rank", "c000").stderr + inside("item", NAMES[0]).stderr


def test_extra_arguments_name_the_option_that_takes_them(
    two: Path, inside: Cli, own_home: Path
) -> None:
    for args, meant in (
        (("train", "a shop.csv"), "neumf-tui train --data-dir 'a shop.csv'"),
        (("tune", "shops/x"), "neumf-tui tune --data-dir shops/x"),
        (("train", "demo"), "neumf-tui train --dataset demo"),
        (("baselines", "trained"), "neumf-tui baselines --dataset demo"),
        (("check-leak", "shop"), "neumf-tui check-leak --dataset"),
        (("rank", "c000", "shop"), "neumf-tui rank --run shop"),
        (("explore", "shop", "x"), "put quotes around"),
    ):
        result = inside(*args)
        assert result.returncode == 2 and meant in result.stderr, (args, result.stderr)
    result = inside("explore", "sim-021")
    assert result.returncode == 4 and "`neumf-tui explore --user sim-021`" in result.stderr


def test_a_run_is_also_taken_as_an_option(two: Path, inside: Cli) -> None:
    for flag in (["--run", "trained"], ["--run=trained"]):
        assert inside("status", *flag).stdout == inside("status", "trained").stdout != ""
    assert "expected the name of a run" in inside("status", "--run").stderr
    assert "unexpected" in inside("status", "shop", "--run", "trained").stderr
    assert run_as_argument(["--run", "r", "20"]) == ["20", "r"]
    assert run_as_argument(["--", "--run", "r"]) == ["--", "--run", "r"]
    with pytest.raises(UsageError):
        run_as_argument(["--run="])


def test_a_missing_file_or_option_says_what_is_expected(
    inside: Cli, own_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "purchases.csv").write_text("user,item\n")
    wanted = tmp_path / "purchase.csv"
    told = inside("train", "--data-dir", str(wanted)).stderr
    assert f"{wanted}: there is no such file or folder; did you mean {tmp_path}/purchases" in told
    assert "expected a folder" in inside("train", "--data-dir", str(tmp_path / "xyz")).stderr
    assert "tensorboard:DIR, wandb[:PROJECT] or mlflow[:URI]" in inside("mirror").stderr
    assert "separated by ';'" in inside("recommend").stderr


def test_no_help_breaks_within_a_word() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in EXAMPLES:
        for param in commands[name].params:
            _, text = param.get_help_record(typer.Context(commands[name])) or ("", "")
            # At 80 columns click leaves 46 to the right of the flags.
            assert max(map(len, text.split()), default=0) <= 46, (name, text)
    assert "older name" in commands["film"].help and commands["item"].help != commands["film"].help
