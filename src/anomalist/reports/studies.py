"""Pictures and Markdown of a study, made from its points alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from tabulate import tabulate

from anomalist.reports.plots import PALETTE

__all__ = ["curves", "points_table", "thresholds_table"]

_TICKS = 8

Point = dict[str, Any]


def curves(points: Sequence[Point], x: str, lines: Sequence[str], metric: str) -> Figure:
    """Draw the mean of a metric against an axis, a line a setting, with the interval as a band and every raw point.

    Args:
        points: what ``studies.tables.points`` returned: the axes, ``mean``, ``low``, ``high``, ``values``.
        x: the axis along the picture; numbers if they all are, else names side by side.
        lines: the axes that tell lines apart.
        metric: the label of the other axis.
    """
    figure = Figure(figsize=(8.5, 4.8), layout="constrained")
    axes = figure.subplots()
    ticks = list(dict.fromkeys(point[x] for point in points))
    numeric = all(isinstance(tick, int | float) for tick in ticks)
    place = {tick: tick if numeric else number for number, tick in enumerate(ticks)}
    groups: dict[str, list[Point]] = {}
    for point in points:
        name = ", ".join(str(point[line]) for line in lines if point[line] is not None)
        groups.setdefault(name, []).append(point)
    for number, (name, group) in enumerate(groups.items()):
        colour, style = PALETTE[number % len(PALETTE)], ("-", "--", ":")[number // len(PALETTE) % 3]
        group.sort(key=lambda point: place[point[x]])
        at = [place[point[x]] for point in group]
        axes.plot(
            at, [point["mean"] for point in group], style, marker="o", markersize=4, color=colour, label=name or None
        )
        banded = [point for point in group if point["low"] is not None]
        low, high = ([point[end] for point in banded] for end in ("low", "high"))
        axes.fill_between([place[point[x]] for point in banded], low, high, color=colour, alpha=0.2, linewidth=0)
        raw = [(place[point[x]], value) for point in group for value in point["values"]]
        axes.plot(*np.transpose(raw), ".", color=colour, alpha=0.3, markersize=3)
    if numeric and len(ticks) > 2 and min(ticks) > 0 and max(ticks) / min(ticks) >= 16:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    if not numeric or len(ticks) <= _TICKS:  # more would lie over one another
        axes.minorticks_off()
        axes.set_xticks(list(place.values()), [f"{tick:g}" if numeric else str(tick) for tick in ticks])
    axes.set(xlabel=x, ylabel=f"{metric} (mean over seeds, 95 % interval)")
    if any(groups):  # a study of one line needs no name for it
        figure.legend(loc="outside right upper", fontsize="x-small")
    return figure


def points_table(points: Sequence[Point], axes: Sequence[str], metric: str, style: str = "simple") -> str:
    """Return a line a point: its axes, the mean with its interval, and the number of seeds."""
    head = [*axes, f"{metric} [95 % interval]", "seeds"]
    cells = [[*(_short(point[axis]) for axis in axes), _interval(point), point["n"]] for point in points]
    return tabulate(cells, head, tablefmt=style, disable_numparse=True)


def thresholds_table(found: Sequence[Point], lines: Sequence[str], style: str = "github") -> str:
    """Return a line a threshold: the severity at which an AUROC is reached, and the change of pixels there.

    Args:
        found: what ``studies.comparisons.detection_thresholds`` returned.
        lines: the axes that tell lines apart.
        style: a format of tabulate.
    """
    head = [*lines, "AUROC", "severity [95 % interval]", "mean squared change", "fit's RMSE"]
    cells = []
    for one in found:
        if one["value"] is None:
            reached = "not reached by the fit"
        elif one["below"]:
            reached = f"{one['value']:.3g} or less"
        else:
            high = "open" if one["high"] is None else f"{one['high']:.3g}"
            reached = f"{one['value']:.3g} [{one['low']:.3g}, {high}]"
        names = [_short(one[line]) for line in lines]
        cells.append([*names, f"{one['level']:g}", reached, _short(one["energy"]), f"{one['rmse']:.3f}"])
    return tabulate(cells, head, tablefmt=style, disable_numparse=True)


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _interval(point: Point) -> str:
    if point["low"] is None:
        return f"{point['mean']:.4f}"
    return f"{point['mean']:.4f} [{point['low']:.4f}, {point['high']:.4f}]"
