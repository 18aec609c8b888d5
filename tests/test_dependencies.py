"""What the package imports is declared in pyproject.toml, and what is declared is imported."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported_modules() -> set[str]:
    """Return the top-level modules that the package imports and that are not Python's own."""
    found: set[str] = set()
    for path in (ROOT / "neumf_tui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"neumf_tui"}


def declared_packages() -> set[str]:
    """Return the packages that `neumf_tui` needs, with those of its extras for users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    for_users = ("baselines", "tune", "paper", "tensorboard", "wandb", "mlflow")
    lines = [*project["dependencies"], *(line for name in for_users for line in extras[name])]
    return {normal(re.split(r"[<>=!~\[; ]", line)[0]) for line in lines}


def normal(package: str) -> str:
    """Return a package's name as package registries compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def test_imports_and_declared_dependencies_agree() -> None:
    owners = packages_distributions()
    # Optional packages may be missing here; then the module's name must be the package's.
    imported = {
        normal(package) for module in imported_modules() for package in owners.get(module, [module])
    }
    assert imported == declared_packages()
