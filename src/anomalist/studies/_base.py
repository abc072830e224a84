"""A study: a named list of trials with a report; its sizes, and the base trial that studies vary.

A study's file defines ``study(size, seeds, …)``, which returns the :class:`Study`, and ``ACCEPTS``,
its further options: ``models`` (detectors to compare) or ``vary`` (axes of a grid).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anomalist.analysis.layout import Layout
from anomalist.models import parse
from anomalist.reports.study import is_current, report
from anomalist.running.runner import run_trials
from anomalist.trial import Trial

__all__ = [
    "FEW_SEEDS",
    "QUICK_DIGITS",
    "QUICK_SIZES",
    "SEEDS",
    "SIZES",
    "Size",
    "Study",
    "base_trial",
    "models_for",
    "run",
    "seeds_for",
]

Size = Literal["quick", "default", "full"]

# The images and the training of a trial. After ten epochs on 10,000 images in batches of 64 the
# held-out loss is nearly constant: twice as many epochs reduce it by a tenth. The full size is the
# protocol of the baseline.
SIZES: Mapping[Size, Mapping[str, Any]] = {
    "quick": {
        "task": {"train": 1_000, "calibration": 200, "test": 200},
        "model": {"epochs": 6, "batch_size": 32},
    },
    "default": {
        "task": {"train": 10_000, "calibration": 1_000, "test": 2_000},
        "model": {"epochs": 10, "batch_size": 64},
    },
    "full": {"task": {}, "model": {}},
}
# Ten seeds, because a sign test of five pairs can never be significant.
SEEDS: Mapping[Size, int] = {"quick": 3, "default": 10, "full": 10}

# Quick studies that compare many detectors take about a minute on two cores.
QUICK_EPOCHS = 4
QUICK_SIZES = {"train": 400, "test": 100}
QUICK_DIGITS = (2, 8)
FEW_SEEDS: Mapping[Size, int] = {"quick": 1, "default": 3, "full": 10}


@dataclass(frozen=True)
class Study:
    """Trials, and the layout of their report."""

    layout: Layout
    trials: Sequence[Trial]


def run(
    study: Study,
    results: Path,
    *,
    formats: Sequence[str] = (),
    **execution: Any,
) -> dict[str, str]:
    """Run the unfinished trials of a study, and write its report.

    Args:
        study: the study.
        results: the folder that holds ``trials/``, ``models/``, ``studies/`` and ``plots/``.
        formats: further formats of figures and tables: ``"svg"``, ``"pdf"``, ``"tex"``.
        execution: further arguments of :func:`anomalist.running.runner.run_trials`.

    Returns:
        the message of each trial that failed, by key.
    """
    failures = run_trials(study.trials, results, **execution)
    keys = [trial.key for trial in study.trials]
    if formats or not is_current(study.layout, keys, results):
        report(study.layout, keys, results, formats)
    return failures


def base_trial(size: Size, **task: Any) -> Trial:
    """Return the trial that a study varies.

    Args:
        size: the amount of work.
        task: further fields of the task, ``kind`` among them.
    """
    sizes = SIZES[size]
    return Trial(
        task={"kind": "corrupted", **sizes["task"], **task},
        model={"name": "autoencoder", **sizes["model"]},
    )


def models_for(size: Size, models: Sequence[str]) -> list[str]:
    """Return the detectors for a study of this size.

    A quick study trains for few epochs unless a number is set.
    """
    if size != "quick":
        return list(models)
    return [parse(model).shortened(QUICK_EPOCHS).spec for model in models]


def seeds_for(
    size: Size,
    seeds: int | None,
    usual: Mapping[Size, int] = SEEDS,
) -> int:
    """Return the number of seeds: the given one, or the default of the size."""
    return seeds or usual[size]
