"""Run the unfinished trials, and save each row as soon as it is computed."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from anomalist.core.console import is_live
from anomalist.core.devices import resolve
from anomalist.core.environment import environment
from anomalist.core.errors import InputError
from anomalist.core.files import make_folder
from anomalist.core.locking import locked
from anomalist.running.executors import Executor, Lost, execute
from anomalist.running.store import Store
from anomalist.trial import FitFailed, Row, Trial, run_together

__all__ = ["run_trials"]

_MAX_DEATHS = 3  # number of dead workers that a study tolerates
_SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class _Job:
    """Trials that share one fitted detector.

    Attributes:
        trials: the trials.
        results: the driver's folder; None if the worker cannot access it.
    """

    trials: tuple[Trial, ...]
    results: Path | None


@dataclass
class _Report:
    """The result of a job: rows with their side files, and failures by key."""

    rows: list[tuple[Row, dict[str, Any]]] = field(default_factory=list)
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)


def run_trials(
    trials: Sequence[Trial],
    results: Path,
    *,
    executor: Executor = "local",
    address: str | None = None,
    workers: int | None = None,
    shared: bool = True,
    retry_failed: bool = False,
) -> dict[str, str]:
    """Run all trials that have no row yet.

    Every row is written as soon as it is computed. A second driver on the same folder waits for the
    first one and then uses its rows. After an interruption, the next run continues with the
    unfinished trials. If a trial raises an exception, it is recorded and the others continue.

    Args:
        trials: the trials.
        results: the folder that contains ``trials/`` and ``models/``.
        executor: where to run, see :func:`anomalist.running.executors.execute`.
        address: address of the cluster.
        workers: number of workers.
        shared: whether workers can access ``results``; if not, rows are returned to the driver and
            fitted detectors are not cached.
        retry_failed: whether to run failed trials again.

    Returns:
        the message of each failed trial, by key.

    Raises:
        InputError: the machine cannot run a trial, or too many workers died.
    """
    make_folder(results)
    if executor == "local":
        _check_machine(trials)
    store = Store(results / "trials")
    by_key = {trial.key: trial for trial in trials}  # computed once, because a key is a hash
    busy = f"another study is running in {results}; waiting for it"
    with locked(results / ".driver.lock", busy):
        if retry_failed:
            for key in by_key:
                store.forget_failure(key)
        deaths = 0
        while jobs := _jobs(by_key, store, results if shared else None):
            try:
                with _Progress(jobs, len(by_key), workers or os.cpu_count() or 1) as progress:
                    reports = execute(
                        _work,
                        jobs,
                        executor=executor,
                        address=address,
                        workers=workers,
                    )
                    for report in reports:
                        _keep(report, store)
                        progress.advance(report)
                break
            except Lost:
                deaths += 1
                if deaths > _MAX_DEATHS:
                    raise InputError(
                        f"workers died {deaths} times; finished rows are kept in {store.folder}"
                    ) from None
                print("a worker died; its trials are assigned again", file=sys.stderr, flush=True)
    failures = {key: store.failure(key) for key in by_key}
    return {key: str(failure["error"]) for key, failure in failures.items() if failure is not None}


def _check_machine(trials: Sequence[Trial]) -> None:
    """Check that this machine has the GPU and the optional packages of the trials.

    Raises:
        InputError: one of them is missing.
    """
    for device, precision in {(trial.device, trial.precision) for trial in trials}:
        resolve(device, precision)
    for model in {trial.model.spec: trial.model for trial in trials}.values():
        model.check_installed()


def _jobs(
    by_key: Mapping[str, Trial],
    store: Store,
    results: Path | None,
) -> list[_Job]:
    """Group the unfinished trials by the detector that they share."""
    groups: dict[str, list[Trial]] = defaultdict(list)
    for key, trial in by_key.items():
        if store.row(key) is None and store.failure(key) is None:
            groups[trial.fit_key].append(trial)
    return [_Job(tuple(group), results) for group in groups.values()]


def _work(job: _Job) -> _Report:
    """Run one job in a worker.

    Rows are stored at once if the worker can access the store, and always returned.
    """
    store = None if job.results is None else Store(job.results / "trials")
    models = None if job.results is None else job.results / "models"
    report = _Report()
    waiting = list(job.trials)
    while waiting:
        try:
            for row, seconds in run_together(tuple(waiting), models):
                trial = waiting.pop(0)
                device, dtype = resolve(trial.device, trial.precision)
                side = environment(trial.threads, str(device), str(dtype), seconds)
                if store is not None:
                    store.keep(row, side)
                report.rows.append((row, side))
        except OSError:  # a full disk or a removed folder would affect all other trials too
            raise
        except Exception as error:
            failed = waiting if isinstance(error, FitFailed) else waiting[:1]
            for trial in failed:
                failure = _failure(trial, error)
                if store is not None:
                    store.keep_failure(trial.key, failure)
                report.failures[trial.key] = failure
            waiting = [trial for trial in waiting if trial.key not in report.failures]
    return report


def _failure(trial: Trial, error: Exception) -> dict[str, Any]:
    """Return the record of a failed trial; called while the exception is handled."""
    message = str(error)
    if not isinstance(error, InputError | FitFailed):
        message = f"{type(error).__name__}: {error}"
    return {
        "config": trial.model_dump(mode="json"),
        "error": message,
        "traceback": traceback.format_exc(),
    }


def _keep(report: _Report, store: Store) -> None:
    for row, side in report.rows:
        if store.row(row["trial"]) is None:
            store.keep(row, side)
    for key, failure in report.failures.items():
        store.keep_failure(key, failure)


class _Progress:
    """Progress: finished trials, failures, time left and running trials.

    It is a progress bar on a terminal, otherwise a plain line from time to time.
    """

    def __init__(self, jobs: Sequence[_Job], total: int, workers: int) -> None:
        firsts = [job.trials[0] for job in jobs]
        # Names of the jobs, in the order in which they start.
        self.waiting = {
            number: f"{first.model.spec}, seed {first.seed}" for number, first in enumerate(firsts)
        }
        self.job_of = {trial.key: i for i, job in enumerate(jobs) for trial in job.trials}
        self.total = total
        self.workers = workers
        self.failed = 0
        self.done = total - len(self.job_of)
        self.done_before = self.done

    def __enter__(self) -> _Progress:
        self.start = self.last_line = time.monotonic()
        self.bar = tqdm(
            total=self.total,
            initial=self.done,
            desc="trials",
            unit="trial",
            disable=not is_live(),
        )
        self.bar.set_postfix_str(self._now())
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, report: _Report) -> None:
        """Count a job's trials and report progress."""
        keys = [*(row["trial"] for row, _ in report.rows), *report.failures]
        for key in keys:
            self.waiting.pop(self.job_of[key], None)
        self.done += len(keys)
        self.failed += len(report.failures)
        self.bar.update(len(keys))
        self.bar.set_postfix_str(f"{self.failed} failed; {self._now()}")
        now = time.monotonic()
        is_due = now - self.last_line > _SECONDS_BETWEEN_LINES or self.done == self.total
        if self.bar.disable and is_due:
            self.last_line = now
            self._print(now - self.start)

    def _print(self, seconds: float) -> None:
        per_trial = seconds / max(self.done - self.done_before, 1)
        left = per_trial * (self.total - self.done)
        line = (
            f"trials: {self.done} of {self.total} done, {self.failed} failed, {left:.0f} s left; "
            f"{self._now()}"
        )
        print(line, file=sys.stderr, flush=True)

    def _now(self) -> str:
        running = list(self.waiting.values())[: self.workers]
        return f"now {' | '.join(running)}" if running else "nothing left to run"
