"""Plots of detection results; every function returns a Matplotlib figure and reads plain rows and arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalist.metrics import roc_band, roc_curve

__all__ = ["PALETTE", "histograms", "loss_curve", "roc", "severity"]

# Okabe & Ito's colours, told apart by readers with any kind of colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_LOWEST_RATE = 1e-3

Row = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]


def roc(rows: Sequence[Row], scores: Arrays) -> Figure:
    """Draw the ROC of each corruption, a curve a strength, with a pointwise 95 % band.

    The false-positive axis is logarithmic: detectors differ where false alarms are rare.
    """
    figure, grid = _grid(_by_corruption(rows))
    rates = np.logspace(math.log10(_LOWEST_RATE), 0, 60)
    for axes, (name, settings) in grid:
        for (colour, style), (setting, auroc) in zip(_styles(), settings.items(), strict=False):
            joined = np.concatenate([scores["clean"], scores[setting]])
            labels = np.repeat([False, True], [len(scores["clean"]), len(scores[setting])])
            source = np.concatenate([scores["clean/source"], scores[f"{setting}/source"]])
            curve = roc_curve(joined, labels)
            fpr, low, high = roc_band(joined, labels, source, grid=rates, seed=0, resamples=200)
            label = f"{_strength(setting)} (AUROC {auroc['value']:.3f})"
            axes.fill_between(fpr, low, high, color=colour, alpha=0.2, linewidth=0)
            axes.step(curve.fpr, curve.tpr, style, where="post", color=colour, label=label)
        axes.plot(rates, rates, ":", color="grey", label="chance")
        axes.set(title=name, xscale="log", xlim=(_LOWEST_RATE, 1), ylim=(0, 1.02))
        axes.set(xlabel="false-positive rate", ylabel="true-positive rate")
        axes.legend(fontsize="x-small", loc="lower right")
    return figure


def histograms(rows: Sequence[Row], scores: Arrays) -> Figure:
    """Draw how the scores of normal and of anomalous test images are distributed.

    The score axis is logarithmic where all scores are above 0, as errors and distances are.
    """
    figure, grid = _grid(_by_corruption(rows))
    lowest = min(float(values.min()) for values in _images(scores))
    highest = max(float(values.max()) for values in _images(scores))
    scale = "log" if lowest > 0 and highest > lowest else "linear"
    if scale == "log":
        edges = np.geomspace(max(lowest, highest * 1e-6), highest, 80).tolist()
    else:
        edges = np.linspace(lowest, highest + (highest == lowest), 80).tolist()
    for axes, (name, settings) in grid:
        axes.hist(scores["clean"], edges, color="lightgrey", label="normal")
        for (colour, style), setting in zip(_styles(), settings, strict=False):
            axes.hist(
                scores[setting],
                edges,
                histtype="step",
                linestyle=style,
                color=colour,
                label=_strength(setting),
            )
        axes.set(title=name, xscale=scale, xlabel="anomaly score", ylabel="test images")
        axes.legend(fontsize="x-small")
    return figure


def severity(rows: Sequence[Row]) -> Figure | None:
    """Draw image AUROC and, where there are maps, AUPRO against severity, a line a corruption, with 95 % intervals.

    None where no anomaly has a severity, as real defects have none.
    """
    graded = [row for row in rows if row["severity"] is not None]
    metrics = {"auroc": "AUROC", "aupro": "AUPRO"}
    drawn = [metric for metric in metrics if any(row["metric"] == metric for row in graded)]
    if not drawn:
        return None
    figure = Figure(figsize=(5 * len(drawn), 4.2), layout="constrained")
    for axes, metric in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        for (colour, style), name in zip(_styles(), _by_corruption(graded), strict=False):
            found = [row for row in graded if row["corruption"] == name and row["metric"] == metric]
            found.sort(key=lambda row: row["severity"])
            x, y, low, high = (
                np.array([row[key] for row in found])
                for key in ("severity", "value", "low", "high")
            )
            if len(found):
                axes.errorbar(
                    x,
                    y,
                    [y - low, high - y],
                    fmt=style,
                    color=colour,
                    marker="o",
                    markersize=4,
                    capsize=3,
                    label=name,
                )
        if metric == "auroc":
            axes.axhline(0.5, linestyle=":", color="grey", label="chance")
        axes.set(xlabel="severity", ylabel=metrics[metric], ylim=(None, 1.02))
        axes.legend(fontsize="small")
    return figure


def loss_curve(loss: Sequence[float]) -> Figure:
    """Draw the mean training loss of each epoch."""
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(range(1, len(loss) + 1), loss, marker="o", markersize=4, color=PALETTE[0])
    axes.set(xlabel="epoch", ylabel="mean training loss", yscale="log")
    return figure


def _by_corruption(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Return the AUROC row of every setting, by corruption."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["metric"] == "auroc":
            found.setdefault(row["corruption"], {})[row["setting"]] = row
    return found


def _grid(
    corruptions: dict[str, dict[str, Row]],
) -> tuple[Figure, list[tuple[Axes, tuple[str, dict[str, Row]]]]]:
    columns = min(2, len(corruptions))
    lines = -(-len(corruptions) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.8 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in axes[len(corruptions) :]:
        unused.set_axis_off()
    return figure, list(zip(axes, corruptions.items(), strict=False))


def _images(scores: Arrays) -> list[NDArray[Any]]:
    return [
        values
        for name, values in scores.items()
        if values.ndim == 1 and not name.endswith("/source")
    ]


def _styles() -> Iterator[tuple[str, str]]:
    """Yield colours with line styles, so that no two of many lines look alike."""
    return ((colour, style) for style in ("-", "--", ":", "-.") for colour in PALETTE)


def _strength(setting: str) -> str:
    return setting.partition(":")[2] or setting
