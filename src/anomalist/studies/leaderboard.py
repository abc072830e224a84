"""Leaderboard: detectors side by side: a row a detector, a column a task, the mean of all, and what each costs."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from anomalist.studies.store import Store
from anomalist.studies.tables import Flat, averaged, model_label, points

if TYPE_CHECKING:
    from anomalist.trial import Row

__all__ = ["Cost", "Standing", "costs", "leaderboard", "median_costs", "spent"]


class Standing(NamedTuple):
    """A detector's place.

    Attributes:
        model: the detector.
        cells: its points by column, as :func:`anomalist.studies.tables.points` returns them; none
            where nothing is run.
        mean: the point of its means over all columns, seed by seed; None unless some seed has them
            all.
    """

    model: str
    cells: dict[Any, Flat]
    mean: Flat | None


class Cost(NamedTuple):
    """What a detector takes, medians over its fits.

    Attributes:
        fit: seconds of a fit.
        rate: images scored a second.
        threads: processor threads that it had.
    """

    fit: float
    rate: float
    threads: int


def leaderboard(table: Sequence[Flat], column: str, metric: str) -> list[Standing]:
    """Return the detectors' standings, the best mean first, those without one last.

    Args:
        table: flat rows with ``model`` and ``seed``.
        column: the axis whose values are the columns.
        metric: the column of values.
    """
    cells: dict[str, dict[Any, Flat]] = defaultdict(dict)
    for point in points(table, ("model", column), metric):
        cells[point["model"]][point[column]] = point
    means = {
        point["model"]: point
        for point in points(averaged(table, column, ("model", "seed"), metric), ("model",), metric)
    }
    standings = [Standing(model, found, means.get(model)) for model, found in cells.items()]
    return sorted(standings, key=lambda one: -one.mean["mean"] if one.mean else 1)


def costs(store: Store, rows: Iterable[Row]) -> dict[str, Cost]:
    """Return each detector's cost, from the side files of those trials that fitted it and first scored with it.

    Args:
        store: of the study.
        rows: its rows.
    """
    return median_costs({"model": model_label(row, "model"), **spent(store, row)} for row in rows)


def spent(store: Store, row: Row) -> Flat:
    """Return what a trial's detector took, where it was this trial that fitted it or first scored with it.

    Returns:
        ``fit_s``, ``images_per_s`` and ``threads``, those that are known.
    """
    seconds = store.side(row["trial"]).get("seconds", {})
    if "score_normal" not in seconds:
        return {}
    images = row["config"]["task"]["calibration"] + row["facts"]["normal"]
    found: Flat = {
        "images_per_s": images / max(seconds["score_normal"], 1e-6),
        "threads": row["config"]["threads"],
    }
    return found | ({"fit_s": seconds["fit"]} if "fit" in seconds else {})


def median_costs(table: Iterable[Flat]) -> dict[str, Cost]:
    """Return each detector's cost from rows with ``model`` and what :func:`spent` says."""
    fits, rates, threads = defaultdict(list), defaultdict(list), {}
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
