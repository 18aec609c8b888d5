"""A virtual environment for each peer, made once."""

import hashlib
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.host import say
from benchmarks.program import output_of

HERE = Path(__file__).parent


def python_of(peer: str, cache: Path, *, torch: bool = True) -> Path:
    """Return the interpreter of the environment of `peer`.

    It has the packages of requirements-`peer`.txt, and with `torch` the torch version in use here.
    Raises SystemExit with pip's message if they cannot be installed.
    """
    requirements = HERE / f"requirements-{peer}.txt"
    torch_version = version("torch").partition("+")[0] if torch else ""
    content = f"{requirements.read_text('utf-8')}{torch_version}{sys.version}"
    mark = hashlib.sha256(content.encode()).hexdigest()[:12]
    folder = cache / "environments" / f"{peer}-{mark}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        say(f"  {peer}: making an environment in {folder} (a minute or two)")
        shutil.rmtree(folder, ignore_errors=True)  # left by a call that was cut short
        output_of([sys.executable, "-m", "venv", str(folder)])
        pip = [str(python), "-m", "pip", "install", "-q", "-r", str(requirements)]
        output_of([*pip, f"torch=={torch_version}"] if torch else pip)
        done.touch()
    return python


def packages_of(python: Path, *names: str) -> dict[str, str]:
    """Return the versions of packages in an environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    return dict(zip(names, output_of([str(python), "-c", code, *names]).split(), strict=True))
