"""Pages: every picture of a finished run, remade from its folder alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from anomalist.files import make_folder, replacing
from anomalist.reports import panels, plots

__all__ = ["draw", "save"]


def draw(results: Path) -> None:
    """Draw ``plots/*.png`` and ``anomalies/*.png`` from the rows and arrays in ``results``.

    Pictures of an earlier run are removed first, so that none is left that the rows do not speak
    of.
    """
    rows = json.loads((results / "metrics.json").read_text(encoding="utf-8"))["rows"]
    loss = json.loads((results / "training.json").read_text(encoding="utf-8"))["loss"]
    folder, anomalies = make_folder(results / "plots"), make_folder(results / "anomalies")
    for old in (*folder.glob("*.png"), *anomalies.glob("*.png")):
        old.unlink()
    with np.load(results / "scores.npz") as scores, np.load(anomalies / "cases.npz") as cases:
        save(plots.roc(rows, dict(scores)), folder / "roc.png")
        save(plots.histograms(rows, dict(scores)), folder / "score_histograms.png")
        if (graded := plots.severity(rows)) is not None:
            save(graded, folder / "auroc_vs_severity.png")
        if loss:
            save(plots.loss_curve(loss), folder / "loss.png")
        shown: dict[str, list[str]] = {row["corruption"]: [] for row in rows}
        for row in rows:
            if row["metric"] == "auroc" and f"{row['setting']}/images" in cases:
                shown[row["corruption"]].append(row["setting"])
        for name, settings in shown.items():
            if settings:  # one page a corruption, at its middle strength, or a type of defect
                page = "".join(sign if sign.isalnum() or sign in "-_. " else "_" for sign in name)
                save(
                    panels.cases(dict(cases), settings[len(settings) // 2]),
                    anomalies / f"{page}.png",
                )


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the same figure gives the same bytes."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})
