"""Confidence intervals of image-level metrics for paired and clustered images.

A corrupted image and its clean copy, or five corruptions of one image, are not independent.
``clusters`` [N] gives the source image of each score; images of the same source are resampled
together. By default every image is independent.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import ArrayLike, NDArray

from anomalist.core.errors import InputError
from anomalist.metrics._arrays import Bool, Float, Int, floats, grouped, scored
from anomalist.metrics._bootstrap import (
    Estimate,
    bootstrap_estimate,
    check_options,
    cluster_counts,
    score_estimate,
    spread_of,
)
from anomalist.metrics.detection import average_precision, best_f1, fpr_at_tpr, needed, tie_ends

__all__ = ["Estimate", "auroc_interval", "detection_intervals", "roc_band"]

Counts = NDArray[np.float32]
# Thresholds of resampled curves.
_HIGHEST = 1024  # number of highest scores: low false-positive rates need all of them
_OTHERS = 3072
_FEWEST_FOR_FPR95 = 20  # of fewer anomalies, a rate of 95 % means all of them


def auroc_interval(
    scores: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Return the AUROC with an interval for clustered images, valid up to perfect separation.

    The variance is DeLong's (DeLong et al. 1988), computed from the placement values of the images
    (the fraction of the other class that an image is ranked correctly against). Placements of one
    cluster are summed first (Obuchowski 1997, Nonparametric analysis of clustered ROC curve data,
    eq. 5). Near 1 this variance is unreliable, and at 1 it is zero;
    :func:`anomalist.metrics._bootstrap.score_estimate` therefore adjusts it. Time O(N log N).

    Simulated coverage of 95 % intervals (binormal scores, AUROC 0.6 to 0.999): 94 to 100 %, paired
    or not, with at least 10 images in the rarer class. If a class has only one image or one
    cluster, its spread is unknown and the interval is [0, 1].

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.
        clusters: [N], the source image of each score; None: all are independent.
        confidence: in (0, 1).

    Returns:
        The estimate in [0, 1], whose interval never has width 0, even for constant scores; ``n`` is
        the number of clusters.

    Raises:
        InputError: shapes differ, a score is not finite, one class is missing, or ``confidence`` is
            outside (0, 1).
    """
    values, truth = scored(scores, labels)
    check_options(confidence, resamples=2)
    index, groups = grouped(clusters, len(values))
    area, variance = clustered_delong(values, truth, index, groups)
    return score_estimate(area, variance, confidence, groups, _units(index, truth))


def clustered_delong(
    values: Float,
    truth: Bool,
    index: Int,
    groups: int,
) -> tuple[float, float]:
    """Return the AUROC and its variance, with placements summed over each cluster."""
    positives = values[truth]
    negatives = values[~truth]
    beaten = _placements(positives, negatives)
    beating = 1 - _placements(negatives, positives)
    area = float(np.mean(beaten))
    first = np.bincount(index[truth], beaten - area, groups) / len(positives)
    second = np.bincount(index[~truth], beating - area, groups) / len(negatives)

    def spread(sums: NDArray[np.float64], units: int) -> float:
        return float(np.sum(sums)) * units / max(units - 1, 1)

    anomalous, normal = _units(index, truth)
    variance = spread(first**2, anomalous)
    variance += spread(second**2, normal)
    variance += spread(2 * first * second, groups)
    return area, max(variance, 0.0)


def _units(index: Int, truth: Bool) -> tuple[int, int]:
    """Return the numbers of clusters with anomalous and with normal images."""
    anomalous = np.unique(index[truth])
    normal = np.unique(index[~truth])
    return len(anomalous), len(normal)


def _placements(points: Float, others: Float) -> NDArray[np.float64]:
    """Return the fraction of ``others`` below each point, with ties counted half."""
    rising = np.sort(others)
    twice = np.searchsorted(rising, points) + np.searchsorted(rising, points, side="right")
    return np.asarray(twice / (2 * len(others)), dtype=np.float64)


def detection_intervals(
    scores: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    seed: int = 0,
    resamples: int = 500,
    confidence: float = 0.95,
) -> dict[str, Estimate]:
    """Return every image-level metric with its interval.

    ``auroc`` is that of :func:`auroc_interval`. The variance of the other metrics comes from
    resamples of whole clusters (cluster bootstrap: Field and Welsh 2007). The scores are sorted
    once; a resample only changes their counts. ``fpr95`` has a score interval like ``auroc``.
    ``average_precision`` and ``best_f1`` have bias-corrected bootstrap intervals.

    Simulated coverage of 95 % intervals (normal scores 1, 2 and 3.5 standard deviations apart; 10
    to 300 anomalies among 200 to 1,000 normal images): ``average_precision`` 94 to 100 %,
    ``best_f1`` 92 to 100 %, ``fpr95`` 88 to 97 %, because its threshold depends on few anomalies.
    Fewer than 20 anomalies cannot determine the threshold for 95 %; the interval of ``fpr95`` then
    ends at 1.

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.
        clusters: [N], the source image of each score; None: all are independent.
        seed: seed of the resampling; the same seed gives the same intervals.
        resamples: number of resamples.
        confidence: in (0, 1).

    Returns:
        Estimates named ``auroc``, ``average_precision``, ``fpr95`` and ``best_f1``; the values are
        exact.

    Raises:
        InputError: see :func:`auroc_interval`, or fewer than two resamples.
    """
    values, truth = scored(scores, labels)
    check_options(confidence, resamples)
    index, groups = grouped(clusters, len(values))
    units = _units(index, truth)
    few = min(units)
    exact = {
        "average_precision": average_precision(values, truth),
        "fpr95": fpr_at_tpr(values, truth),
        "best_f1": best_f1(values, truth),
    }
    chunks = []
    for true, false in _resampled(values, truth, index, groups, seed, resamples):
        chunks.append(_resampled_metrics(true, false))
    thinned = np.concatenate(chunks, axis=1)
    # Fewer thresholds shift the value and its resamples equally, so the shift is subtracted.
    shifts = np.array([*exact.values()])[:, None] - thinned[:, :1]
    draws = dict(zip(exact, thinned[:, 1:] + shifts, strict=True))
    estimates = {"auroc": auroc_interval(values, truth, index, confidence)}
    for name, value in exact.items():
        if name == "fpr95":
            variance = spread_of(draws[name], few)
            estimates[name] = score_estimate(value, variance, confidence, groups, units)
        else:
            estimates[name] = bootstrap_estimate(value, draws[name], confidence, groups, few)
    if units[0] < _FEWEST_FOR_FPR95:
        estimates["fpr95"] = estimates["fpr95"]._replace(high=1.0)
    return estimates


def roc_band(
    scores: ArrayLike,
    labels: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    grid: ArrayLike | None = None,
    seed: int = 0,
    resamples: int = 500,
    confidence: float = 0.95,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a pointwise band of the ROC curve, by the cluster bootstrap and vertical averaging.

    At each false-positive rate, the ends of the band are quantiles of the true-positive rates of
    the resampled curves (Fawcett 2006, sec. 9.1). The band covers the curve at each rate with the
    given confidence, but not the whole curve simultaneously.

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.
        clusters: [N], the source image of each score; None: all are independent.
        grid: [K] false-positive rates in [0, 1]; None means 0, 0.01, ... 1.
        seed: seed of the resampling; the same seed gives the same band.
        resamples: number of resamples.
        confidence: in (0, 1).

    Returns:
        Three arrays [K]: the false-positive rates, the band's lower and its upper end in [0, 1].

    Raises:
        InputError: see :func:`detection_intervals`, or a grid outside [0, 1].
    """
    values, truth = scored(scores, labels)
    check_options(confidence, resamples)
    index, groups = grouped(clusters, len(values))
    if grid is None:
        grid = np.linspace(0, 1, 101)
    rates = floats(grid, "grid").astype(np.float64)
    if rates.ndim != 1 or not rates.size or rates.min() < 0 or rates.max() > 1:
        raise InputError("grid: give false-positive rates in [0, 1] as a one-dimensional array")
    curves = []
    for chunk in _resampled(values, truth, index, groups, seed, resamples):
        for true, false in zip(*chunk, strict=True):
            if true[-1] and false[-1]:
                fpr = np.append(0, false / false[-1])
                tpr = np.append(0, true / true[-1])
                curves.append(np.interp(rates, fpr, tpr))
    curves = curves[1:]  # the first is the curve of the data
    if not curves:
        raise InputError(
            "clusters: no resample contains both classes; an interval needs more clusters"
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(curves, (tail, 1 - tail), axis=0)
    return rates, low, high


def _resampled(
    values: Float,
    truth: Bool,
    index: Int,
    groups: int,
    seed: int,
    resamples: int,
) -> Iterator[tuple[Counts, Counts]]:
    """Yield the true and the false positives of 1 + R curves in batches, ``[*, T]``.

    The first curve is that of the data. The columns are thresholds at distinct scores, from high to
    low: all of them, or a subset chosen by :func:`_thinned`.
    """
    order = np.argsort(values)[::-1]
    anomalous = truth[order]
    ends = _thinned(tie_ends(values[order]), anomalous)
    bins = np.searchsorted(ends, np.arange(len(values)))  # the threshold that flags each score
    shape = (len(ends), groups)
    ones = np.ones(len(values), np.float32)
    cells = (bins, index[order])
    flags = scipy.sparse.csr_array((ones, cells), shape)
    hits = scipy.sparse.csr_array((anomalous.astype(np.float32), cells), shape)
    whole = np.ones((1, groups), np.float32)
    for counts in (whole, *cluster_counts(seed, groups, resamples, len(values))):
        flagged = np.cumsum(flags @ counts.T, axis=0)
        true = np.cumsum(hits @ counts.T, axis=0)
        flagged -= true
        yield np.ascontiguousarray(true.T), np.ascontiguousarray(flagged.T)


def _thinned(ends: Int, anomalous: Bool) -> Int:
    """Return a subset of the ends of runs of equal scores, always including the last one.

    The subset contains the highest 1,024 ends, 3,072 evenly spaced ends among the rest and, if they
    are few, all ends after which the class changes. The best F1 is at one of the latter, and there
    are few of them if the scores separate the classes nearly perfectly.

    Args:
        ends: ends of runs of equal scores, ascending.
        anomalous: the class of each score, from high to low.
    """
    rest = len(ends) - _HIGHEST
    if rest <= _OTHERS:
        return ends
    chosen = np.zeros(len(ends), dtype=bool)
    chosen[:_HIGHEST] = True
    chosen[_HIGHEST + np.arange(1, _OTHERS + 1) * rest // _OTHERS - 1] = True
    changes = anomalous[ends[:-1]] != anomalous[ends[:-1] + 1]
    if np.count_nonzero(changes) <= _OTHERS:
        chosen[:-1] |= changes
    return ends[chosen]


def _resampled_metrics(true: Counts, false: Counts) -> Counts:
    """Return average precision, FPR95 and best F1 of R resampled curves, [3, R].

    Curves without one of the classes give NaN.
    """
    positives = true[:, -1]
    negatives = false[:, -1]
    steps = np.diff(true, axis=1, prepend=np.float32(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        flagged = np.maximum(true + false, 1)  # 0 / 1 instead of 0 / 0 before the first drawn score
        # The counts are exact in float32, but the sum of many products is not.
        precision = np.einsum("rt,rt->r", steps, true / flagged, dtype=np.float64) / positives
        caught = np.argmax(true >= needed(0.95, positives[:, None]), axis=1)
        false_then = np.take_along_axis(false, caught[:, None], axis=1)
        rate = false_then[:, 0] / negatives
        flagged += positives[:, None]
        f1 = 2 * np.max(true / flagged, axis=1)
    result = np.stack([precision, rate, f1])
    result[:, (positives == 0) | (negatives == 0)] = np.nan
    return result
