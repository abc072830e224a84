"""Plots of detection results: functions from plain rows and arrays to Matplotlib figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalist.metrics.table import shown_in

__all__ = ["PALETTE", "histograms", "line_styles", "loss_curve", "roc", "severity"]

# Okabe & Ito's colours: distinct for readers with any kind of colour vision.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

_DASHES = ("-", "--", ":", "-.")

Row = dict[str, Any]
Arrays = Mapping[str, NDArray[Any]]
Cell = tuple[Axes, tuple[str, dict[str, Row]]]


def roc(rows: Sequence[Row], curves: Arrays) -> Figure:
    """Draw the ROC of each corruption: one curve per strength, with a pointwise 95 % band.

    The false-positive axis is logarithmic, because detectors differ where false alarms are rare.

    Args:
        rows: the rows of ``metrics.json``.
        curves: the arrays of ``curves.npz``: for each setting ``fpr`` and ``tpr`` of the curve,
            and ``rates``, ``low`` and ``high`` of its band.
    """
    figure, grid = _grid(_by_corruption(rows))
    for axes, (name, settings) in grid:
        styles = line_styles(len(settings))
        for (colour, style), (setting, auroc) in zip(styles, settings.items(), strict=True):
            curve = _of_setting(curves, setting)
            rates = curve["rates"]
            low = curve["low"]
            high = curve["high"]
            axes.fill_between(
                rates,
                low,
                high,
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
            label = f"{_strength(setting)} (AUROC {auroc['value']:.3f})"
            axes.step(
                *_visible(curve["fpr"], curve["tpr"], rates[0]),
                style,
                where="post",
                color=colour,
                label=label,
            )
        axes.plot(rates, rates, ":", color="grey", label="chance")
        axes.set(
            title=name,
            xscale="log",
            xlim=(rates[0], 1),
            ylim=(0, 1.02),
        )
        axes.set(xlabel="false-positive rate", ylabel="true-positive rate")
        axes.legend(fontsize="x-small", loc="lower right")
    return figure


def _visible(
    fpr: NDArray[Any],
    tpr: NDArray[Any],
    lowest: float,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the points of a curve that differ on the drawn scale, by 1 / 400 of an axis.

    A curve has a point for every image. Drawn as SVG, most of them would only take space.
    """
    decades = np.log10(np.maximum(fpr, lowest))
    across = np.round(400 * decades / abs(np.log10(lowest)))
    up = np.round(400 * tpr)
    moves = (np.diff(across) != 0) | (np.diff(up) != 0)
    kept = np.concatenate([[True], moves])
    kept[-1] = True
    return fpr[kept], tpr[kept]


def histograms(rows: Sequence[Row], scores: Arrays) -> Figure:
    """Draw histograms of the scores of normal and anomalous test images.

    The score axis is logarithmic if all scores are above 0, as for errors and distances.

    Args:
        rows: the rows of ``metrics.json``.
        scores: the arrays of ``scores.npz``: ``clean``, and one per setting. If ``threshold`` is
            among them, a dashed line marks it.
    """
    corruptions = _by_corruption(rows)
    figure, grid = _grid(corruptions)
    shown = ["clean", *(setting for settings in corruptions.values() for setting in settings)]
    scale, edges = _bins([scores[name] for name in shown])
    for axes, (name, settings) in grid:
        axes.hist(scores["clean"], edges, color="lightgrey", label="normal")
        for (colour, style), setting in zip(line_styles(len(settings)), settings, strict=True):
            axes.hist(
                scores[setting],
                edges,
                histtype="step",
                linestyle=style,
                color=colour,
                label=_strength(setting),
            )
        if "threshold" in scores:
            axes.axvline(
                float(scores["threshold"]),
                linestyle="--",
                linewidth=1,
                color="black",
                label="threshold",
            )
        axes.set(
            title=name,
            xscale=scale,
            xlabel="anomaly score",
            ylabel="test images",
        )
        axes.legend(fontsize="x-small")
    return figure


def severity(rows: Sequence[Row]) -> Figure | None:
    """Draw image AUROC and AUPRO against severity: one line per corruption, with 95 % intervals.

    AUPRO is drawn if the detector has maps.

    Returns:
        the figure, or None if no anomaly has a severity; real defects have none.
    """
    graded = [row for row in rows if row["severity"] is not None]
    present = {row["metric"] for row in graded}
    drawn = [metric for metric in shown_in("severity") if metric.key in present]
    if not drawn:
        return None
    figure = Figure(figsize=(5 * len(drawn), 4.2), layout="constrained")
    grid = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axes, metric in zip(grid, drawn, strict=True):
        of_metric = [row for row in graded if row["metric"] == metric.key]
        names = list(_by_corruption(graded))
        for (colour, style), name in zip(line_styles(len(names)), names, strict=True):
            points = [row for row in of_metric if row["corruption"] == name]
            if points:
                _draw_line(axes, points, name, colour, style)
        if metric.key == "auroc":
            axes.axhline(
                0.5,
                linestyle=":",
                color="grey",
                label="chance",
            )
        axes.set(
            xlabel="severity",
            ylabel=metric.label,
            ylim=(None, 1.02),
        )
        axes.legend(fontsize="small")
    return figure


def _draw_line(
    axes: Axes,
    points: Sequence[Row],
    name: str,
    colour: str,
    style: str,
) -> None:
    """Draw the values of a corruption with their intervals, sorted by severity."""
    points = sorted(points, key=lambda row: row["severity"])
    values = [row["value"] for row in points]
    below = [row["value"] - row["low"] for row in points]
    above = [row["high"] - row["value"] for row in points]
    axes.errorbar(
        [row["severity"] for row in points],
        values,
        [below, above],
        fmt=style,
        color=colour,
        marker="o",
        markersize=4,
        capsize=3,
        label=name,
    )


def loss_curve(loss: Sequence[float]) -> Figure:
    """Draw the mean training loss of each epoch."""
    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        range(1, len(loss) + 1),
        loss,
        marker="o",
        markersize=4,
        color=PALETTE[0],
    )
    axes.set(
        xlabel="epoch",
        ylabel="mean training loss",
        yscale="log",
    )
    return figure


def _by_corruption(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Return the AUROC row of every setting, by corruption."""
    by_corruption: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row["metric"] == "auroc":
            by_corruption.setdefault(row["corruption"], {})[row["setting"]] = row
    return by_corruption


def _of_setting(arrays: Arrays, setting: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of one setting, by the part of their name after the setting."""
    prefix = f"{setting}/"
    names = [name for name in arrays if name.startswith(prefix)]
    return {name.removeprefix(prefix): arrays[name] for name in names}


def _grid(corruptions: dict[str, dict[str, Row]]) -> tuple[Figure, list[Cell]]:
    """Return a figure, and for each corruption its axes and its rows by setting."""
    columns = min(2, len(corruptions))
    lines = -(-len(corruptions) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.8 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for unused in axes[len(corruptions) :]:
        unused.set_axis_off()
    return figure, list(zip(axes, corruptions.items(), strict=False))


def _bins(image_scores: Sequence[NDArray[Any]]) -> tuple[str, list[float]]:
    """Return the scale of the score axis and the edges of its 79 bins."""
    lowest = min(float(values.min()) for values in image_scores)
    highest = max(float(values.max()) for values in image_scores)
    if lowest == highest:
        return "linear", np.linspace(lowest, highest + 1, 80).tolist()
    if lowest > 0:
        return "log", np.geomspace(max(lowest, highest * 1e-6), highest, 80).tolist()
    return "linear", np.linspace(lowest, highest, 80).tolist()


def line_styles(count: int) -> list[tuple[str, str]]:
    """Return a colour and a line style for each of ``count`` lines; no colour is used twice.

    Up to eight lines have the colours of :data:`PALETTE`. More lines have the colours of a
    perceptually uniform colour map. They also take the line styles in turn, because neighbouring
    colours are similar.
    """
    if count <= len(PALETTE):
        return [(colour, "-") for colour in PALETTE[:count]]
    colours = [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0, 0.95, count))]
    return [(colour, _DASHES[i % len(_DASHES)]) for i, colour in enumerate(colours)]


def _strength(setting: str) -> str:
    return setting.partition(":")[2] or setting
