"""Pictures and Markdown of a study, made from its points alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from tabulate import tabulate

from anomalist.reports.plots import PALETTE

__all__ = [
    "against_cost",
    "curves",
    "percent",
    "points_table",
    "spent",
    "standings_table",
    "thresholds_table",
]

_TICKS = 8
_LINES = 6  # in one panel

Point = dict[str, Any]


def curves(
    points: Sequence[Point], x: str, lines: Sequence[str], metric: str, fits: Sequence[Any] = ()
) -> Figure:
    """Draw the mean of a metric against an axis, a line a setting, with its 95 % interval and every raw point.

    The interval is a band; where a curve was fitted, it and its bootstrap band are drawn, the means
    being mere marks. More than six lines are parted into panels by the first of their axes.

    Args:
        points: what ``studies.tables.points`` returned: the axes, ``mean``, ``low``, ``high``,
            ``values``.
        x: the axis along the picture; numbers if they all are, else names side by side.
        lines: the axes that tell lines apart.
        metric: the label of the other axis.
        fits: what ``studies.comparisons.psychometrics`` returned: ``line``, ``bootstrap``.
    """
    panels: dict[Any, list[Point]] = {None: list(points)}
    named = list(lines)
    if len({_name(point, lines) for point in points}) > _LINES:
        panels, named = {point[lines[0]]: [] for point in points}, named[1:]
        for point in points:
            panels[point[lines[0]]].append(point)
    figure = Figure(figsize=(8.5, 1 + 3.8 * len(panels)), layout="constrained")
    grid = figure.subplots(len(panels), squeeze=False, sharex=True)[:, 0]
    fitted = {_name(fit.line, lines): fit.bootstrap for fit in fits}
    for axes, (title, inside) in zip(grid, panels.items(), strict=True):
        place = _places(axes, [point[x] for point in points])
        groups: dict[str, list[Point]] = {}
        for point in inside:
            groups.setdefault(_name(point, named), []).append(point)
        for number, (name, group) in enumerate(groups.items()):
            _line(axes, group, [place[point[x]] for point in group], fitted.get(name), number, name)
        axes.set(ylabel=f"{metric} (mean over seeds, 95 % interval)", title=title or "")
        if any(groups):  # a study of one line needs no name for it
            axes.legend(
                fontsize="x-small", loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0
            )
    grid[-1].set_xlabel(x)
    return figure


def _places(axes: Axes, ticks: Sequence[Any]) -> dict[Any, float]:
    """Return where each value lies along the axis, and mark them: to scale if they are numbers with room between."""
    values = list(dict.fromkeys(ticks))
    numeric = all(isinstance(value, int | float) for value in values)
    values = sorted(values) if numeric else values
    if numeric and len(values) > 2 and values[0] > 0 and values[-1] / values[0] >= 16:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
    elif (
        numeric
        and len(values) <= _TICKS
        and min(np.diff(values), default=1) < (values[-1] - values[0]) / 15
    ):
        numeric = False
    place = {value: value if numeric else number for number, value in enumerate(values)}
    if not numeric or len(values) <= _TICKS:  # more would lie over one another
        axes.minorticks_off()
        axes.set_xticks(
            list(place.values()),
            [f"{v:g}" if isinstance(v, int | float) else str(v) for v in values],
        )
    return place


def _line(
    axes: Axes, group: list[Point], at: list[float], fit: Any, number: int, name: str
) -> None:
    colour, style = PALETTE[number % len(PALETTE)], ("-", "--", ":")[number // len(PALETTE) % 3]
    raw = [(x, value) for x, point in zip(at, group, strict=True) for value in point["values"]]
    axes.plot(*np.transpose(raw), ".", color=colour, alpha=0.3, markersize=3)
    order = np.argsort(at)
    at, group = [at[i] for i in order], [group[i] for i in order]
    banded = [
        (x, point["low"], point["high"])
        for x, point in zip(at, group, strict=True)
        if point["low"] is not None
    ]
    if fit is None:
        axes.plot(at, [point["mean"] for point in group], style, color=colour)
    else:
        axes.plot(fit.grid, fit.fit.curve.at(fit.grid), style, color=colour)
        banded = [] if fit.low is None else list(zip(fit.grid, fit.low, fit.high, strict=True))
    axes.plot(
        at, [point["mean"] for point in group], "o", markersize=4, color=colour, label=name or None
    )
    over, low, high = np.transpose(banded) if banded else ([], [], [])
    axes.fill_between(over, low, high, color=colour, alpha=0.2, linewidth=0)


def points_table(
    points: Sequence[Point], axes: Sequence[str], metric: str, style: str = "simple"
) -> str:
    """Return a line a point: its axes, the mean with its interval, and the number of seeds."""
    head = [*axes, f"{metric} [95 % interval]", "seeds"]
    cells = [
        [*(_short(point[axis]) for axis in axes), _interval(point), point["n"]] for point in points
    ]
    return tabulate(cells, head, tablefmt=style, disable_numparse=True)


def standings_table(
    standings: Sequence[Any], column: str, costs: Mapping[str, Any], style: str = "github"
) -> str:
    """Return a line a detector: its mean and its values in each column, in percent, and what it costs.

    Args:
        standings: what ``studies.leaderboard.leaderboard`` returned: ``model``, ``cells``,
            ``mean``.
        column: the axis of the columns.
        costs: what ``studies.leaderboard.costs`` returned, by model: ``fit``, ``rate``,
            ``threads``; where it is empty there are no such columns.
        style: a format of tabulate.
    """
    columns = list(dict.fromkeys(value for one in standings for value in one.cells))
    head = [
        "model",
        "mean, %",
        *(f"{column.rpartition('.')[2]} {value}".strip() for value in columns),
    ]
    lines = []
    for one in standings:
        cells = [percent(one.cells.get(value)) for value in columns]
        lines.append(
            [one.model, percent(one.mean), *cells, *(spent(costs.get(one.model)) if costs else ())]
        )
    note = "Mean over seeds ± half of Student's 95 % interval."
    if costs:
        head += ["fit, s", "images/s"]
        threads = sorted({cost.threads for cost in costs.values()})
        note += f" Costs on {' or '.join(map(str, threads))} thread(s)."
    return tabulate(lines, head, tablefmt=style, disable_numparse=True) + f"\n\n{note}"


def spent(cost: Any | None) -> list[str]:
    """Return a cost, ``fit`` and ``rate``, as two cells: seconds of a fit, images a second."""
    if cost is None:
        return ["-", "-"]
    return [f"{cost.fit:,.1f}" if cost.fit >= 1 else f"{cost.fit:.2g}", f"{cost.rate:,.0f}"]


_LONG = 55  # characters: two such names do not fit side by side


def against_cost(standings: Sequence[Any], costs: Mapping[str, Any], metric: str) -> Figure:
    """Draw each detector's mean against the seconds of its fit and against the images that it scores a second."""
    drawn = [one for one in standings if one.mean and one.model in costs]
    beside = 1 if any(len(one.model) > _LONG for one in drawn) else 2  # entries of the legend
    figure = Figure(figsize=(8.5, 3.6 + 0.2 * len(drawn) / beside), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, one in enumerate(drawn):
        colour, mark = PALETTE[number % len(PALETTE)], "osD^v"[number // len(PALETTE) % 5]
        for axes, cost in ((left, costs[one.model].fit), (right, costs[one.model].rate)):
            axes.plot(cost, one.mean["mean"], mark, color=colour, label=one.model)
            if one.mean["low"] is not None:
                axes.plot([cost, cost], [one.mean["low"], one.mean["high"]], color=colour)
    left.set(xscale="log", xlabel="seconds of a fit", ylabel=f"mean {metric} (95 % interval)")
    right.set(xscale="log", xlabel="images scored a second")
    for axes in (left, right):  # whole decades, or labels between them run into each other
        low, high = np.log10(axes.get_xlim())
        axes.set_xlim(10 ** np.floor(low), 10 ** np.ceil(high))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if drawn:
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", fontsize="x-small", ncols=beside)
    return figure


def thresholds_table(fits: Sequence[Any], lines: Sequence[str], style: str = "github") -> str:
    """Return a line a threshold: the severity at which an AUROC is reached, and the change of pixels there.

    Args:
        fits: what ``studies.comparisons.psychometrics`` returned: ``line``, ``bootstrap``,
            ``energies``.
        lines: the axes that tell lines apart.
        style: a format of tabulate.
    """
    head = [
        *lines,
        "AUROC",
        "severity [95 % interval]",
        "mean squared change",
        "fit's RMSE",
        "remarks",
    ]
    cells = []
    for fit in fits:
        names, rmse = (
            [_short(fit.line[line]) for line in lines],
            f"{fit.bootstrap.fit.curve.rmse:.3f}",
        )
        for one, energy in zip(fit.bootstrap.thresholds, fit.energies, strict=True):
            remarks = one.reason or "-"
            cells.append([*names, f"{one.level:g}", _reached(one), _short(energy), rmse, remarks])
    return tabulate(cells, head, tablefmt=style, disable_numparse=True)


def _reached(one: Any) -> str:
    if one.value is None:
        return "not reached by the fit"
    if one.below:
        return f"{one.value:.3g} or less"
    if one.low is None:  # a single seed
        return f"{one.value:.3g}"
    return f"{one.value:.3g} [{one.low:.3g}, {'open' if one.high is None else f'{one.high:.3g}'}]"


def _name(point: Point, lines: Sequence[str]) -> str:
    given = [(line.rpartition(".")[2], point[line]) for line in lines if point[line] is not None]
    return ", ".join(
        f"{axis} {value:g}" if isinstance(value, int | float) else str(value)
        for axis, value in given
    )


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def percent(point: Point | None) -> str:
    """Return a point's mean in percent ± half of its interval, as wide as before it was cut to [0, 1]; or a dash."""
    if point is None:
        return "-"
    if point["low"] is None:
        return f"{100 * point['mean']:.2f}"
    half = max(point["high"] - point["mean"], point["mean"] - point["low"])
    return f"{100 * point['mean']:.2f} ±{100 * half:.2f}"


def _interval(point: Point) -> str:
    if point["low"] is None:
        return f"{point['mean']:.4f}"
    return f"{point['mean']:.4f} [{point['low']:.4f}, {point['high']:.4f}]"
