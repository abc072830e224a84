"""A value with its interval, and the resampling of whole clusters of images that yields it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from anomalist.errors import InputError

# Draws are made in chunks of about this many numbers: the memory bound of every bootstrap here.
CHUNK = 1 << 21


class Estimate(NamedTuple):
    """A metric's value on the data and its confidence interval.

    Attributes:
        value: the exact value on the data, never the mean of resamples.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of independent units that the interval rests on: clusters of images.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def check_options(confidence: float, resamples: int) -> None:
    """Refuse a confidence outside (0, 1) and fewer than two resamples."""
    if not 0 < confidence < 1:
        raise InputError(f"confidence: {confidence} is outside (0, 1)")
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; give at least 2, better 500")


def cluster_counts(seed: int, clusters: int, resamples: int, width: int) -> Iterator[NDArray[np.float32]]:
    """Yield float32 [R, G]: how often each of G clusters occurs in each of R resamples of G clusters.

    Args:
        seed: the draws depend on it and on ``clusters`` alone, not on the chunks.
        clusters: G.
        resamples: the sum of R over the chunks.
        width: how many numbers the caller will hold for each resample; it sets the size of the chunks.
    """
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK // max(width, clusters))
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(0, clusters, size=(rows, clusters))
        drawn += np.arange(rows)[:, None] * clusters
        counts = np.bincount(drawn.ravel(), minlength=rows * clusters)
        # Counts are small whole numbers: float32 holds them and their sums up to 2**24 exactly.
        yield counts.astype(np.float32).reshape(rows, clusters)


def bootstrap_estimate(
    value: float, draws: NDArray[np.floating[Any]], confidence: float, n: int, units: int
) -> Estimate:
    """Return ``value`` with the interval that the bootstrap ``draws`` [R] of it give.

    The normal interval, less the bootstrap's estimate of bias (Efron and Tibshirani 1993, sec. 10.2 and 12.2),
    on the scale of arcsin sqrt, where a share's spread depends little on its size. Plain percentiles would
    count the bias of a maximum such as the best F1 twice: in tests/metrics/test_coverage.py they hold the
    truth in as few as 4 of 10 draws where these hold it in 9.

    Resamples in which the metric does not exist (NaN: one class was not drawn) are left out. A perfect value
    does not vary between resamples, though that proves little on few images; there the interval reaches as
    far as Wilson's for a proportion with no failure among ``units``, the clusters of the rarer class. One unit
    alone shows no variation at all: then the interval is all of [0, 1].
    """
    if units < 2:
        return Estimate(value, 0.0, 1.0, n)
    quantile = float(stdtrit(units - 1, (1 + confidence) / 2))
    known = _stable(draws[~np.isnan(draws)])
    low = high = value
    if len(known):
        middle = 2 * _stable(value) - known.mean()  # the value less the bias, mean - value
        reach = quantile * known.std() * np.array([-1, 1])
        low, high = np.sin(np.clip(middle + reach, 0, np.pi / 2)) ** 2
    square = float(ndtri((1 + confidence) / 2)) ** 2
    unseen = square / (units + square)
    if math.isclose(value, 1.0):
        low = min(low, 1.0 - unseen)
    if math.isclose(value, 0.0, abs_tol=1e-12):
        high = max(high, unseen)
    # A value that the bias has carried out of its interval is taken back in.
    return Estimate(value, float(min(low, value)), float(max(high, value)), n)


def _stable(share: Any) -> NDArray[np.float64]:
    """Return the variance-stabilising transform of shares in [0, 1]."""
    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))), dtype=np.float64)
