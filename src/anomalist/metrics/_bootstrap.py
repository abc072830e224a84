"""A value with its interval: from resamples of whole clusters of images, or as a score interval that holds near 1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import scipy  # its parts are loaded when they are used
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from anomalist.errors import InputError

# Draws are made in chunks of about this many numbers: the memory bound of every bootstrap here.
CHUNK = 1 << 21
_NO_SPREAD = 1e-9  # a standard deviation that is rounding, not variation


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


def cluster_counts(
    seed: int, clusters: int, resamples: int, width: int
) -> Iterator[NDArray[np.float32]]:
    """Yield float32 [R, G]: how often each of G clusters occurs in each of R resamples of G clusters.

    Args:
        seed: the draws depend on it and on ``clusters`` alone, not on the chunks.
        clusters: G.
        resamples: the sum of R over the chunks.
        width: how many numbers the caller will hold for each resample; it sets the size of the
            chunks.
    """
    if seed < 0:
        raise InputError(f"seed: {seed} is below 0; give a whole number from 0 on")
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

    The normal interval, less the bootstrap's estimate of bias (Efron and Tibshirani 1993, sec. 10.2
    and 12.2), on the scale of arcsin sqrt, where a share's spread depends little on its size. Plain
    percentiles would count the bias of a maximum such as the best F1 twice: in
    tests/metrics/test_coverage.py they hold the truth in as few as 4 of 10 draws where these hold
    it in 9.

    Resamples in which the metric does not exist (NaN: one class was not drawn) are left out. Where
    no resample differs, as at a perfect value, the interval is that of :func:`_unseen_reach`. One
    unit alone shows no variation at
    all: then the interval is all of [0, 1].

    Args:
        value: the metric on the data.
        draws: ``[R]``, the metric of each resample.
        confidence: in (0, 1).
        n: clusters of images.
        units: clusters of the rarer class.
    """
    if units < 2:
        return Estimate(value, 0.0, 1.0, n)
    known = _stable(draws[~np.isnan(draws)])
    spread = float(known.std()) if len(known) else 0.0
    if spread < _NO_SPREAD:
        return Estimate(value, *_unseen_reach(value, units, confidence), n)
    quantile = float(stdtrit(units - 1, (1 + confidence) / 2))
    middle = 2 * float(_stable(value)) - float(
        known.mean()
    )  # the value less the bias, mean - value
    low, high = np.sin(np.clip(middle + quantile * spread * np.array([-1, 1]), 0, np.pi / 2)) ** 2
    # A value that the bias has carried out of its interval is taken back in.
    return Estimate(value, float(min(low, value)), float(max(high, value)), n)


def score_estimate(
    value: float, variance: float, confidence: float, n: int, units: tuple[int, int]
) -> Estimate:
    """Return ``value`` with a score interval, which holds up to a perfect value.

    The interval is all values A with

        (value - A)^2 <= t^2 D V(A),

    where V is the variance of an AUROC as a function of the true area (Hanley and McNeil 1982, eq.
    1 and 2), for as many images as there are clusters in each class (inverted as in Newcombe 2006,
    method 5), and t is Student's quantile. D, the observed variance over V, carries what V does not
    know: pairing and the shape of the scores. It is drawn to 1 by the variance that one more
        misjudged image in the rarer class would bring: hardly away from 1,
    wholly at a perfect value. So an image of a kind that the data do not show is reckoned with.

    Where a class has one unit, nothing shows how that class varies: the interval is all of [0, 1].
    Where nothing varies at all, as with constant scores, it is that of :func:`_unseen_reach`.

    Args:
        value: in [0, 1].
        variance: of the value, estimated from the data.
        confidence: in (0, 1).
        n: clusters of images.
        units: clusters with anomalies, and clusters with normal images or pixels.
    """
    few = min(units)
    if few < 2:
        return Estimate(value, 0.0, 1.0, n)
    inside = 1e-12
    if variance < _NO_SPREAD**2 and inside < value < 1 - inside:
        return Estimate(value, *_unseen_reach(value, few, confidence), n)
    quantile = float(stdtrit(few - 1, (1 + confidence) / 2))
    shrunk = 0.5 + (value - 0.5) * (1 - 2 / few)  # the value with one more misjudged image
    expected = _model_variance(shrunk, units)
    extra = max(expected - _model_variance(value, units), 0.0)
    factor = quantile**2 * (variance + extra) / expected

    def excess(candidate: float) -> float:
        return (value - candidate) ** 2 - factor * _model_variance(candidate, units)

    # V vanishes at 0 and 1 themselves, which would be a false root where the value is 0 or 1.
    brentq = scipy.optimize.brentq
    low = float(brentq(excess, 0.0, min(value, 1 - inside))) if value > inside else 0.0
    high = float(brentq(excess, max(value, inside), 1.0)) if value < 1 - inside else 1.0
    return Estimate(value, low, high, n)


def spread_of(draws: NDArray[np.floating[Any]], units: int) -> float:
    """Return the variance that bootstrap ``draws`` [R] show, NaN left out, for :func:`score_estimate`.

    Resamples of G units vary by (G - 1) / G of what new data would; that is put right.
    """
    known = draws[~np.isnan(draws)].astype(np.float64)
    return float(known.var()) * units / max(units - 1, 1) if len(known) else 0.0


def _model_variance(area: float, units: tuple[int, int]) -> float:
    """Return Hanley and McNeil's variance, with the slower of its two terms given to the rarer class.

    Which class varies more near 1 is unknown; the rarer one is the cautious answer.
    """
    few, many = min(units), max(units)
    a = max(area, 1 - area)
    spread = 1 + (few - 1) * (1 - a) / (2 - a) + (many - 1) * a / (1 + a)
    return a * (1 - a) * spread / (few * many)


def _unseen_reach(value: float, units: int, confidence: float) -> tuple[float, float]:
    """Return how far a value that never varies may be off, since ``units`` clusters need not show all there is.

    A share u of clusters of another kind stays unseen with the given confidence, u being Wilson's
    bound for a proportion without a success. Were these all misjudged the value would be (1 - u)
    value, all right: u more.
    """
    square = float(ndtri((1 + confidence) / 2)) ** 2
    unseen = square / (units + square)
    return value * (1 - unseen), value + (1 - value) * unseen


def _stable(share: Any) -> NDArray[np.float64]:
    """Return the variance-stabilising transform of shares in [0, 1]."""
    return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))), dtype=np.float64)
