"""What came of a search: its JSON object, and the best settings as a file that `train --config` takes."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui.runs.files import replace_bytes
from neumf_tui.search.plan import MACHINE, Plan
from neumf_tui.search.space import plain, shown, start
from neumf_tui.search.state import best_of, counts
from neumf_tui.search.study import Record, preset_file, study_file
from neumf_tui.settings import Settings, check
from neumf_tui.text import clean

OBJECTIVE = "validation Hit@50 of the run's best epoch"
CAVEAT = "the highest of many on the same validation items flatters itself; held-out items were never looked at"


@dataclass(frozen=True)
class Outcome:
    """A study as far as it has come."""

    study: str
    plan: Plan
    records: tuple[Record, ...]
    target: int | None
    """Trials there are to be; None: as many as the time allows."""
    home: Path
    home_named: bool
    """Whether a command line has to name it."""

    @property
    def best(self) -> Record | None:
        return best_of(self.records)

    @property
    def preset_file(self) -> Path:
        return preset_file(self.home, self.study)

    @property
    def train_line(self) -> str:
        """The command that trains with the best settings."""
        plan = self.plan
        data = ["--dataset", plan.dataset, *(["--data-dir", plan.source] if plan.data_dir else [])]
        return shlex.join(
            ["neumf-tui", "train", "--config", str(self.preset_file), *data, *self._home_words]
        )

    def go_on_line(self, trials: int | None, minutes: float | None) -> str:
        """The command that goes on with the search."""
        limits = {"--trials": trials, "--timeout-minutes": minutes}
        words = [
            word
            for flag, value in limits.items()
            if value is not None
            for word in (flag, f"{value:g}")
        ]
        return shlex.join(["neumf-tui", "tune", "--study", self.study, *words, *self._home_words])

    @property
    def _home_words(self) -> list[str]:
        return ["--home", str(self.home)] if self.home_named else []

    def settings(self, record: Record) -> Settings:
        """All settings of a trial."""
        return check(msgspec.to_builtins(self.plan.settings) | record.searched)

    def origins(self, record: Record) -> dict[str, str]:
        """Where the value of each setting of a trial came from: `searched`, `given`, or the name of the preset."""
        return {
            name: "searched"
            if name in record.searched
            else "given"
            if name in self.plan.given
            else self.plan.preset
            for name in Settings.__struct_fields__
        }

    def write_preset(self) -> bool:
        """Write the best settings under `<home>/tune`, over those of before; whether any trial is done."""
        if (best := self.best) is not None:
            replace_bytes(self.preset_file, self.preset_text(best).encode())
        return best is not None

    def preset_text(self, best: Record) -> str:
        """A TOML file of all settings but the machine's own, and beside each where it came from."""
        settings, origins = self.settings(best), self.origins(best)
        done = counts(self.records)["done"]
        lines = [
            f"# Study {self.study}: trial {best.trial}, run {best.run}, the best of {done} on {self.plan.label}.",
            f"# Validation Hit@50 {best.validation:.4f} after epoch {best.epoch} of {settings.epochs}: {CAVEAT}.",
            f"# {self.train_line}",
        ]
        values, begun = {}, self.plan.settings
        for name, value in msgspec.to_builtins(settings).items():
            if name in MACHINE and name not in self.plan.given:
                continue
            origin = origins[name]
            if value is None:  # TOML has no such value
                value, origin = settings.weight_decay, f"{origin}: as weight_decay"
            if origin == "searched":
                before = start(name, begun)
                origin += (
                    f"; as in {self.plan.preset}"
                    if plain(value) == plain(before)
                    else f"; {shown(before)} in {self.plan.preset}"
                )
            values[f"{name} = {json.dumps(value)}"] = origin
        width = max(map(len, values))
        lines += [f"{text:<{width}}  # {origin}" for text, origin in values.items()]
        return "".join(f"{clean(line)}\n" for line in lines)

    @property
    def object(self) -> dict[str, Any]:
        """What `tune --json` prints; figures that were never reached are None."""
        plan, best = self.plan, self.best
        return {
            "study": self.study,
            "study_file": str(study_file(self.home, self.study)),
            "dataset": plan.label,
            "preset": plan.preset,
            "objective": OBJECTIVE,
            "given": {name: getattr(plan.settings, name) for name in plan.given},
            "space": msgspec.to_builtins(plan.space),
            "target": self.target,
            "counts": counts(self.records),
            "trials": [_row(record) for record in self.records],
            "best": _row(best) | {"settings": msgspec.to_builtins(self.settings(best))}
            if best
            else None,
            "preset_file": str(self.preset_file) if best else None,
            "train": self.train_line if best else None,
        }


def _row(record: Record) -> dict[str, Any]:
    return {
        "trial": record.trial,
        "run": record.run,
        "state": record.state,
        "validation_hit@50": record.validation,
        "best_epoch": record.epoch,
        "epochs": record.epochs,
        "seconds": record.seconds,
        "reason": record.reason,
        "searched": record.searched,
    }
