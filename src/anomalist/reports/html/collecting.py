"""Collect the content of a report from a folder: a run, scores, studies and benchmarks."""

from __future__ import annotations

from pathlib import Path

from anomalist.core.errors import InputError
from anomalist.reports.html import documents, of_run, of_scores
from anomalist.reports.html.content import Content
from anomalist.reports.pages import DAMAGE

__all__ = ["collect"]


def collect(folder: Path) -> Content:
    """Return what the files of a folder show; nothing is computed from images or detectors.

    Args:
        folder: the results of ``anomalist run``, ``study`` or ``benchmark``, or of ``score`` or
            ``evaluate``.

    Raises:
        InputError: the folder contains no such results, or they are damaged.
    """
    if of_scores.is_there(folder):
        return of_scores.collect(folder)
    try:
        further = documents.of_studies(folder) + documents.of_benchmarks(folder)
    except DAMAGE as error:
        raise InputError(
            f"a report of a study or a benchmark in {str(folder)!r} is damaged ({error}); write it "
            "again with `anomalist report NAME`"
        ) from None
    if of_run.is_there(folder):
        return of_run.collect(folder, further)
    if not further:
        raise InputError(
            f"{str(folder)!r} contains no results: give the folder of `anomalist run`, `study`, "
            "`benchmark`, `score --out` or `evaluate --out`"
        )
    return Content(title=f"Results in {folder.name}", documents=further)
