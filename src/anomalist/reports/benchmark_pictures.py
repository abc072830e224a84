"""Figures of a benchmark: the critical-difference diagram (Demsar, JMLR 2006)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from anomalist.metrics.ranking import Ranking, cliques
from anomalist.reports.plots import PALETTE

__all__ = ["critical_differences"]

_STEP = 0.42  # distance between lines of labels, in inches
_BAR_STEP = 0.18  # distance between bars, in units of the axes


def critical_differences(
    names: Sequence[str],
    ranks: Ranking,
    alpha: float,
) -> Figure:
    """Draw the mean ranks on an axis, with the best at the left.

    A bar joins detectors that do not differ significantly. The upper panel uses Nemenyi's critical
    difference and draws its length; the lower panel uses Wilcoxon's test with Holm's correction.

    Args:
        names: names of the detectors.
        ranks: their ranks and tests.
        alpha: significance level of the tests.
    """
    rows_of_labels = (len(names) + 1) // 2 + 1
    figure = Figure(figsize=(9, 2 * (1.6 + _STEP * rows_of_labels)), layout="constrained")
    upper, lower = figure.subplots(2)
    distances = np.abs(ranks.ranks[:, None] - ranks.ranks)
    nemenyi = f"Nemenyi: critical difference {ranks.distance:.2f} (level {alpha:g})"
    wilcoxon = f"Wilcoxon signed-rank, Holm (level {alpha:g})"
    panels = (
        (upper, nemenyi, distances < ranks.distance),
        (lower, wilcoxon, ranks.pairs >= alpha),
    )
    for axes, title, alike in panels:
        bars = cliques(ranks.ranks, alike)
        _draw_ranks(axes, names, ranks.ranks, bars)
        axes.set_title(f"{title}; {ranks.n} groups", fontsize="medium")
    _draw_critical_difference(upper, ranks.distance, len(names) - 1)
    return figure


def _draw_critical_difference(
    axes: Axes,
    distance: float,
    longest: float,
) -> None:
    """Draw a line as long as the critical difference, but no longer than the axis."""
    length = min(distance, longest)
    label = "CD" if length == distance else "CD (longer than the axis)"
    axes.plot([1, 1 + length], [0.62, 0.62], color="black", linewidth=2)
    axes.text(1 + length / 2, 0.72, label, ha="center")


def _draw_ranks(
    axes: Axes,
    names: Sequence[str],
    ranks: NDArray[np.float64],
    bars: Sequence[tuple[int, ...]],
) -> None:
    """Draw an axis of ranks at height 0, labels below it on both sides, and bars between them."""
    count = len(names)
    axes.hlines(0, 1, count, color="black", linewidth=1)
    for tick in range(1, count + 1):
        axes.vlines(tick, 0, 0.08, color="black", linewidth=1)
        axes.text(
            tick,
            0.14,
            str(tick),
            ha="center",
            va="bottom",
            fontsize="small",
        )
    room = 0.3 + _BAR_STEP * len(bars)
    left = (count + 1) // 2
    order = np.argsort(ranks, kind="stable")
    for place, one in enumerate(order[:left]):
        height = -room - _STEP * place
        label = f"{names[one]} ({ranks[one]:.2f}) "
        _draw_label(axes, float(ranks[one]), 1 - 0.04 * count, height, label, "right")
    for place, one in enumerate(order[left:]):
        height = -room - _STEP * (count - 1 - left - place)
        label = f" {names[one]} ({ranks[one]:.2f})"
        _draw_label(axes, float(ranks[one]), count + 0.04 * count, height, label, "left")
    pad = 0.01 * count
    for number, bar in enumerate(bars):
        low = float(ranks[bar[0]]) - pad
        high = float(ranks[bar[-1]]) + pad
        height = -0.2 - _BAR_STEP * number
        axes.hlines(height, low, high, color=PALETTE[0], linewidth=4)
    margin = 0.75 * count
    axes.set(xlim=(1 - margin, count + margin), ylim=(-room - _STEP * left, 1.0))
    axes.set_axis_off()


def _draw_label(
    axes: Axes,
    rank: float,
    end: float,
    height: float,
    label: str,
    side: str,
) -> None:
    """Draw a detector's name and the line from the name to its rank."""
    axes.plot([rank, rank, end], [0, height, height], color="grey", linewidth=1)
    axes.text(end, height, label, ha=side, va="center")
