"""Study: trials, run wherever, and what is made of their rows: a raw table, points with intervals, plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomalist.files import make_folder, replacing
from anomalist.reports import studies as pictures
from anomalist.reports.pages import save
from anomalist.studies import tables
from anomalist.studies.comparisons import compare, detection_thresholds, sentence
from anomalist.studies.runner import run_trials
from anomalist.studies.store import Store
from anomalist.trial import Trial

__all__ = ["Study", "report", "run"]

METRICS = {"auroc": "auc", "aupro": "aupro"}  # a picture each, named so


@dataclass(frozen=True)
class Study:
    """A named list of trials, and how its points are laid out."""

    name: str
    trials: Sequence[Trial]
    x: str  # the axis along the pictures
    lines: tuple[str, ...]  # the axes that tell lines apart
    reference: Any = None  # the value of ``x`` that the others are compared with, if any is
    levels: tuple[float, ...] = ()  # AUROCs whose severities are looked for along ``x``, if any are


def run(study: Study, results: Path, **execution: Any) -> dict[str, str]:
    """Run what is not finished, report what is, and return the message of each trial that failed, by key.

    Args:
        study: what to run.
        results: the folder that holds ``trials/``, ``models/``, ``studies/`` and ``plots/``.
        execution: where and how, as :func:`anomalist.studies.runner.run_trials` takes it.
    """
    failures = run_trials(study.trials, results, **execution)
    report(study, results, failures)
    return failures


def _said(study: Study, table: Sequence[tables.Flat], metric: str) -> list[str]:
    """Return the comparisons with the reference in words, a line each."""
    found = compare(table, study.x, study.lines, study.reference, metric)
    head = f"Against {study.x} = {study.reference}, paired over seeds (t-test, Holm-corrected within a line):"
    return [head, "", *(f"- {sentence(one, study.x, study.lines, study.reference, metric)}" for one in found)]


def report(study: Study, results: Path, failures: dict[str, str]) -> None:
    """Write ``studies/NAME.csv``, ``.parquet`` and ``.md``, and ``plots/NAME_vs_auc.png`` and its AUPRO twin."""
    rows = Store(results / "trials").rows(study.trials)
    table = [tables.flatten(row) for row in rows]
    folder, plots = make_folder(results / "studies"), make_folder(results / "plots")
    text = [f"# Study: {study.name}", "", f"{len(rows)} of {len(study.trials)} trials are finished."]
    if failures:
        text += ["", f"{len(failures)} failed:", *(f"- `{key}`: {message}" for key, message in failures.items())]
    if table:
        tables.write(table, folder, study.name)
    axes = (*study.lines, study.x)
    for metric, short in METRICS.items():
        points = tables.points(table, axes, metric)
        if points:
            save(pictures.curves(points, study.x, study.lines, metric), plots / f"{study.name}_vs_{short}.png")
            text += ["", f"## {metric}", "", pictures.points_table(points, axes, metric, "github")]
            if study.reference is not None:
                text += ["", *_said(study, table, metric)]
    if table and study.levels:
        found = detection_thresholds(table, study.x, study.lines, study.levels)
        text += ["", "## detection thresholds", "", pictures.thresholds_table(found, study.lines)]
    with replacing(folder / f"{study.name}.md") as temporary:
        temporary.write_text("\n".join(text) + "\n", encoding="utf-8")
