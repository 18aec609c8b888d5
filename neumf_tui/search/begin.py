"""Begin a study, or go on with one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from neumf_tui.data.dataset import Dataset
from neumf_tui.search.plan import Plan, Wishes, check_data, check_same, plan_settings, preset_name
from neumf_tui.search.space import start_params
from neumf_tui.search.study import opened_study, read_plan, study_file, write_plan

OpenData = Callable[[str, Path | None], Dataset]
"""Opens a dataset by the name and folder of `--dataset` and `--data-dir`."""


@contextmanager
def begun_study(
    home: Path,
    name: str,
    wishes: Wishes,
    dataset: str,
    data_dir: Path | None,
    open_data: OpenData,
) -> Iterator[tuple[optuna.Study, Plan, Dataset]]:
    """The study of this name, its plan, and its dataset; held against a second search.

    A new one is planned by `wishes`, and its first trial is the preset itself, as far as the space holds it. One that is there
    goes on as it was planned. Raises UsageError for wishes that cannot be, or that differ from its plan; DatasetError; RunError.
    """
    fresh = (
        None if study_file(home, name).exists() else _plan(wishes, dataset, data_dir, open_data)
    )  # no file of a plan that fails
    with opened_study(home, name) as study:
        plan = read_plan(study)
        if plan is None:
            plan, data = fresh or _plan(wishes, dataset, data_dir, open_data)
            if not study.get_trials(deepcopy=False):
                study.enqueue_trial(start_params(plan.space, plan.settings))
            write_plan(study, plan)
        else:
            plan = check_same(plan, wishes, name)
            named = dataset != "auto" or data_dir is not None
            data = open_data(dataset, data_dir) if named else open_data(plan.dataset, plan.data_dir)
            check_data(plan, name, data.fingerprint, data.label)
        yield study, plan, data


def _plan(
    wishes: Wishes, dataset: str, data_dir: Path | None, open_data: OpenData
) -> tuple[Plan, Dataset]:
    base, space = plan_settings(wishes)
    data = open_data(dataset, data_dir)
    plan = Plan(
        dataset=data.name,
        label=data.label,
        source=data.source,
        fingerprint=data.fingerprint,
        preset=preset_name(wishes),
        settings=base,
        given=tuple(wishes.changes),
        space=space,
        prune=wishes.prune is not False,
    )
    return plan, data
