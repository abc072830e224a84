"""Figures of a study, drawn from its points: curves along an axis, and quality against cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from anomalist.reports.plots import line_styles

__all__ = ["against_cost", "curves"]

_MARKS = "osD^v"
_MOST_TICKS = 8
_MOST_LINES = 6  # in one panel
_LOG_RATIO = 16  # of largest to smallest value; from this ratio on an axis is logarithmic
_LONG_NAME = 55  # characters: two such names do not fit side by side

Point = dict[str, Any]


def curves(
    points: Sequence[Point],
    x: str,
    lines: Sequence[str],
    metric: str,
    fits: Sequence[Any] = (),
) -> Figure:
    """Draw the mean of a metric along an axis, with its 95 % interval and every raw value.

    There is one line per setting, and its interval is a band. If a curve was fitted, the curve and
    its bootstrap band are drawn, and marks show the means. More than six lines are distributed over
    panels by the first of their axes.

    Args:
        points: the result of :func:`anomalist.analysis.rows.points`.
        x: the horizontal axis; it is to scale if all values are numbers.
        lines: the axes that distinguish lines.
        metric: label of the vertical axis.
        fits: the result of :func:`anomalist.analysis.comparisons.psychometrics`.
    """
    panels: dict[Any, list[Point]] = {None: list(points)}
    named = list(lines)
    if len({_name(point, lines) for point in points}) > _MOST_LINES:
        panels = _grouped(points, lines[0])
        named = named[1:]
    figure = Figure(figsize=(8.5, 1 + 3.8 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    bootstraps = {_name(fit.line, lines): fit.bootstrap for fit in fits}
    for axes, (title, inside) in zip(grid, panels.items(), strict=True):
        positions = _positions(axes, [point[x] for point in points])
        groups: dict[str, list[Point]] = {}
        for point in inside:
            groups.setdefault(_name(point, named), []).append(point)
        styles = line_styles(len(groups))
        for (name, group), (colour, style) in zip(groups.items(), styles, strict=True):
            at = [positions[point[x]] for point in group]
            _draw_line(axes, group, at, bootstraps.get(name), colour, style, name)
        axes.set(ylabel=f"{metric} (mean over seeds, 95 % interval)", title=title or "")
        if any(groups):  # a single line needs no legend
            _legend_beside(axes)
    grid[-1].set_xlabel(x)
    return figure


def against_cost(
    standings: Sequence[Any],
    costs: Mapping[str, Any],
    metric: str,
) -> Figure:
    """Draw each detector's mean against the seconds of its fit, and against images per second.

    The number beside a mark is the detector's place; the legend lists the places.

    Args:
        standings: the result of :func:`anomalist.analysis.leaderboard.leaderboard`.
        costs: costs by detector.
        metric: name of the values.
    """
    drawn = [one for one in standings if one.mean and one.model in costs]
    has_long_name = any(len(one.model) > _LONG_NAME for one in drawn)
    legend_columns = 1 if has_long_name else 2
    height = 3.6 + 0.2 * len(drawn) / legend_columns
    figure = Figure(figsize=(8.5, height), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, one in enumerate(drawn):
        colour, _ = line_styles(len(drawn))[number]
        mark = _MARKS[number % len(_MARKS)]
        cost = costs[one.model]
        for axes, x in ((left, cost.fit), (right, cost.rate)):
            label = f"{number + 1}  {one.model}"
            axes.plot(x, one.mean["mean"], mark, color=colour, label=label)
            place = (x, one.mean["mean"])
            axes.annotate(
                str(number + 1),
                place,
                xytext=(4, 3),
                textcoords="offset points",
                fontsize="x-small",
            )
            if one.mean["low"] is not None:
                axes.plot([x, x], [one.mean["low"], one.mean["high"]], color=colour)
    left.set(
        xscale="log",
        xlabel="seconds of a fit",
        ylabel=f"mean {metric} (95 % interval)",
    )
    right.set(xscale="log", xlabel="images scored per second")
    for axes in (left, right):
        _whole_decades(axes)
    if drawn:
        _legend_below(figure, left, legend_columns)
    return figure


def _grouped(points: Sequence[Point], axis: str) -> dict[Any, list[Point]]:
    """Return the points by their value of an axis."""
    groups: dict[Any, list[Point]] = {}
    for point in points:
        groups.setdefault(point[axis], []).append(point)
    return groups


def _positions(axes: Axes, ticks: Sequence[Any]) -> dict[Any, float]:
    """Return the position of each value along the axis, and set the ticks of the axis.

    Values are to scale if all are numbers with enough distance; otherwise they are equidistant.
    """
    values = list(dict.fromkeys(ticks))
    to_scale = all(isinstance(value, int | float) for value in values)
    if to_scale:
        values.sort()
        if _is_logarithmic(values):
            axes.set_xscale("log", base=2)
            axes.xaxis.set_major_formatter("{x:g}")
        elif len(values) <= _MOST_TICKS and _is_crowded(values):
            to_scale = False
    if to_scale:
        positions = {value: value for value in values}
    else:
        positions = {value: number for number, value in enumerate(values)}
    if not to_scale or len(values) <= _MOST_TICKS:  # more labels would overlap
        axes.minorticks_off()
        axes.set_xticks(list(positions.values()), [_label(value) for value in values])
    return positions


def _is_logarithmic(values: Sequence[float]) -> bool:
    return len(values) > 2 and values[0] > 0 and values[-1] / values[0] >= _LOG_RATIO


def _is_crowded(values: Sequence[float]) -> bool:
    """Return whether two neighbours are closer than a fifteenth of the range."""
    closest = min(np.diff(values), default=1)
    return bool(closest < (values[-1] - values[0]) / 15)


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _draw_line(
    axes: Axes,
    group: list[Point],
    at: list[float],
    bootstrap: Any,
    colour: str,
    style: str,
    name: str,
) -> None:
    """Draw one line: raw values, means, and a curve with its band."""
    raw = []
    for x, point in zip(at, group, strict=True):
        raw += [(x, value) for value in point["values"]]
    axes.plot(
        *np.transpose(raw),
        ".",
        color=colour,
        alpha=0.3,
        markersize=3,
    )
    order = np.argsort(at)
    at = [at[i] for i in order]
    group = [group[i] for i in order]
    means = [point["mean"] for point in group]
    if bootstrap is None:
        axes.plot(at, means, style, color=colour)
        band = _interval_band(at, group)
    else:
        curve = bootstrap.fit.curve.at(bootstrap.grid)
        axes.plot(bootstrap.grid, curve, style, color=colour)
        band = _bootstrap_band(bootstrap)
    axes.plot(
        at,
        means,
        "o",
        markersize=4,
        color=colour,
        label=name or None,
    )
    places, low, high = np.transpose(band) if band else np.empty((3, 0))
    axes.fill_between(
        places,
        low,
        high,
        color=colour,
        alpha=0.2,
        linewidth=0,
    )


def _interval_band(at: Sequence[float], group: Sequence[Point]) -> list[tuple[float, ...]]:
    """Return position, low end and high end of each point that has an interval."""
    band: list[tuple[float, ...]] = []
    for x, point in zip(at, group, strict=True):
        if point["low"] is not None:
            band.append((x, point["low"], point["high"]))
    return band


def _bootstrap_band(bootstrap: Any) -> list[tuple[float, ...]]:
    if bootstrap.low is None:
        return []
    return list(zip(bootstrap.grid, bootstrap.low, bootstrap.high, strict=True))


def _legend_beside(axes: Axes) -> None:
    axes.legend(
        fontsize="x-small",
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        borderaxespad=0,
    )


def _legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        fontsize="x-small",
        ncols=columns,
    )


def _whole_decades(axes: Axes) -> None:
    """Extend a logarithmic axis to whole decades, because labels between them would overlap."""
    low, high = np.log10(axes.get_xlim())
    axes.set_xlim(10 ** np.floor(low), 10 ** np.ceil(high))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _name(point: Point, lines: Sequence[str]) -> str:
    """Return a line's name: the values of its axes."""
    parts = []
    for line in lines:
        value = point[line]
        if value is None:
            continue
        is_number = isinstance(value, int | float)
        parts.append(f"{line.rpartition('.')[2]} {value:g}" if is_number else str(value))
    return ", ".join(parts)
