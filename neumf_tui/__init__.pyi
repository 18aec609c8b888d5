from neumf_tui.api.dataset import LoadedDataset as LoadedDataset
from neumf_tui.api.dataset import load_dataset as load_dataset
from neumf_tui.api.opened import OpenedRun as OpenedRun
from neumf_tui.api.opened import open_run as open_run
from neumf_tui.api.run import Run as Run
from neumf_tui.api.start import start_run as start_run
from neumf_tui.errors import NeumfTuiError as NeumfTuiError

__version__: str
