"""Study: a named list of trials, run wherever, and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalist.studies.layout import Layout
from anomalist.studies.report import is_current, report
from anomalist.studies.runner import run_trials
from anomalist.trial import Trial

__all__ = ["Study", "run"]


@dataclass(frozen=True)
class Study:
    """Trials, and how their points are laid out."""

    layout: Layout
    trials: Sequence[Trial]


def run(study: Study, results: Path, **execution: Any) -> dict[str, str]:
    """Run what is not finished, report what is, and return the message of each trial that failed, by key.

    Args:
        study: what to run.
        results: the folder that holds ``trials/``, ``models/``, ``studies/`` and ``plots/``.
        execution: where and how, as :func:`anomalist.studies.runner.run_trials` takes it.
    """
    failures = run_trials(study.trials, results, **execution)
    keys = [trial.key for trial in study.trials]
    if not is_current(study.layout, keys, results):
        report(study.layout, keys, results)
    return failures
