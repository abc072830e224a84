"""Leaderboard: detectors with one column per task, the mean of all tasks, and the costs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from anomalist.analysis.rows import Flat, averaged, points

__all__ = ["Cost", "Standing", "leaderboard", "median_costs", "spent"]

_MIN_SECONDS = 1e-6


class Standing(NamedTuple):
    """A row of the leaderboard.

    Attributes:
        model: the detector.
        cells: its points by column, see :func:`anomalist.analysis.rows.points`; columns without
            results are missing.
        mean: the point of its means over all columns, computed per seed; None if no seed has all
            columns.
    """

    model: str
    cells: dict[Any, Flat]
    mean: Flat | None


class Cost(NamedTuple):
    """The computing cost of a detector, as medians over its fits.

    Attributes:
        fit: seconds per fit.
        rate: images scored per second.
        threads: number of processor threads.
    """

    fit: float
    rate: float
    threads: int


def leaderboard(
    table: Sequence[Flat],
    column: str,
    metric: str,
) -> list[Standing]:
    """Return the rows of the leaderboard, best mean first, detectors without a mean last.

    Args:
        table: flat rows with ``model`` and ``seed``.
        column: the axis whose values are the columns.
        metric: the column of values.
    """
    cells: dict[str, dict[Any, Flat]] = defaultdict(dict)
    for point in points(table, ("model", column), metric):
        cells[point["model"]][point[column]] = point
    by_seed = averaged(table, column, ("model", "seed"), metric)
    means = {point["model"]: point for point in points(by_seed, ("model",), metric)}
    standings = [Standing(model, row, means.get(model)) for model, row in cells.items()]
    return sorted(standings, key=_by_mean)


def spent(row: dict[str, Any], side: Mapping[str, Any]) -> Flat:
    """Return the cost of a trial's detector, if this trial fitted it or used it first.

    Args:
        row: the row of the trial.
        side: its side file, with times.

    Returns:
        ``fit_s``, ``images_per_s`` and ``threads``, if known.
    """
    seconds = side.get("seconds", {})
    if "score_normal" not in seconds:
        return {}
    images = row["config"]["task"]["calibration"] + row["facts"]["normal"]
    known: Flat = {
        "images_per_s": images / max(seconds["score_normal"], _MIN_SECONDS),
        "threads": row["config"]["threads"],
    }
    if "fit" in seconds:
        known["fit_s"] = seconds["fit"]
    return known


def median_costs(table: Iterable[Flat]) -> dict[str, Cost]:
    """Return the cost of each detector from rows with ``model`` and the fields of :func:`spent`."""
    fits: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    threads: dict[str, int] = {}
    for row in table:
        model = row["model"]
        if row.get("images_per_s") is not None:
            rates[model].append(row["images_per_s"])
            threads[model] = int(row["threads"] or 1)
        if row.get("fit_s") is not None:
            fits[model].append(row["fit_s"])
    return {
        model: Cost(statistics.median(fits[model]), statistics.median(rates[model]), threads[model])
        for model in fits
        if model in rates
    }


def _by_mean(standing: Standing) -> float:
    return 1.0 if standing.mean is None else -float(standing.mean["mean"])
