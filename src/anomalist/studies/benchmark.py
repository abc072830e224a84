"""Benchmark: detectors x the tasks of a suite x seeds, run as any study is, beside rows that others measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anomalist import dataset, detector
from anomalist.errors import InputError
from anomalist.frozen import contents, task_hash
from anomalist.studies import rows
from anomalist.studies.leaderboard import spent
from anomalist.studies.rows import Place
from anomalist.studies.runner import run_trials
from anomalist.studies.store import Store
from anomalist.studies.tables import Flat, model_label
from anomalist.suite import FALSE_ALARM_RATE, Suite
from anomalist.task import TaskConfig
from anomalist.trial import Trial

__all__ = ["Outcome", "run"]


@dataclass
class Outcome:
    """What a benchmark's report is made from.

    Attributes:
        suite: the suite's name.
        version: its version.
        table: rows, see :func:`anomalist.studies.rows.make`, with ``origin``: "run here" or a
            file's name.
        total: trials that this run was to have.
        failures: what went wrong, by detector and task.
        absent: why data sets are not here, by the groups that they are of.
        left_out: rows of other versions or tasks, by file.
    """

    suite: str
    version: int
    table: list[Flat] = field(default_factory=list)
    total: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


def run(
    suite: Suite,
    results: Path,
    *,
    models: Sequence[str] = (),
    seeds: int | None = None,
    references: Sequence[Path] = (),
    **execution: Any,
) -> Outcome:
    """Run what is not finished of a suite, and put other rows beside it.

    Args:
        suite: the tasks.
        results: the folder that holds ``trials/`` and ``models/``.
        models: detectors as ``name:option=value,…``; by default the suite's own.
        seeds: how many; None: the suite's own number.
        references: files of rows, see :func:`anomalist.studies.rows.read`.
        execution: where and how, as :func:`anomalist.studies.runner.run_trials` takes it.

    Raises:
        InputError: an unknown detector, a file that cannot be used, or no data set of the suite is
            here.
    """
    chosen = [detector.parse(text) for text in models or suite.models]
    given = {path: rows.read(path) for path in references}
    count = seeds or suite.seeds
    outcome = Outcome(suite.name, suite.version)
    places = _places(suite, outcome)
    if not places:
        raise InputError(
            f"no data set of the suite {suite.name!r} is here: "
            f"{next(iter(outcome.absent.values()))}"
        )
    trials: dict[str, tuple[Place, Trial]] = {}
    for place, task in places:
        for model in chosen:
            for seed in range(count):
                try:
                    trial = Trial(
                        task=task, model=model, seed=seed, false_alarm_rate=FALSE_ALARM_RATE
                    )
                except InputError as error:  # it was trained on what the task tests
                    outcome.failures[f"{model.spec} on {place.group}, {place.task}"] = str(error)
                    continue
                trials[trial.key] = place, trial
    outcome.total = len(trials)
    failed = run_trials([trial for _, trial in trials.values()], results, **execution)
    store = Store(results / "trials")
    for key, (place, trial) in trials.items():
        if key in failed:
            outcome.failures[
                f"{trial.model.spec} on {place.group}, {place.task}, seed {trial.seed}"
            ] = failed[key]
        elif (row := store.row(key)) is not None:
            more = spent(store, row) | {"duplicates": row["facts"].get("duplicates")}
            label = model_label(row, "model")
            made = rows.make(
                suite.name, suite.version, place, label, trial.seed, row["metrics"], **more
            )
            outcome.table.append(made | {"origin": "run here"})
    _put_beside(outcome, given, [place for place, _ in places], count)
    return outcome


def _put_beside(
    outcome: Outcome, given: dict[Path, list[Flat]], places: Sequence[Place], seeds: int
) -> None:
    """Add the rows of files; the first that speaks of a detector, task and seed is believed, and what was run most."""
    names = ("model", "task_sha256", "seed")
    there = {tuple(row[name] for name in names) for row in outcome.table}
    for path, found in given.items():
        kept, left = rows.matching(found, outcome.suite, outcome.version, places, seeds)
        for row in kept:
            key = tuple(row[name] for name in names)
            if key not in there:
                there.add(key)
                outcome.table.append(row | {"origin": path.name})
        if left:
            outcome.left_out[str(path)] = left


def _places(suite: Suite, outcome: Outcome) -> list[tuple[Place, TaskConfig]]:
    """Return the tasks whose data sets are here or can be fetched, and note those whose are not."""
    found: dict[str, str] = {}
    missing: dict[str, str] = {}
    for spec in dict.fromkeys(
        spec for tasks in suite.groups.values() for task in tasks for spec in task.sources
    ):
        wanted = dataset.parse(spec)  # an unknown one is an error of the suite's
        status = wanted.status()
        try:
            if status.state == "put here":
                raise InputError(f"put it here: {status.detail}")
            found[spec] = contents(spec)
        except InputError as error:
            missing[spec] = str(error)
    places = []
    absent: dict[str, list[str]] = defaultdict(list)
    for group, tasks in suite.groups.items():
        for task in tasks:
            if lacking := [spec for spec in task.sources if spec in missing]:
                absent[lacking[0]].append(group)
            else:
                places.append((Place(group, task.label, task_hash(task, found)), task))
    for spec, groups in absent.items():
        outcome.absent[f"{', '.join(dict.fromkeys(groups))} (`{spec}`)"] = missing[spec]
    return places
