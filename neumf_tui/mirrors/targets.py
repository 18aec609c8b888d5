"""The targets that `mirror --to` names."""

from pathlib import Path

from neumf_tui.errors import UsageError
from neumf_tui.extras import require
from neumf_tui.home import expanded
from neumf_tui.mirrors.sink import Sink
from neumf_tui.runs.events import RunInfo
from neumf_tui.runs.protocol import protocol_of

FORMS = "tensorboard:DIR, wandb[:PROJECT] or mlflow[:URI]"


def open_sink(target: str, folder: Path, info: RunInfo) -> Sink:
    """Open what `target` names for a run; raises UsageError, NeumfTuiError, OSError."""
    kind, _, where = target.partition(":")
    if kind not in ("tensorboard", "wandb", "mlflow") or (kind == "tensorboard" and not where):
        raise UsageError(f"--to {target}: expected {FORMS}")
    require(f"--to {kind}", kind, kind)
    settings = {**info.settings, "dataset": info.dataset.label, "kind": info.kind}
    if kind == "tensorboard":
        from neumf_tui.mirrors.tensorboard import TensorBoardSink

        return TensorBoardSink(expanded(Path(where)).absolute(), folder.name, settings)
    config = settings | {f"protocol.{key}": value for key, value in protocol_of(info).items()}
    if kind == "wandb":
        from neumf_tui.mirrors.wandb import WandbSink

        return WandbSink(folder.name, info.created, config, where)
    from neumf_tui.mirrors.mlflow import MlflowSink

    return MlflowSink(folder.name, info.created, config, where)
