"""Start a study, or continue one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from neumf_tui.data.dataset import Dataset
from neumf_tui.data.options import DataOptions
from neumf_tui.search.plan import Plan, PlanOptions, check_data, check_options, make_plan
from neumf_tui.search.space import base_params
from neumf_tui.search.study import open_study_file, read_plan, study_file, write_plan

OpenData = Callable[[str, Path | None, DataOptions], Dataset]
"""Opens a dataset by the name and folder of `--dataset` and `--data-dir`, and its options."""


@contextmanager
def open_study(
    home: Path,
    name: str,
    options: PlanOptions,
    dataset: str,
    data_dir: Path | None,
    data_options: DataOptions,
    open_data: OpenData,
) -> Iterator[tuple[optuna.Study, Plan, Dataset]]:
    """Open the study `name` with its plan and dataset, locked against a second search.

    A new study is planned by `options`; its first trial is the preset itself, as far as the space
    contains it. An existing one keeps its plan. Raises UsageError if the options are wrong or
    differ from the plan, and DatasetError or RunError.
    """
    # Planned before the file exists, so that wrong options leave no file.
    planned = None
    if not study_file(home, name).exists():
        planned = make_plan(options, lambda: open_data(dataset, data_dir, data_options))
    with open_study_file(home, name) as study:
        plan = read_plan(study)
        if plan is None:
            plan, data = planned or make_plan(
                options, lambda: open_data(dataset, data_dir, data_options)
            )
            if not study.get_trials(deepcopy=False):
                study.enqueue_trial(base_params(plan.space, plan.settings))
            write_plan(study, plan)
        else:
            plan = check_options(plan, options, name)
            if dataset == "auto" and data_dir is None:
                dataset, data_dir = plan.dataset, plan.data_dir
            if data_options == DataOptions():
                data_options = plan.data_options
            data = open_data(dataset, data_dir, data_options)
            check_data(plan, name, data)
        yield study, plan, data
