"""A model of RecBole, watched with neumf-tui by RecBole's own callback after each epoch.

    pip install recbole
    python examples/recbole_hook.py [DATASET] [RUN] [EPOCHS] [MODEL]

Every model of RecBole that can rank the whole catalogue works, e.g. BPR, NeuMF, LightGCN.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.utils import get_model, get_trainer, init_seed

import neumf_tui


class Stopped(Exception):
    """Leave RecBole's loop, which has no other way out."""


def write_split(data: neumf_tui.LoadedDataset, folder: Path) -> None:
    """Write the split for RecBole, so that both hold out the same items."""
    histories = data.histories
    parts = {"train": histories[~histories["validation"]], "valid": data.validation}
    for part, frame in (parts | {"test": data.heldout}).items():
        pairs = frame[["user_id", "item_id"]].set_axis(["user_id:token", "item_id:token"], axis=1)
        pairs.to_csv(folder / f"own.{part}.inter", sep="\t", index=False)


def settings(folder: Path, epochs: int) -> dict[str, Any]:
    return {
        "data_path": str(folder.parent),
        "checkpoint_dir": str(folder.parent),
        "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "epochs": epochs,
        "eval_step": 1,
        "eval_args": {"order": "RO", "group_by": "user", "mode": "full"},
        "metrics": ["Hit"],
        "topk": [50],
        "valid_metric": "Hit@50",
        "show_progress": False,
    }


def train(dataset: str, name: str | None, epochs: int, model_name: str) -> None:
    """Let RecBole train; its callback evaluates and keeps the scores after each epoch."""
    data = neumf_tui.load_dataset(dataset)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "own")
        folder.mkdir()
        write_split(data, folder)
        config = Config(model=model_name, dataset="own", config_dict=settings(folder, epochs))
        init_seed(config["seed"], config["reproducibility"])
        theirs = create_dataset(config)
        train_data, valid_data, _ = data_preparation(config, theirs)
        model = get_model(config["model"])(config, train_data.dataset).to(config["device"])
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
        # RecBole numbers users and items anew, from 1; 0 stands for none.
        user_rows, item_rows = (
            np.array([theirs.field2token_id[field].get(token, 0) for token in ids])
            for field, ids in ((theirs.uid_field, data.user_ids), (theirs.iid_field, data.item_ids))
        )

        def scores(users: Any) -> Any:
            rows = torch.as_tensor(user_rows[users], device=config["device"])
            with torch.no_grad():
                asked = Interaction({theirs.uid_field: rows}).to(config["device"])
                found = model.full_sort_predict(asked).view(len(users), -1)
            found[:, 0] = -torch.inf
            return found[:, item_rows]

        shown = {"model": model_name, "learning_rate": config["learning_rate"]}
        with neumf_tui.start_run(
            name, dataset=data, settings=shown, epochs=epochs, validation=True
        ) as run:

            def after_epoch(epoch: int, valid_score: float) -> None:
                model.eval()
                run.log(epoch + 1, loss=trainer.train_loss_dict[epoch], recbole_hit50=valid_score)
                run.evaluate(epoch + 1, scores=scores)
                run.keep(scores=scores)
                run.wait_while_paused()
                if run.should_stop:
                    raise Stopped

            try:
                trainer.fit(train_data, valid_data, saved=False, callback_fn=after_epoch)
            except Stopped:
                return


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    sys.argv = sys.argv[:1]  # RecBole would read the rest
    train(given.get(0, "auto"), given.get(1), int(given.get(2, 20)), given.get(3, "BPR"))
