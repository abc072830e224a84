"""Pages: every figure and table of a finished run, made from the files in its folder."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from anomalist.core.errors import InputError
from anomalist.reports import panels, plots, tables
from anomalist.reports.output import Output

__all__ = ["DAMAGE", "draw", "remake"]

DAMAGE = (
    *(ValueError, LookupError, TypeError, AttributeError, OSError, EOFError, ZeroDivisionError),
    zipfile.BadZipFile,
)
_WRITTEN = ("roc", "score_histograms", "auroc_vs_severity", "loss", "results")
_NEEDED = ("metrics.json", "training.json", "curves.npz", "scores.npz", "anomalies/cases.npz")


def remake(results: Path, formats: Sequence[str] = ()) -> str:
    """Draw a finished run's figures again, and return its table of results for the console.

    Args:
        results: the folder of the run.
        formats: further formats, as :class:`anomalist.reports.output.Output` takes them.

    Raises:
        InputError: the folder lacks a file of a finished run, or one is damaged.
    """
    missing = [name for name in _NEEDED if not (results / name).exists()]
    if missing:
        raise InputError(
            f"no finished run in {str(results)!r} ({missing[0]} is missing): run `anomalist run` "
            "first"
        )
    try:
        metrics = draw(results, formats)
    except InputError:
        raise
    except DAMAGE as error:
        raise InputError(
            f"the results in {str(results)!r} are damaged ({error}); run `anomalist run` again"
        ) from None
    return _table(metrics, "simple")


def draw(results: Path, formats: Sequence[str] = ()) -> dict[str, Any]:
    """Draw ``plots/*.png`` and ``anomalies/*.png`` from the rows and arrays in ``results``.

    Figures of an earlier run are removed first.

    Args:
        results: the folder of the run.
        formats: further formats, as :class:`anomalist.reports.output.Output` takes them. With
            ``"tex"`` the table of results is written to ``tables/``.

    Returns:
        the content of ``metrics.json``.
    """
    metrics: dict[str, Any] = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    loss = json.loads((results / "training.json").read_text(encoding="utf-8"))["loss"]
    rows = metrics["rows"]
    curves_out = Output(results / "plots", formats, results / "tables")
    panels_out = Output(results / "anomalies", formats)
    panels_out.clear()
    for name in _WRITTEN:  # studies write to the same folders
        curves_out.clear(name)
    with np.load(results / "curves.npz") as curves:
        curves_out.figure(plots.roc(rows, dict(curves)), "roc")
    with np.load(results / "scores.npz") as scores:
        curves_out.figure(plots.histograms(rows, dict(scores)), "score_histograms")
    graded = plots.severity(rows)
    if graded is not None:
        curves_out.figure(graded, "auroc_vs_severity")
    if loss:
        curves_out.figure(plots.loss_curve(loss), "loss")
    with np.load(results / "anomalies" / "cases.npz") as cases:
        _draw_panels(rows, dict(cases), panels_out)
    curves_out.table("results", partial(_table, metrics))
    return metrics


def _table(metrics: dict[str, Any], style: str) -> str:
    second = metrics.get("second", {}).get("rows", ())
    return tables.baseline_table(metrics["rows"], style, second=second)


def _draw_panels(
    rows: list[dict[str, str]],
    cases: dict[str, np.ndarray],
    output: Output,
) -> None:
    """Draw one page per type of defect and per corruption, at its middle strength."""
    shown: dict[str, list[str]] = {}
    for row in rows:
        if row["metric"] == "auroc" and f"{row['setting']}/images" in cases:
            shown.setdefault(row["corruption"], []).append(row["setting"])
    for name, settings in shown.items():
        figure = panels.cases(cases, settings[len(settings) // 2])
        output.figure(figure, _file_name(name))


def _file_name(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_. " else "_" for one in name)
