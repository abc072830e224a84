"""Estimates with intervals: a bootstrap over clusters of images, or a score interval.

The score interval is also valid for values near 1, unlike the bootstrap.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from anomalist.core.errors import InputError
from anomalist.core.randomness import resampling

# Random numbers are drawn in chunks of about this size, which limits the memory of a bootstrap.
CHUNK = 1 << 21
_KEPT = 1 << 23  # up to this size, the draws of a seed are cached for the next call
_NO_SPREAD = 1e-9  # smaller standard deviations are rounding errors


class Estimate(NamedTuple):
    """A metric's value on the data and its confidence interval.

    Attributes:
        value: the exact value on the data, not the mean of resamples.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of independent units, which are clusters of images.
    """

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def check_options(confidence: float, resamples: int) -> None:
    """Check that the confidence is in (0, 1), and that there are at least two resamples."""
    if not 0 < confidence < 1:
        raise InputError(f"confidence: {confidence} is outside (0, 1)")
    if resamples < 2:
        raise InputError(f"resamples: {resamples} is too few; give at least 2, or better 500")


def cluster_counts(
    seed: int,
    clusters: int,
    resamples: int,
    width: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield how often each of G clusters occurs in each of R resamples, float32 [R, G].

    Args:
        seed: seed; the draws depend only on it and on ``clusters``, not on the chunks.
        clusters: G.
        resamples: the sum of R over the chunks.
        width: how many numbers the caller stores per resample; it determines the chunk size.
    """
    if seed < 0:
        raise InputError(f"seed: {seed} is negative; give an integer of 0 or more")
    step = max(1, CHUNK // max(width, clusters))
    if resamples * clusters <= _KEPT:
        kept = _all_counts(seed, clusters, resamples)
        for start in range(0, resamples, step):
            yield kept[start : start + step]
        return
    rng = resampling(seed)
    for start in range(0, resamples, step):
        yield _draw_counts(rng, clusters, min(step, resamples - start))


@lru_cache(maxsize=2)  # shared by all metrics of an evaluation and all evaluations of a run
def _all_counts(seed: int, clusters: int, resamples: int) -> NDArray[np.float32]:
    rng = resampling(seed)
    step = max(1, CHUNK // clusters)
    counts = np.empty((resamples, clusters), np.float32)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        counts[start : start + rows] = _draw_counts(rng, clusters, rows)
    counts.flags.writeable = False
    return counts


def _draw_counts(rng: np.random.Generator, clusters: int, rows: int) -> NDArray[np.float32]:
    drawn = rng.integers(0, clusters, size=(rows, clusters))
    drawn += np.arange(rows)[:, None] * clusters
    counts = np.bincount(drawn.ravel(), minlength=rows * clusters)
    # Counts are small integers: they and their sums are exact in float32 up to 2**24.
    return counts.astype(np.float32).reshape(rows, clusters)


def bootstrap_estimate(
    value: float,
    draws: NDArray[np.floating[Any]],
    confidence: float,
    n: int,
    units: int,
) -> Estimate:
    """Return ``value`` with the interval from its bootstrap ``draws`` [R].

    It is the normal interval, corrected by the bootstrap's estimate of bias (Efron and Tibshirani
    1993, sec. 10.2 and 12.2), on the scale of arcsin sqrt, on which the spread of a proportion
    depends little on its value. Plain percentiles would count the bias of a maximum such as the
    best F1 twice: in tests/metrics/test_coverage.py they cover the truth in as few as 4 of 10
    draws, these intervals in 9.

    Resamples without one of the classes (NaN) are excluded. If all resamples are equal, as at a
    perfect value, the interval is that of :func:`_unseen_reach`. A single unit shows no variation,
    so its interval is [0, 1].

    Args:
        value: the metric on the data.
        draws: ``[R]``, the metric of each resample.
        confidence: in (0, 1).
        n: number of clusters of images.
        units: number of clusters of the rarer class.
    """
    if units < 2:
        return Estimate(value, 0.0, 1.0, n)
    known = _stable(draws[~np.isnan(draws)])
    spread = float(known.std()) if len(known) else 0.0
    if spread < _NO_SPREAD:
        low, high = _unseen_reach(value, units, confidence)
        return Estimate(value, low, high, n)
    quantile = float(stdtrit(units - 1, (1 + confidence) / 2))
    # The value minus the bias, which is the mean of the draws minus the value.
    middle = 2 * float(_stable(value)) - float(known.mean())
    ends = middle + quantile * spread * np.array([-1, 1])
    low, high = np.sin(np.clip(ends, 0, np.pi / 2)) ** 2
    # The correction may move the interval away from the value, which is then included again.
    return Estimate(value, float(min(low, value)), float(max(high, value)), n)


def score_estimate(
    value: float,
    variance: float,
    confidence: float,
    n: int,
    units: tuple[int, int],
) -> Estimate:
    """Return ``value`` with a score interval, which is valid up to a perfect value.

    The interval contains all values A with::

        (value - A)^2 <= t^2 D V(A)

    V is the variance of an AUROC as a function of the true area (Hanley and McNeil 1982, eq. 1 and
    2), for as many images as there are clusters in each class (inverted as in Newcombe 2006, method
    5), and t is Student's quantile. D is the ratio of the observed variance to V. It accounts for
    pairing and for the shape of the scores, which V ignores. D is shrunk towards 1 by the variance
    that one more misclassified image in the rarer class would add: hardly for values far from 1,
    completely for a perfect value. The interval therefore allows for one image of a kind that is
    not in the data.

    If a class has a single unit, its variation is unknown and the interval is [0, 1]. If nothing
    varies, as with constant scores, the interval is that of :func:`_unseen_reach`.

    Args:
        value: in [0, 1].
        variance: variance of the value, estimated from the data.
        confidence: in (0, 1).
        n: number of clusters of images.
        units: numbers of clusters with anomalies, and with normal images or pixels.
    """
    few = min(units)
    if few < 2:
        return Estimate(value, 0.0, 1.0, n)
    inside = 1e-12
    if variance < _NO_SPREAD**2 and inside < value < 1 - inside:
        low, high = _unseen_reach(value, few, confidence)
        return Estimate(value, low, high, n)
    quantile = float(stdtrit(few - 1, (1 + confidence) / 2))
    shrunk = 0.5 + (value - 0.5) * (1 - 2 / few)  # the value with one more misclassified image
    expected = _model_variance(shrunk, units)
    extra = max(expected - _model_variance(value, units), 0.0)
    factor = quantile**2 * (variance + extra) / expected

    def excess(candidate: float) -> float:
        return (value - candidate) ** 2 - factor * _model_variance(candidate, units)

    # V is 0 at 0 and 1, which would be a false root if the value is 0 or 1.
    low = 0.0
    high = 1.0
    if value > inside:
        low = float(scipy.optimize.brentq(excess, 0.0, min(value, 1 - inside)))
    if value < 1 - inside:
        high = float(scipy.optimize.brentq(excess, max(value, inside), 1.0))
    return Estimate(value, low, high, n)


def spread_of(draws: NDArray[np.floating[Any]], units: int) -> float:
    """Return the variance of bootstrap ``draws`` [R] without NaN, for :func:`score_estimate`.

    The variance over resamples of G units is (G - 1) / G of that over new data; this is corrected.
    """
    known = draws[~np.isnan(draws)].astype(np.float64)
    if not len(known):
        return 0.0
    return float(known.var()) * units / max(units - 1, 1)


def _model_variance(area: float, units: tuple[int, int]) -> float:
    """Return Hanley and McNeil's variance, with the slower term assigned to the rarer class.

    It is unknown which class varies more near 1; the rarer class is the conservative choice.
    """
    few = min(units)
    many = max(units)
    a = max(area, 1 - area)
    spread = 1 + (few - 1) * (1 - a) / (2 - a) + (many - 1) * a / (1 + a)
    return a * (1 - a) * spread / (few * many)


def _unseen_reach(
    value: float,
    units: int,
    confidence: float,
) -> tuple[float, float]:
    """Return an interval for a value that does not vary over ``units`` clusters.

    With the given confidence, the fraction of clusters of an unseen kind is at most u, Wilson's
    bound for a proportion without a success. If all of these were misclassified, the value would be
    (1 - u) value; if all were correct, it would be larger by u (1 - value).
    """
    square = float(ndtri((1 + confidence) / 2)) ** 2
    unseen = square / (units + square)
    return value * (1 - unseen), value + (1 - value) * unseen


def _stable(share: Any) -> NDArray[np.float64]:
    """Return the variance-stabilising transform of proportions in [0, 1]."""
    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))), dtype=np.float64)
