"""Runner: run the trials that are not finished, keep each row the moment it is there, and say how it goes."""

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

from filelock import FileLock, Timeout
from tqdm import tqdm

from anomalist.console import is_live
from anomalist.environment import environment
from anomalist.errors import InputError
from anomalist.files import make_folder
from anomalist.studies.executors import Executor, Lost, execute
from anomalist.studies.store import Store
from anomalist.training import resolve
from anomalist.trial import FitFailed, Row, Trial, run_together

__all__ = ["run_trials"]

_DEATHS = 3  # of workers, that a study survives before it gives up


@dataclass(frozen=True)
class _Job:
    """Trials that share one fitted detector."""

    trials: tuple[Trial, ...]
    results: Path | None  # the driver's folder; None where the worker does not see it


@dataclass
class _Report:
    """What a job brings home: rows with their side files, and failures."""

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

    Every row is written when it is there. A second driver on the same folder waits for the first,
    then finds the rows. What was killed is taken up where it stopped; a trial that raises is noted
    and the rest goes on.

    Args:
        trials: what to run.
        results: the folder that holds ``trials/`` and ``models/``.
        executor: where to run, see :func:`anomalist.studies.executors.execute`.
        address: the cluster's address.
        workers: how many at once.
        shared: whether workers see ``results`` too; if not, rows come back to the driver and
            nothing is cached there.
        retry_failed: whether trials that failed before are run again.

    Returns:
        the message of each failed trial, by key.
    """
    make_folder(results)
    if executor == "local":
        _check_machine(trials)
    store, named = (
        Store(results / "trials"),
        {trial.key: trial for trial in trials},
    )  # a key is a hash: made once
    with _one_driver(results):
        if retry_failed:
            for key in named:
                store.forget_failure(key)
        deaths = 0
        while jobs := _jobs(named, store, results if shared else None):
            try:
                with _Progress(jobs, len(named), workers or os.cpu_count() or 1) as progress:
                    for report in execute(
                        _work, jobs, executor=executor, address=address, workers=workers
                    ):
                        _keep(report, store)
                        progress.advance(report)
                break
            except Lost:
                deaths += 1
                if deaths > _DEATHS:
                    raise InputError(
                        f"workers died {deaths} times; rows so far are kept in {store.folder}"
                    ) from None
                print("a worker died; its trials are given out again", file=sys.stderr, flush=True)
    failures = {key: store.failure(key) for key in named}
    return {key: str(failure["error"]) for key, failure in failures.items() if failure is not None}


def _check_machine(trials: Sequence[Trial]) -> None:
    """Raise InputError for what no trial could be run with on this machine: a GPU or an extra that is not there."""
    for device, precision in {(trial.device, trial.precision) for trial in trials}:
        resolve(device, precision)
    for model in {trial.model.spec: trial.model for trial in trials}.values():
        model.check_installed()


def _jobs(named: Mapping[str, Trial], store: Store, results: Path | None) -> list[_Job]:
    """Group the unfinished trials by the detector that they share."""
    groups: dict[str, list[Trial]] = defaultdict(list)
    for key, trial in named.items():
        if store.row(key) is None and store.failure(key) is None:
            groups[trial.fit_key].append(trial)
    return [_Job(tuple(group), results) for group in groups.values()]


def _work(job: _Job) -> _Report:
    """Run one job in a worker. Rows are kept at once where the worker sees the store, and brought home anyway."""
    store = None if job.results is None else Store(job.results / "trials")
    models = None if job.results is None else job.results / "models"
    report, waiting = _Report(), list(job.trials)
    while waiting:
        try:
            for row, seconds in run_together(tuple(waiting), models):
                first = waiting.pop(0)
                side = environment(first.threads, first.device, first.precision, seconds)
                if store is not None:
                    store.keep(row, side)
                report.rows.append((row, side))
        except (
            OSError
        ):  # a full disk, a folder taken away: no trial's fault, and the next would fare no better
            raise
        except Exception as error:
            text = (
                str(error)
                if isinstance(error, InputError | FitFailed)
                else f"{type(error).__name__}: {error}"
            )
            details = {"error": text, "traceback": traceback.format_exc()}
            for failed in waiting if isinstance(error, FitFailed) else waiting[:1]:
                failure = {"config": failed.model_dump(mode="json"), **details}
                if store is not None:
                    store.keep_failure(failed.key, failure)
                report.failures[failed.key] = failure
            waiting = [trial for trial in waiting if trial.key not in report.failures]
    return report


def _keep(report: _Report, store: Store) -> None:
    for row, side in report.rows:
        if store.row(row["trial"]) is None:
            store.keep(row, side)
    for key, failure in report.failures.items():
        store.keep_failure(key, failure)


def _one_driver(results: Path) -> FileLock:
    """Return a lock that this driver now holds; the system frees it if the driver is killed."""
    lock = FileLock(results / ".driver.lock")
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        print(f"another study is running in {results}; waiting for it", file=sys.stderr, flush=True)
        lock.acquire()
    return lock


class _Progress:
    """Trials done of total, failures, time left, what runs now: live on a terminal, else a plain line now and then."""

    def __init__(self, jobs: Sequence[_Job], total: int, workers: int) -> None:
        firsts = [job.trials[0] for job in jobs]
        self.waiting = {
            i: f"{first.model.spec}, seed {first.seed}" for i, first in enumerate(firsts)
        }  # as they start
        self.job_of = {trial.key: i for i, job in enumerate(jobs) for trial in job.trials}
        self.total, self.workers, self.failed = total, workers, 0
        self.done = self.start_done = total - len(self.job_of)

    def __enter__(self) -> _Progress:
        self.start = self.said = time.monotonic()
        live = is_live()
        self.bar = tqdm(
            total=self.total, initial=self.done, desc="trials", unit="trial", disable=not live
        )
        self.bar.set_postfix_str(self._now())
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def advance(self, report: _Report) -> None:
        """Count a job's trials and say so."""
        keys = [*(row["trial"] for row, _ in report.rows), *report.failures]
        for key in keys:
            self.waiting.pop(self.job_of[key], None)
        self.done += len(keys)
        self.failed += len(report.failures)
        self.bar.update(len(keys))
        self.bar.set_postfix_str(f"{self.failed} failed; {self._now()}")
        now = time.monotonic()
        if self.bar.disable and (now - self.said > 10 or self.done == self.total):
            self.said = now
            left = (
                (now - self.start) / max(self.done - self.start_done, 1) * (self.total - self.done)
            )
            said = (
                f"trials: {self.done} of {self.total} done, {self.failed} failed, {left:.0f} s "
                f"left; {self._now()}"
            )
            print(said, file=sys.stderr, flush=True)

    def _now(self) -> str:
        running = list(self.waiting.values())[: self.workers]
        return f"now {' | '.join(running)}" if running else "nothing left to run"
