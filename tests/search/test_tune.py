"""`tune`: the search space, trials as runs, and studies that continue after any end."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.pseudo_terminal import viewer
from benchmarks.waiting import wait_for
from neumf_tui.runs.checkpoint import checkpoint_epochs
from neumf_tui.runs.launch import launch_trainer
from neumf_tui.runs.reader import is_locked, read_info, read_snapshot, read_status
from neumf_tui.settings import DEFAULT_PRESET, Settings, make_settings, preset_names
from tests.support.commands import Cli

optuna = pytest.importorskip("optuna", reason="the extra [tune] is not installed")

from neumf_tui.data.dataset import Dataset  # noqa: E402
from neumf_tui.data.options import DataOptions  # noqa: E402
from neumf_tui.search.open_study import open_study  # noqa: E402
from neumf_tui.search.plan import PlanOptions  # noqa: E402
from neumf_tui.search.space import (  # noqa: E402
    Range,
    base_params,
    decoded,
    is_base,
    narrow_space,
    read_space,
    suggest,
)
from neumf_tui.search.state import RunningTrial, SearchState  # noqa: E402
from neumf_tui.search.study import TrialRecord, open_study_file, read_plan  # noqa: E402
from neumf_tui.views.open_data import open_data  # noqa: E402
from neumf_tui.views.search import picture, plain_watch  # noqa: E402

SPACE = """
learning_rate = { low = 0.003, high = 0.03, log = true }
mlp_layers = [[8], [8, 4]]
embedding_size = [4, 8]
"""
QUICK = ("--preset", "d2l", "--validation", "--threads", "1")


@pytest.fixture
def space(tmp_path: Path, with_demo: Path) -> Path:
    """Write a space of a few small models; the home has the demo dataset."""
    path = tmp_path / "space.toml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def tune(inside: Cli, space: Path) -> Cli:
    """Run `tune` with a small model on the demo dataset in this process, with real trainers."""

    def run(*args: str) -> "subprocess.CompletedProcess[str]":
        begun = (
            "--study" in args
            and (
                Path(os.environ["NEUMF_TUI_HOME"])
                / "tune"
                / f"{args[args.index('--study') + 1]}.db"
            ).exists()
        )
        return inside(
            "tune", *(() if begun else (*QUICK, "--dataset", "demo", "--space", str(space))), *args
        )

    return run


def plan(home: Path, space: Path, **changes: Any) -> "optuna.Study":
    """Start a study, without a trial."""
    options = PlanOptions(
        preset="d2l", changes={"validation": True, "threads": 1, **changes}, space=space
    )

    def open_named(name: str, data_dir: Path | None, options: DataOptions) -> Dataset:
        return open_data(name, data_dir, home, options)

    with open_study(home, "s", options, "demo", None, DataOptions(), open_named):
        pass
    return study_of(home)


def study_of(home: Path, name: str = "s") -> "optuna.Study":
    return optuna.load_study(study_name=name, storage=f"sqlite:///{home / 'tune' / f'{name}.db'}")


# What may be tried.


@pytest.mark.parametrize("preset", preset_names())
def test_the_built_in_space_begins_with_any_preset_itself(preset: str) -> None:
    base = make_settings(preset, {})
    space = narrow_space(read_space(None, base), (), base)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial(base_params(space, base))
    first = study.ask()
    settings = suggest(first, space, base)
    assert is_base(decoded(first.params, space, base), base)
    changed = {n for n in Settings.__struct_fields__ if getattr(settings, n) != getattr(base, n)}
    assert changed <= {"embedding_weight_decay"}, (
        "which begins at the weight decay that it stands for"
    )
    seen = [suggest(study.ask(), space, base) for _ in range(30)]
    for name in space:
        assert len({getattr(one, name) for one in seen}) > 1, f"{name} is never varied"
    for one in seen:
        assert (
            0.0005 <= one.learning_rate <= 0.05
            and float(f"{one.learning_rate:.3g}") == one.learning_rate
        )
        untouched = set(Settings.__struct_fields__) - set(space)
        assert all(getattr(one, name) == getattr(base, name) for name in untouched)


def test_what_does_nothing_is_not_drawn() -> None:
    base = make_settings("tuned", {"history": 10})
    space = {"history_decay": Range(low=1.0, high=9.0), "history": (0, 20)}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    for _ in range(10):
        trial = study.ask()
        settings = suggest(trial, space, base)
        assert ("history_decay" in trial.params) == (settings.history > 0)
    without = make_settings("tuned", {"history": 0})
    assert (
        not {"history", "history_decay", "history_floor"}
        & narrow_space(read_space(None, without), ["history"], without).keys()
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("droput = [0.1]", "did you mean 'dropout'?"),
        ("seed = [1, 2]", "seed cannot be searched: a lucky seed"),
        ("validation = [true, false]", "validation cannot be searched"),
        ("exclude_heldout = [true, false]", "it leaks"),
        ("dropout = 0.3", "expected a list of choices, or { low"),
        ("dropout = []", "expected a list of choices, or { low"),
        ("dropout = [0.3, 1.5]", "dropout = 1.5: expected `float` < 1.0"),
        ("dropout = { low = 0.0, high = 2.0 }", "dropout = 2.0"),
        ("dropout = { low = 0.5, high = 0.1 }", "low 0.5 is not below high 0.1"),
        ("dropout = { low = 0.0, high = 0.1, log = true }", "cannot start at 0.0"),
        ("dropout = { low = 0.1, hihg = 0.2 }", "expected { low = …, high = …, log"),
        ("history = { low = 0.5, high = 9 }", "history = 0.5: expected `int`"),
        ("loss = { low = 0, high = 1 }", "expected a list of choices"),
        ('loss = ["bpr", "hinge"]', "loss = 'hinge'"),
        ("mlp_layers = [[8, 0]]", "mlp_layers = [8, 0]"),
        ("", "nothing to search"),
        ("dropout = [", "not valid TOML"),
    ],
)
def test_mistakes_in_a_space_are_told_and_nothing_is_left(
    inside: Cli, own_home: Path, space: Path, line: str, says: str
) -> None:
    space.write_text(line)
    result = inside("tune", "--dataset", "demo", "--space", str(space), "--study", "s")
    assert result.returncode == 2 and says in result.stderr and f"--space {space}" in result.stderr
    assert not (own_home / "tune").exists() and not (own_home / "runs").exists()


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--preset", "d2l"], 2, "--preset d2l keeps no validation item"),
        (["--no-validation"], 2, "keeps no validation item"),
        (["--study", "a/b"], 2, "study name"),
        (["--study", "x" * 60], 2, "at most 55 letters"),
        (["--trials", "0"], 2, "--trials"),
        (["--epochs", "0"], 2, "--epochs 0"),
        (["--data-dir", "/nonexistent"], 3, "no such file or folder"),
    ],
)
def test_wrong_usage_leaves_nothing(
    inside: Cli, own_home: Path, args: list[str], code: int, says: str
) -> None:
    result = inside("tune", *args)
    assert result.returncode == code and says in result.stderr and result.stdout == ""
    assert not (own_home / "tune").exists() and not (own_home / "runs").exists()


def test_all_that_is_searched_can_be_given_and_then_nothing_is_left(
    inside: Cli, own_home: Path, space: Path
) -> None:
    space.write_text("dropout = [0.1, 0.2]\nhistory_decay = [2.0, 3.0]")
    result = inside(
        "tune", "--dataset", "demo", "--space", str(space), "--dropout", "0.3", "--history", "0"
    )
    assert result.returncode == 2 and "nothing is left to search" in result.stderr


def test_without_optuna(inside: Cli, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = inside("tune", "--dataset", "demo")
    assert (
        result.returncode == 2
        and "pip install 'neumf-tui[tune]'" in result.stderr
        and "Traceback" not in result.stderr
    )
    assert not own_home.exists()


def test_the_room_loads_neither_torch_nor_a_screen() -> None:
    rooms = (
        "neumf_tui.search.search, neumf_tui.search.open_study, neumf_tui.search.report, "
        "neumf_tui.views.search"
    )
    never = "torch textual typer neumf_tui.evaluation neumf_tui.training"
    loaded = f"[name for name in {never.split()!r} if name in sys.modules]"
    check = f"import {rooms}\nimport sys\nprint({loaded})"
    assert (
        subprocess.run(
            [sys.executable, "-c", check], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
    lazy = "from neumf_tui.cli.main import app\nimport sys\nprint('optuna' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", lazy], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "False"
    )


# A search.


def test_a_search_from_its_flags_to_a_run_with_what_it_found(
    tune: Cli, inside: Cli, own_home: Path
) -> None:
    args = (
        "--study",
        "s",
        "--epochs",
        "2",
        "--seed",
        "3",
        "--dropout",
        "0.1",
        "--embedding-size",
        "6",
        "--json",
    )
    result = tune(*args, "--trials", "2")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (
        found["counts"] == {"done": 2, "pruned": 0, "failed": 0, "stopped": 0}
        and found["target"] == 2
    )
    assert found["given"].keys() == {
        "validation",
        "threads",
        "epochs",
        "seed",
        "dropout",
        "embedding_size",
    }
    assert found["space"].keys() == {"learning_rate", "mlp_layers"}, (
        "a given setting is not searched"
    )
    for number, trial in enumerate(found["trials"]):
        assert (
            trial["trial"] == number
            and trial["run"] == f"s-000{number}"
            and trial["state"] == "done"
        )
        info, snapshot = (
            read_info(own_home / "runs" / trial["run"]),
            read_snapshot(own_home / "runs" / trial["run"]),
        )
        assert (
            info.settings["dropout"] == 0.1
            and info.settings["embedding_size"] == 6
            and info.settings["epochs"] == 2
        )
        assert info.settings["seed"] == 3 and info.settings["validation"] is True
        assert {name: info.settings[name] for name in trial["searched"]} == trial["searched"]
        figures = [e.validation["hit@50"] for e in snapshot.evaluations if e.validation]
        assert len(figures) == 2 and trial["validation_hit@50"] == max(figures)
        assert trial["best_epoch"] == 1 + figures.index(max(figures)) and trial["epochs"] == 2
        folder = own_home / "runs" / trial["run"]
        assert set(checkpoint_epochs(folder)) == {trial["best_epoch"], 2}, (
            "all but the best and the last are gone"
        )
        assert len(list((folder / "ranks").iterdir())) == 2
    best = found["best"]
    assert best["validation_hit@50"] == max(trial["validation_hit@50"] for trial in found["trials"])
    assert (
        sum(
            line.startswith(("1/2  trial 0 done", "2/2  trial 1 done"))
            for line in result.stderr.splitlines()
        )
        == 2
    )

    path = own_home / "tune" / "s.toml"
    assert found["preset_file"] == str(path)
    spelt = best["settings"] | {"embedding_weight_decay": best["settings"]["weight_decay"]}
    assert make_settings(DEFAULT_PRESET, {}, path) == make_settings("d2l", spelt), (
        "whatever the preset below says"
    )
    text = path.read_text()
    assert (
        f"trial {best['trial']}, run {best['run']}" in text
        and f"{best['validation_hit@50']:.4f}" in text
    )
    assert "held-out items were never used" in text
    beside = {
        line.split(" = ")[0]: line.split("# ")[1]
        for line in text.splitlines()
        if " = " in line and line[0] != "#"
    }
    assert (
        beside["learning_rate"] in ("searched; 0.01 in d2l", "searched; as in d2l")
        and beside["mlp_layers"] == "searched; 10,10,10 in d2l"
    )
    assert beside["dropout"] == "given" and beside["batch_size"] == "d2l"
    assert "device" not in beside and beside.keys() == tomllib.loads(text).keys()

    words = found["train"].split()
    assert words[:2] == ["neumf-tui", "train"]
    again = inside(*words[1:], "--plain", "--name", "again")
    assert again.returncode == 0, again.stderr
    one, other = (read_snapshot(own_home / "runs" / name) for name in ("again", best["run"]))
    assert [e.validation for e in one.evaluations] == [e.validation for e in other.evaluations], (
        "the same run, to the last bit"
    )

    # The same line again has nothing to do; with more time it goes on.
    assert json.loads(tune(*args, "--trials", "2").stdout)["trials"] == found["trials"]
    more = json.loads(
        tune(
            "--study", "s", "--timeout-minutes", "0", "--keep", "9", "--preset", "d2l", "--json"
        ).stdout
    )
    assert more["trials"][:2] == found["trials"] and len(more["trials"]) == 3, (
        "at least one trial fits into any time"
    )
    assert checkpoint_epochs(own_home / "runs" / "s-0002") == [1, 2], "--keep"
    drawn = [tuple(trial["searched"].values()) for trial in more["trials"]]
    assert len({str(values) for values in drawn}) == 3, (
        "one that goes on does not draw what was drawn before"
    )
    text = tune("--study", "s", "--trials", "2").stdout
    assert "3 done" in text and "d2l itself" not in text, "whose layers are not in this space"


def test_a_study_goes_on_only_as_it_began(
    tune: Cli, own_home: Path, space: Path, tmp_path: Path
) -> None:
    plan(own_home, space)
    other = tmp_path / "other.toml"
    other.write_text("dropout = [0.1, 0.2]")
    (tmp_path / "mine.toml").write_text("epochs = 7")
    for args, named in (
        (("--preset", "tuned"), "--preset"),
        (("--config", str(tmp_path / "mine.toml")), "--config"),
        (("--space", str(other)), "--space"),
        (("--no-prune",), "--no-prune"),
        (("--no-validation",), "--validation"),
        (("--learning-rate", "0.01", "--batch-size", "64"), "--batch-size, --learning-rate"),
    ):
        result = tune("--study", "s", *args)
        assert (
            result.returncode == 2
            and f"{named}: study s was started with other values" in result.stderr
        ), result.stderr
    (own_home / "tune" / "s.db").write_text("no database")
    result = tune("--study", "s")
    assert result.returncode == 4 and "cannot be read as a study" in result.stderr


def test_runs_of_an_earlier_study_are_not_mixed_in(tune: Cli, own_home: Path) -> None:
    (own_home / "runs" / "s-0000").mkdir(parents=True)
    result = tune("--study", "s")
    assert result.returncode == 4 and "run s-0000 belongs to an earlier study" in result.stderr


def test_one_search_of_a_study_at_a_time(tune: Cli, own_home: Path, space: Path) -> None:
    plan(own_home, space)
    with open_study_file(own_home, "s"):
        result = tune("--study", "s")
    assert result.returncode == 4 and "being searched by another process" in result.stderr


@pytest.mark.slow
def test_a_trial_that_diverges_is_recorded_and_the_search_goes_on(
    tune: Cli, own_home: Path, space: Path
) -> None:
    space.write_text(
        "learning_rate = [0.01, 1e6]\nmlp_layers = [[10, 10, 10], [8, 8, 8, 8, 8, 8, 8, 8]]"
    )
    study = plan(own_home, space, epochs=1)
    begin = {"learning_rate": 0.01, "mlp_layers": "10,10,10"}
    assert study.get_trials()[0].system_attrs["fixed_params"] == begin, (
        "the preset's own comes first"
    )
    study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial({"learning_rate": 1e6, "mlp_layers": "8,8,8,8,8,8,8,8"})
    study.enqueue_trial(begin)
    found = json.loads(tune("--study", "s", "--trials", "2", "--json").stdout)
    failed, done = found["trials"]
    assert (
        failed["state"] == "failed"
        and "training has diverged" in failed["reason"]
        and failed["validation_hit@50"] is None
    )
    assert read_status(own_home / "runs" / failed["run"]).state == "failed"
    assert done["state"] == "done" and found["best"]["trial"] == done["trial"] == 2
    text = tune("--study", "s", "--trials", "2").stdout
    assert (
        "1 done, 1 failed" in text
        and f"d2l itself: {done['validation_hit@50']:.4f}, trial 2" in text
    )


def test_settings_that_do_not_go_together_are_a_failed_trial(
    tune: Cli, own_home: Path, space: Path
) -> None:
    space.write_text("pretrain = [0, 4]")
    study = plan(own_home, space, epochs=3)
    study.tell(study.ask(), 0.1)
    study.enqueue_trial({"pretrain": 4})
    result = tune("--study", "s", "--trials", "1", "--json")
    assert result.returncode == 1
    found = json.loads(result.stdout)
    assert (
        found["best"] is None
        and found["preset_file"] is None
        and "--pretrain 4: must be less" in found["trials"][0]["reason"]
    )
    assert not (own_home / "tune" / "s.toml").exists()


@pytest.mark.slow
def test_a_trial_behind_the_median_is_stopped_by_a_request(
    tune: Cli, own_home: Path, space: Path
) -> None:
    study = plan(own_home, space, epochs=90)
    for _ in range(5):
        perfect = dict.fromkeys(range(1, 91), 1.0)
        study.add_trial(optuna.trial.create_trial(value=1.0, intermediate_values=perfect))
    result = tune("--study", "s", "--trials", "1", "--json")
    (trial,) = json.loads(result.stdout)["trials"]
    assert trial["state"] == "pruned" and "1/1  trial 0 pruned after" in result.stderr
    status = read_status(own_home / "runs" / "s-0000")
    assert status.state == "stopped" and 30 <= status.epoch == trial["epochs"] < 90, (
        "not in the first third"
    )
    assert study_of(own_home).get_trials()[0].state == optuna.trial.TrialState.PRUNED
    assert result.returncode == 1, "none of its own is done"


@pytest.mark.slow
def test_a_device_that_is_not_there_ends_the_search_at_once(
    tune: Cli, own_home: Path, space: Path
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    plan(own_home, space, device="cuda", epochs=1)
    result = tune("--study", "s", "--trials", "3")
    assert (
        result.returncode == 2
        and "trial 0: " in result.stderr
        and "finds no CUDA here" in result.stderr
    )
    assert not (own_home / "runs" / "s-0000").exists(), "there was nothing in it"
    found = json.loads(tune("--study", "s", "--trials", "1", "--device", "cpu", "--json").stdout)
    assert [trial["state"] for trial in found["trials"]] == ["stopped", "done"]
    assert found["trials"][0]["searched"] == found["trials"][1]["searched"]


# What ends a search.


def test_ctrl_c_stops_the_trial_with_a_checkpoint_and_keeps_the_study(
    own_home: Path, space: Path
) -> None:
    plan(own_home, space, epochs=100_000)
    folder = own_home / "runs" / "s-0000"
    with viewer("tune", "--study", "s", "--trials", "5", own_session=True) as terminal:
        terminal.wait_text("neumf-tui ▸ tune  s  demo (simulated)  from d2l", "best 0.", "at epoch")
        terminal.send("\x03")
        assert terminal.wait_exit() == 130
        terminal.caught_up()
        assert (
            "continue it with neumf-tui tune --study s --trials 5" in terminal.text
            and "Traceback" not in terminal.text
        )
        assert "1 stopped" in terminal.text and "no trial is done" in terminal.text
        assert "▸" not in terminal.text and 25 in terminal.modes, (
            "the picture is gone, the cursor back"
        )
    snapshot = read_snapshot(folder)
    assert read_status(folder).state == "stopped" and not is_locked(folder)
    assert (
        snapshot.checkpoint is not None
        and (folder / "checkpoints" / snapshot.checkpoint.file).exists()
    )
    first, waiting = study_of(own_home).get_trials()
    assert (
        first.state == optuna.trial.TrialState.FAIL
        and waiting.state == optuna.trial.TrialState.WAITING
    )
    assert waiting.system_attrs["fixed_params"] == first.params, "it comes again first"


@pytest.mark.slow
def test_a_search_that_was_killed_with_its_trainer(tune: Cli, own_home: Path, space: Path) -> None:
    plan(own_home, space, epochs=20)
    folder = own_home / "runs" / "s-0000"
    command = [sys.executable, "-m", "neumf_tui", "tune", "--study", "s"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL) as process:
        wait_for(lambda: (folder / "status.json").exists() and read_status(folder).pid != 0)
        process.kill()
        os.kill(read_status(folder).pid, signal.SIGKILL)
    wait_for(lambda: read_status(folder).state == "crashed")
    found = json.loads(tune("--study", "s", "--trials", "1", "--json").stdout)
    assert [trial["state"] for trial in found["trials"]] == ["stopped", "done"] and found["best"][
        "trial"
    ] == 1
    assert "its run is crashed" in found["trials"][0]["reason"]
    assert found["trials"][0]["searched"] == found["trials"][1]["searched"]


@pytest.mark.slow
def test_a_trainer_that_outlived_its_search_is_followed_to_its_end(
    tune: Cli, own_home: Path, space: Path
) -> None:
    from neumf_tui.runs.create_run import make_run

    study = plan(own_home, space, epochs=3)
    trial, lost = study.ask(), study.ask()
    settings = suggest(
        trial,
        read_space(space, make_settings("d2l", {})),
        make_settings("d2l", {"validation": True, "epochs": 3}),
    )
    with launch_trainer(
        make_run(own_home, open_data("demo", None, own_home), "s-0000", "d2l", settings), own_home
    ):
        result = tune("--study", "s", "--trials", "1", "--json")
    assert "trial 0 was running when the search ended; its run s-0000 is" in result.stderr
    trials = json.loads(result.stdout)["trials"]
    assert [trial["state"] for trial in trials] == ["done", "stopped"] and trials[lost.number][
        "reason"
    ].endswith("run is missing")
    best = read_snapshot(own_home / "runs" / "s-0000").best
    assert best and best.validation and trials[0]["validation_hit@50"] == best.validation["hit@50"]
    assert study_of(own_home).get_trials()[0].intermediate_values.keys() == {1, 2, 3}


# The picture.


@pytest.mark.parametrize(("width", "height"), [(60, 20), (80, 24), (120, 40), (200, 50)])
def test_the_picture_fits_and_shows_validation_alone(
    own_home: Path, space: Path, width: int, height: int
) -> None:
    made = read_plan(plan(own_home, space))
    assert made
    searched = {
        "learning_rate": 0.00412,
        "mlp_layers": [64, 32, 16],
        "embedding_size": 64,
        "history_floor": 0.0123,
    }
    states = ["done", "done", "pruned", "failed", "stopped"] * 8
    records = tuple(
        TrialRecord(
            trial=n, run=f"s-{n:04}", state=state,
            validation=None if state == "failed" else 0.3 + n / 1000, epoch=7, epochs=9,
            seconds=60.0, reason="", searched=searched,
        )
        for n, state in enumerate(states)
    )  # fmt: skip
    running = RunningTrial(
        trial=40, epoch=4, epochs=9, validation=0.31, best=0.32, best_epoch=3,
        seconds=23.0, stopping="", searched=searched,
    )  # fmt: skip
    state = SearchState(records, running, 50, None)
    assert state.counted == 32 and state.eta == 37 + 60 * 17, (
        "what is left of this trial, and 17 more"
    )
    assert (
        SearchState(records, None, 50, 90.0).eta == 90.0
        and SearchState((), None, 50, None).eta is None
    )
    console = Console(width=width, height=height, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(picture("s", made, state, width, height))
    lines = console.export_text().splitlines()
    assert len(lines) <= height and max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "16 done  8 pruned  8 failed  8 stopped  of 50" in text and "demo (simulated)" in text
    assert (
        "36      0.3360" in text
        and "epoch 4/9" in text
        and "validation" in text
        and "Ctrl-C" in text
    )


def test_lines_of_trials_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    record = TrialRecord(
        trial=0, run="s-0000", state="failed", validation=None, epoch=None, epochs=1, seconds=5.0,
        reason="\x1b[31mred\nline", searched={},
    )  # fmt: skip
    running = RunningTrial(
        trial=1, epoch=4, epochs=9, validation=0.31, best=0.32, best_epoch=3,
        seconds=23.0, stopping="stopped", searched={},
    )  # fmt: skip
    watch = plain_watch()
    for state in (
        SearchState((), None, 3, None),
        *[SearchState((record,), None, 3, None)] * 2,
        *[SearchState((record,), running, 3, None)] * 2,
    ):
        watch(state)
    ended, stopping = capsys.readouterr().err.splitlines()
    assert ended == "1/3  trial 0 failed after 1 epoch: ·[31mred·line  00:05  "
    assert stopping == "stopping trial 1 after this step, with a checkpoint"
