"""A picture of each of the explorer's views at three widths.

The weights are chosen so that all scores are exact on every processor.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from neumf_tui.tui.app import NeumfApp
from tests.support.screens import settle
from tests.support.shared_folders import fill_once

pytestmark = pytest.mark.skipif(
    version("textual") != "8.2.8", reason="the pictures are those of Textual 8.2.8"
)
SIZES = [(80, 24), (120, 40), (200, 50)]
EARLY, LATE = 5, 10
"""Epochs with a checkpoint."""
EXACT = {"hit@10": 0.25, "hit@50": 0.5, "ndcg@10": 0.125, "mrr": 0.125, "auc": 2.0}
VIEWS: dict[str, list[str]] = {
    "ranking": ["h"],
    "by-mlp-raw": ["b", "b", "c"],
    "details": ["1", "d", "down"],
    "earlier-epoch": ["left", "h"],
    "history": ["2"],
    "nearest": ["3"],
    "epochs": ["4", "l"],
    "near-miss": ["5"],
    "film": ["1", "down", "enter"],
    "film-users": ["1", "down", "enter", "2"],
    "find-film": ["t", *"space"],
    "failures": ["F"],
    "cohorts": ["F", "2"],
    "catalogue": ["F", "3"],
    "dataset": ["D"],
    "dataset-histograms": ["D", "2"],
    "choose-model": ["x"],
    "compare": ["x", "enter"],
    "compare-all": ["x", "enter", "2"],
    "guest": ["f", *"alien", "enter", *"blade", "enter", *"terminator", "enter"],
}
"""Keys to each view from the explore screen at user sim-196; letters are typed without a pause."""


@pytest.fixture(scope="session")
def exact_home(trained_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a run with two checkpoints whose weights are eighths and quarters.

    Every score is a sum that float32 holds exactly.
    """
    own = tmp_path_factory.mktemp("exact") / "home"
    shutil.copytree(
        fill_once(tmp_path_factory, "exact-home", lambda home: make_exact(trained_home, home)), own
    )
    return own


def make_exact(trained_home: Path, home: Path) -> None:
    import torch

    from neumf_tui.data.load import load_dataset
    from neumf_tui.runs.checkpoint import TrainingProgress
    from neumf_tui.runs.reader import read_info
    from neumf_tui.runs.writer import RunWriter
    from neumf_tui.settings import make_settings
    from neumf_tui.training.model_ranks import ModelRanks
    from neumf_tui.training.trainer import Trainer

    shutil.copytree(trained_home, home, dirs_exist_ok=True)
    folder = home / "runs" / "trained"
    for file in (folder / "checkpoints").iterdir():
        file.unlink()
    data = load_dataset(read_info(folder).dataset.fingerprint, "demo", home)
    trainer = Trainer(data, make_settings("d2l", {}), torch.device("cpu"))
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in trainer.model.named_parameters():
            parts = 8 if name.startswith(("user", "item")) else 4
            weight.copy_(torch.randint(-4, 5, weight.shape, generator=draw) / parts)
        # So that a held-out film is found now and then: its vector is near its user's.
        held = torch.from_numpy(np.array(data.split.heldout))
        trainer.model.item_gmf.weight[held[::3]] = trainer.model.user_gmf.weight[::3] * torch.sign(
            trainer.model.head.weight[0, :10]
        )
    evaluator, late = ModelRanks(data, torch.device("cpu")), {}
    for epoch in (LATE, EARLY):
        trainer.save(folder, TrainingProgress(epoch=epoch))
        late[epoch] = evaluator.by_model(trainer.model)
        with torch.no_grad():
            trainer.model.item_gmf.weight[::2] *= -0.5
    # What training found depends on the processor's sums; pictures must not.
    log = folder / "events.jsonl"
    events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for event in events:
        if event["kind"] == "epoch":
            event["loss"] = 0.75 - event["epoch"] / 32
        elif event["kind"] == "evaluated":
            event["metrics"] = {
                name: value / 4 + event["epoch"] / 32 for name, value in EXACT.items()
            }
    log.write_text("".join(json.dumps(event) + "\n" for event in events), "utf-8")
    with RunWriter(folder) as writer:
        for epoch in range(1, LATE + 1):
            writer.ranks(epoch, late.get(epoch, np.minimum(late[LATE] * (LATE + 1 - epoch), 900)))
    (folder / "checkpoints" / "last").write_text(f"{LATE:05}.safetensors")
    (folder / "checkpoints" / "best").write_text(f"{LATE:05}.safetensors")


# The widest are for `-m slow`: the whole run has ten minutes.
@pytest.mark.parametrize(
    "size",
    [*SIZES[:2], pytest.param(SIZES[2], marks=pytest.mark.slow)],
    ids=lambda size: str(size[0]),
)
@pytest.mark.parametrize("view", VIEWS)
def test_picture_of(
    exact_home: Path,
    view: str,
    size: tuple[int, int],
    snap_compare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")

    async def go_there(pilot: "Pilot[None]") -> None:
        await settle(pilot)
        for key in VIEWS[view]:
            await pilot.press(key)
            if len(key) > 1 or key in "12345":
                await settle(pilot)
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await settle(pilot)

    app = NeumfApp(exact_home / "runs" / "trained", exact_home, "explore", user_id="sim-196")
    assert snap_compare(app, terminal_size=size, run_before=go_there)
