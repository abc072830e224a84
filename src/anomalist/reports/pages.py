"""Pages: every picture of a finished run, made from the files in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from anomalist.core.files import atomic_write, make_folder
from anomalist.reports import panels, plots

__all__ = ["draw", "save"]


def draw(results: Path) -> None:
    """Draw ``plots/*.png`` and ``anomalies/*.png`` from the rows and arrays in ``results``.

    Pictures of an earlier run are removed first, so that none of them remains.
    """
    rows = json.loads((results / "metrics.json").read_text(encoding="utf-8"))["rows"]
    loss = json.loads((results / "training.json").read_text(encoding="utf-8"))["loss"]
    folder = make_folder(results / "plots")
    anomalies = make_folder(results / "anomalies")
    for old in (*folder.glob("*.png"), *anomalies.glob("*.png")):
        old.unlink()
    with np.load(results / "curves.npz") as curves:
        save(plots.roc(rows, dict(curves)), folder / "roc.png")
    with np.load(results / "scores.npz") as scores:
        save(plots.histograms(rows, dict(scores)), folder / "score_histograms.png")
    graded = plots.severity(rows)
    if graded is not None:
        save(graded, folder / "auroc_vs_severity.png")
    if loss:
        save(plots.loss_curve(loss), folder / "loss.png")
    with np.load(anomalies / "cases.npz") as cases:
        _draw_panels(rows, dict(cases), anomalies)


def _draw_panels(
    rows: list[dict[str, str]],
    cases: dict[str, np.ndarray],
    folder: Path,
) -> None:
    """Draw one page per corruption, at its middle strength, or per type of defect."""
    shown: dict[str, list[str]] = {}
    for row in rows:
        if row["metric"] == "auroc" and f"{row['setting']}/images" in cases:
            shown.setdefault(row["corruption"], []).append(row["setting"])
    for name, settings in shown.items():
        figure = panels.cases(cases, settings[len(settings) // 2])
        save(figure, folder / f"{_file_name(name)}.png")


def _file_name(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-_. " else "_" for one in name)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same bytes."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
