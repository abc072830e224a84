"""Benchmark: all detectors on all tasks of a suite with all seeds, plus reference rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalist import datasets
from anomalist.analysis import benchmark_rows
from anomalist.analysis.benchmark_rows import Place
from anomalist.analysis.leaderboard import spent
from anomalist.analysis.rows import Flat, model_label
from anomalist.core.errors import InputError
from anomalist.exchange import dataset_hash, task_hash
from anomalist.models import parse
from anomalist.running.runner import run_trials
from anomalist.running.store import Store
from anomalist.suites import FALSE_ALARM_RATE, Suite
from anomalist.tasks import Task
from anomalist.trial import Trial

__all__ = ["Outcome", "run"]

_IDENTITY = ("model", "task_sha256", "seed")  # columns that identify a row
RUN_HERE = "run here"  # origin of rows of this run


@dataclass
class Outcome:
    """The results of a benchmark, for its report.

    Attributes:
        suite: name of the suite.
        version: version of the suite.
        table: rows, see :func:`anomalist.analysis.benchmark_rows.make`, with ``origin``: "run here"
            or a file name.
        total: number of trials of this run.
        failures: error messages, by detector and task.
        absent: reasons for missing data sets, by the groups that need them.
        excluded: number of rows of other versions or tasks, by file.
    """

    suite: str
    version: int
    table: list[Flat] = field(default_factory=list)
    total: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)


def run(
    suite: Suite,
    results: Path,
    *,
    models: Sequence[str] = (),
    seeds: int | None = None,
    references: Sequence[Path] = (),
    **execution: Any,
) -> Outcome:
    """Run the unfinished trials of a suite, and add stored rows for comparison.

    Args:
        suite: the suite.
        results: the folder that contains ``trials/`` and ``models/``.
        models: detectors as ``name:option=value,…``; by default those of the suite.
        seeds: number of seeds; None: that of the suite.
        references: files of rows, see :func:`anomalist.analysis.benchmark_rows.read`.
        execution: further arguments of :func:`anomalist.running.runner.run_trials`.

    Raises:
        InputError: an unknown detector, an invalid file, or all data sets of the suite are missing.
    """
    specs = [parse(text).spec for text in models or suite.models]
    given = {path: benchmark_rows.read(path) for path in references}
    count = seeds or suite.seeds
    outcome = Outcome(suite.name, suite.version)
    tasks = _available_tasks(suite, outcome)
    if not tasks:
        reason = next(iter(outcome.absent.values()))
        raise InputError(f"all data sets of the suite {suite.name!r} are missing: {reason}")
    trials = _trials(tasks, specs, count, outcome)
    outcome.total = len(trials)
    failed = run_trials([trial for _, trial in trials.values()], results, **execution)
    store = Store(results / "trials")
    for key, (place, trial) in trials.items():
        if key in failed:
            name = f"{trial.model.spec} on {place.group}, {place.task}, seed {trial.seed}"
            outcome.failures[name] = failed[key]
            continue
        row = store.row(key)
        if row is not None:
            outcome.table.append(_benchmark_row(suite, place, trial.seed, row, store.side(key)))
    _add_references(outcome, given, [place for place, _ in tasks], count)
    return outcome


def _trials(
    tasks: Sequence[tuple[Place, Task]],
    specs: Sequence[str],
    seeds: int,
    outcome: Outcome,
) -> dict[str, tuple[Place, Trial]]:
    """Return the trials by key; invalid combinations are recorded as failures."""
    trials: dict[str, tuple[Place, Trial]] = {}
    for place, task in tasks:
        for spec in specs:
            for seed in range(seeds):
                try:
                    trial = Trial(
                        task=task,
                        model=spec,
                        seed=seed,
                        false_alarm_rate=FALSE_ALARM_RATE,
                    )
                except InputError as error:  # the detector is trained on the tested corruption
                    outcome.failures[f"{spec} on {place.group}, {place.task}"] = str(error)
                    continue
                trials[trial.key] = place, trial
    return trials


def _benchmark_row(
    suite: Suite,
    place: Place,
    seed: int,
    row: dict[str, Any],
    side: Mapping[str, Any],
) -> Flat:
    more = spent(row, side) | {"duplicates": row["facts"].get("duplicates")}
    label = model_label(row, "model")
    made = benchmark_rows.make(
        suite.name, suite.version, place, label, seed, row["metrics"], **more
    )
    return made | {"origin": RUN_HERE}


def _add_references(
    outcome: Outcome,
    given: Mapping[Path, list[Flat]],
    places: Sequence[Place],
    seeds: int,
) -> None:
    """Add the rows of files.

    Rows of this run take precedence, then the first file with a row for a detector, task and seed.
    """
    there = {tuple(row[name] for name in _IDENTITY) for row in outcome.table}
    for path, rows in given.items():
        kept, excluded = benchmark_rows.matching(
            rows, outcome.suite, outcome.version, places, seeds
        )
        for row in kept:
            identity = tuple(row[name] for name in _IDENTITY)
            if identity not in there:
                there.add(identity)
                outcome.table.append(row | {"origin": path.name})
        if excluded:
            outcome.excluded[str(path)] = excluded


def _available_tasks(suite: Suite, outcome: Outcome) -> list[tuple[Place, Task]]:
    """Return the tasks whose data sets exist or can be downloaded, and record the others."""
    hashes, missing = _hash_datasets(suite)
    available = []
    absent: dict[str, list[str]] = defaultdict(list)
    for group, tasks in suite.groups.items():
        for task in tasks:
            lacking = [spec for spec in task.dataset_specs if spec in missing]
            if lacking:
                absent[lacking[0]].append(group)
            else:
                available.append((Place(group, task.label, task_hash(task, hashes)), task))
    for spec, groups in absent.items():
        outcome.absent[f"{', '.join(dict.fromkeys(groups))} (`{spec}`)"] = missing[spec]
    return available


def _hash_datasets(suite: Suite) -> tuple[dict[str, str], dict[str, str]]:
    """Return the hashes of the suite's data sets, and why the others are missing."""
    hashes: dict[str, str] = {}
    missing: dict[str, str] = {}
    tasks = [task for group in suite.groups.values() for task in group]
    for spec in dict.fromkeys(spec for task in tasks for spec in task.dataset_specs):
        status = datasets.status(spec)  # an unknown data set is an error in the suite
        try:
            if status.state == "manual":
                raise InputError(f"provide it: {status.detail}")
            hashes[spec] = dataset_hash(spec)
        except InputError as error:
            missing[spec] = str(error)
    return hashes, missing
