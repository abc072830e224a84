"""Tables of a study: points, standings and detection thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

__all__ = [
    "cost_cells",
    "percent",
    "points_table",
    "short",
    "standings_note",
    "standings_table",
    "thresholds_table",
]

Point = dict[str, Any]


def points_table(
    points: Sequence[Point],
    axes: Sequence[str],
    metric: str,
    style: str = "simple",
) -> str:
    """Return one line per point: its axes, the mean with its interval, and the number of seeds.

    Args:
        points: the result of :func:`anomalist.analysis.rows.points`.
        axes: the columns that distinguish points.
        metric: name of the values.
        style: a table format of tabulate.
    """
    head = [*axes, f"{metric} [95 % interval]", "seeds"]
    lines = []
    for point in points:
        settings = [short(point[axis]) for axis in axes]
        lines.append([*settings, _with_interval(point), point["n"]])
    return tabulate(lines, head, tablefmt=style, disable_numparse=True)


def standings_table(
    standings: Sequence[Any],
    column: str,
    costs: Mapping[str, Any],
    style: str = "github",
) -> str:
    """Return one line per detector: its mean, its value in each column (percent) and its cost.

    Args:
        standings: the result of :func:`anomalist.analysis.leaderboard.leaderboard`.
        column: the axis of the columns.
        costs: costs by detector; if empty, the table has no columns of costs.
        style: a table format of tabulate.
    """
    columns = list(dict.fromkeys(value for one in standings for value in one.cells))
    axis = column.rpartition(".")[2]
    head = ["model", "mean, %"]
    head += [f"{axis} {value}".strip() for value in columns]
    if costs:
        head += ["fit, s", "images/s"]
    lines = []
    for one in standings:
        line = [one.model, percent(one.mean)]
        line += [percent(one.cells.get(value)) for value in columns]
        if costs:
            line += cost_cells(costs.get(one.model))
        lines.append(line)
    return tabulate(lines, head, tablefmt=style, disable_numparse=True)


def standings_note(costs: Mapping[str, Any]) -> str:
    """Return the sentences below the table of standings.

    Args:
        costs: costs by detector; if empty, the table has no columns of costs.
    """
    note = "Mean over seeds ± half of Student's 95 % interval."
    if costs:
        threads = sorted({cost.threads for cost in costs.values()})
        note += f" Costs on {' or '.join(map(str, threads))} thread(s)."
    return note


def cost_cells(cost: Any | None) -> list[str]:
    """Return the two cells of a cost: the seconds of a fit, and images scored per second."""
    if cost is None:
        return ["-", "-"]
    seconds = f"{cost.fit:,.1f}" if cost.fit >= 1 else f"{cost.fit:.2g}"
    return [seconds, f"{cost.rate:,.0f}"]


def thresholds_table(
    fits: Sequence[Any],
    lines: Sequence[str],
    style: str = "github",
) -> str:
    """Return one line per threshold: the severity that reaches an AUROC, and the pixels' change.

    Args:
        fits: the result of :func:`anomalist.analysis.comparisons.psychometrics`.
        lines: the axes that distinguish lines.
        style: a table format of tabulate.
    """
    head = [*lines, "AUROC", "severity [95 % interval]"]
    head += ["mean squared change", "fit's RMSE", "remarks"]
    cells = []
    for fit in fits:
        settings = [short(fit.line[line]) for line in lines]
        rmse = f"{fit.bootstrap.fit.curve.rmse:.3f}"
        for threshold, energy in zip(fit.bootstrap.thresholds, fit.energies, strict=True):
            level = f"{threshold.level:g}"
            remarks = threshold.reason or "-"
            severity = _threshold_text(threshold)
            cells.append([*settings, level, severity, short(energy), rmse, remarks])
    return tabulate(cells, head, tablefmt=style, disable_numparse=True)


def percent(point: Point | None) -> str:
    """Return a point's mean in percent ± half of its interval; a dash for no point.

    It is half of the interval before the interval was clipped to [0, 1].
    """
    if point is None:
        return "-"
    mean = point["mean"]
    if point["low"] is None:
        return f"{100 * mean:.2f}"
    half = max(point["high"] - mean, mean - point["low"])
    return f"{100 * mean:.2f} ±{100 * half:.2f}"


def short(value: Any) -> str:
    """Return a value in at most four digits; a dash for None."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _threshold_text(threshold: Any) -> str:
    if threshold.value is None:
        return "not reached by the fit"
    value = f"{threshold.value:.3g}"
    if threshold.below:
        return f"{value} or less"
    if threshold.low is None:  # a single seed
        return value
    high = "open" if threshold.high is None else f"{threshold.high:.3g}"
    return f"{value} [{threshold.low:.3g}, {high}]"


def _with_interval(point: Point) -> str:
    mean = f"{point['mean']:.4f}"
    if point["low"] is None:
        return mean
    return f"{mean} [{point['low']:.4f}, {point['high']:.4f}]"
