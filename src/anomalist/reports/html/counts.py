"""Counts at every position of the threshold slider; the page only adds and divides them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalist.reports.html.content import ScoreRows

__all__ = ["counts_of"]

_POSITIONS = 160  # of the slider, taken from each group of scores
_HIGHEST = 60  # calibration scores at the top, each of which is a position
_BINS = 48

Values = NDArray[np.float64]


def counts_of(rows: ScoreRows) -> dict[str, Any]:
    """Return what the page needs to know about a score.

    Returns:
        ``thresholds``, the positions of the slider, increasing; ``start``, the position of the
        saved threshold; ``rates``, the expected false-alarm rate at each, or None without
        calibration; ``above``, for each kind the number of images that score higher; ``edges`` and
        ``bins``, a histogram of each kind; ``levels``, the lowest level of marked pixels at each
        position, or None without maps or if one threshold does not decide.
    """
    thresholds = _positions(rows)
    start = len(thresholds) - 1
    if rows.threshold is not None:
        start = int(np.searchsorted(thresholds, rows.threshold))
    above = [_above(values, thresholds) for values in rows.by_kind]
    rates = None
    if len(rows.calibration):
        rates = (1 + _above(rows.calibration, thresholds)) / (len(rows.calibration) + 1)
    levels = None
    if rows.scale is not None and rows.scale.rates and rates is not None:
        levels = [rows.scale.level_at(rate) for rate in rates.tolist()]
        if rows.scale.chosen is not None:
            levels[start] = rows.scale.level_above(rows.scale.chosen)
    edges, is_log = _edges(rows)
    return {
        "label": rows.label,
        "quantity": "" if rows.scale is None else rows.scale.quantity,
        "isPValue": rows.is_p_value,
        "hasThreshold": rows.threshold is not None,
        "thresholds": thresholds.tolist(),
        "start": start,
        "rates": None if rates is None else rates.tolist(),
        "above": [one.tolist() for one in above],
        "edges": edges.tolist(),
        "isLog": is_log,
        "bins": [np.histogram(values, edges)[0].tolist() for values in rows.by_kind],
        "levels": levels,
    }


def _positions(rows: ScoreRows) -> Values:
    """Return the positions of the slider, increasing.

    They are quantiles of all scores together and of the first two groups, the highest calibration
    scores, and the saved threshold.
    """
    shares = np.linspace(0, 1, _POSITIONS)
    groups = [rows.calibration, *rows.by_kind]
    used = [group for group in groups if len(group)]
    every = np.concatenate(used)
    below = np.nextafter(every.min(), -np.inf)
    parts: list[Values] = [np.quantile(every, shares, method="lower"), np.array([below])]
    for group in used[:2]:  # of a run, the held-out and the tested normal images
        parts.append(np.quantile(group, shares, method="lower"))
    parts.append(np.sort(rows.calibration)[-_HIGHEST:])
    if rows.threshold is not None:
        parts.append(np.array([rows.threshold]))
    return np.unique(np.concatenate(parts))


def _above(values: Values, thresholds: Values) -> NDArray[np.int64]:
    """Return how many values are higher than each threshold."""
    above: NDArray[np.int64] = len(values) - np.searchsorted(
        np.sort(values), thresholds, side="right"
    )
    return above


def _edges(rows: ScoreRows) -> tuple[Values, bool]:
    """Return the edges of the histogram, and whether they are evenly spaced by logarithm."""
    every = np.concatenate(rows.by_kind)
    low = float(every.min())
    high = float(every.max())
    if high <= low:
        high = low + max(1e-6, abs(low) * 1e-6)
    if low > 0 and not rows.is_p_value:
        edges = np.geomspace(low, high, _BINS + 1)
        edges[0], edges[-1] = low, high
        return edges, True
    return np.linspace(low, high, _BINS + 1), False
