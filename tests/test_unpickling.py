"""No code of the program unpickles anything: a pickle can run any code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {
    "all_gather_object",
    "broadcast_object_list",
    "gather_object",
    "read_pickle",
    "recv_object_list",
    "scatter_object_list",
    "send_object_list",
}
"""Functions of torch.distributed and pandas that unpickle what they get."""


def problems(source: str) -> list[str]:
    """Return the lines of a module that could unpickle something."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").partition(".")[0]}
        else:
            names = set()
        if names & MODULES or (isinstance(node, ast.Call) and _unpickles(node)):
            found.append(ast.unparse(node))
    return found


def _unpickles(call: ast.Call) -> bool:
    function = ast.unparse(call.func)
    options = {option.arg: ast.unparse(option.value) for option in call.keywords}
    return (
        function.rpartition(".")[2] in CALLS
        or (function == "torch.load" and options.get("weights_only") != "True")
        or options.get("allow_pickle", "False") != "False"
    )


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "dist.broadcast_object_list(box)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "pandas.read_pickle(path)",
    ],
)
def test_pickles_are_found(line: str) -> None:
    assert problems(f"def read():\n    {line}")


def test_nothing_is_unpickled() -> None:
    assert not problems("torch.load(path, weights_only=True); np.load(path, allow_pickle=False)")
    paths = sorted((ROOT / "neumf_tui").rglob("*.py"))
    assert {
        str(path): found for path in paths if (found := problems(path.read_text("utf-8")))
    } == {}
