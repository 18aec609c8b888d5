"""The result of a search: its JSON object, and the best settings as a file for `train --config`."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from neumf_tui import files
from neumf_tui.search.plan import MACHINE, Plan
from neumf_tui.search.space import base_value, plain, value_text
from neumf_tui.search.state import best_of, count_by_state
from neumf_tui.search.study import TrialRecord, preset_file, study_file
from neumf_tui.settings import Settings, check
from neumf_tui.text import clean

OBJECTIVE = "validation Hit@50 of the run's best epoch"
CAVEAT = (
    "the highest of many trials on the same validation items is optimistic; "
    "held-out items were never used"
)


@dataclass(frozen=True)
class StudyReport:
    """The result of a study so far."""

    study: str
    plan: Plan
    records: tuple[TrialRecord, ...]
    target: int | None
    """Planned number of trials; None: as many as the time allows."""
    home: Path
    name_home: bool
    """Whether commands have to name the home folder."""

    @property
    def best(self) -> TrialRecord | None:
        return best_of(self.records)

    @property
    def preset_file(self) -> Path:
        return preset_file(self.home, self.study)

    @property
    def train_line(self) -> str:
        """The command that trains with the best settings."""
        data = ["--dataset", self.plan.dataset]
        if self.plan.data_dir:
            data += ["--data-dir", self.plan.source]
        data += self.plan.data_options.flags
        return self._command("train", "--config", str(self.preset_file), *data)

    def continue_line(self, trials: int | None, minutes: float | None) -> str:
        """Return the command that continues the search."""
        words = ["--study", self.study]
        for flag, value in {"--trials": trials, "--timeout-minutes": minutes}.items():
            if value is not None:
                words += [flag, f"{value:g}"]
        return self._command("tune", *words)

    def _command(self, *words: str) -> str:
        home = ["--home", str(self.home)] if self.name_home else []
        return shlex.join(["neumf-tui", *words, *home])

    def settings(self, record: TrialRecord) -> Settings:
        """Return all settings of a trial."""
        return check(msgspec.to_builtins(self.plan.settings) | record.searched)

    def origins(self, record: TrialRecord) -> dict[str, str]:
        """Return the origin of each setting: `searched`, `given` or the name of the preset."""
        origins = dict.fromkeys(Settings.__struct_fields__, self.plan.preset)
        origins |= dict.fromkeys(self.plan.given, "given")
        return origins | dict.fromkeys(record.searched, "searched")

    def write_preset(self) -> bool:
        """Write the best settings under `<home>/tune`; return whether any trial is done."""
        if (best := self.best) is not None:
            path = self.preset_file
            files.replace(path.parent, path.name, self._preset_text(best).encode())
        return best is not None

    def _preset_text(self, best: TrialRecord) -> str:
        """Return a TOML file of all settings but the machine's, each with its origin."""
        settings, origins = self.settings(best), self.origins(best)
        done = count_by_state(self.records)["done"]
        lines = [
            f"# Study {self.study}: trial {best.trial}, run {best.run}, "
            f"the best of {done} on {self.plan.label}.",
            f"# Validation Hit@50 {best.validation:.4f} "
            f"after epoch {best.epoch} of {settings.epochs}: {CAVEAT}.",
            f"# {self.train_line}",
        ]
        values = {}
        for name, value in msgspec.to_builtins(settings).items():
            if name in MACHINE and name not in self.plan.given:
                continue
            origin = origins[name]
            if value is None:  # TOML has no such value
                value, origin = settings.weight_decay, f"{origin}: as weight_decay"
            if origin == "searched":
                before = base_value(name, self.plan.settings)
                same = plain(value) == plain(before)
                origin += f"; {'as' if same else value_text(before)} in {self.plan.preset}"
            values[f"{name} = {json.dumps(value)}"] = origin
        width = max(map(len, values))
        lines += [f"{text:<{width}}  # {origin}" for text, origin in values.items()]
        return "".join(f"{clean(line)}\n" for line in lines)

    def as_json(self) -> dict[str, Any]:
        """Return what `tune --json` prints; missing metrics are None."""
        plan, best = self.plan, self.best
        settings = msgspec.to_builtins(self.settings(best)) if best else None
        return {
            "study": self.study,
            "study_file": str(study_file(self.home, self.study)),
            "dataset": plan.dataset,
            "simulated": plan.simulated,
            "preset": plan.preset,
            "objective": OBJECTIVE,
            "given": {name: getattr(plan.settings, name) for name in plan.given},
            "space": msgspec.to_builtins(plan.space),
            "target": self.target,
            "counts": count_by_state(self.records),
            "trials": [_row(record) for record in self.records],
            "best": _row(best) | {"settings": settings} if best else None,
            "preset_file": str(self.preset_file) if best else None,
            "train": self.train_line if best else None,
        }


def _row(record: TrialRecord) -> dict[str, Any]:
    names = {"validation": "validation_hit@50", "epoch": "best_epoch"}
    fields = msgspec.structs.asdict(record)
    return {names.get(name, name): value for name, value in fields.items()}
