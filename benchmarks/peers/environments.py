"""An environment of its own for a peer, made once."""

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.host import say

HERE = Path(__file__).parent


def python_of(peer: str, cache: Path, *, torch: bool = True) -> Path:
    """The interpreter of the environment of `peer`: what requirements-`peer`.txt names and, if wanted, the torch in use here.

    Raises SystemExit with what pip said where that cannot be had.
    """
    wanted = (HERE / f"requirements-{peer}.txt").read_text("utf-8")
    more = version("torch").partition("+")[0] if torch else ""
    mark = hashlib.sha256(f"{wanted}{more}{sys.version}".encode()).hexdigest()[:12]
    folder = cache / "environments" / f"{peer}-{mark}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        say(f"  {peer}: making an environment in {folder} (a minute or two)")
        shutil.rmtree(folder, ignore_errors=True)  # of a call that was cut short
        _call([sys.executable, "-m", "venv", str(folder)])
        pip = [
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "-r",
            str(HERE / f"requirements-{peer}.txt"),
        ]
        _call([*pip, f"torch=={more}"] if torch else pip)
        done.touch()
    return python


def packages_of(python: Path, *names: str) -> dict[str, str]:
    """Versions of packages in an environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    return dict(zip(names, _call([str(python), "-c", code, *names]).split(), strict=True))


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)} ended with {done.returncode} and said\n{done.stderr[-2000:]}"
        )
    return done.stdout
