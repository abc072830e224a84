"""Surprise: how unlikely observed values are under predicted distributions over bins."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter
from scipy.special import logsumexp

from anomalist.heatmaps import aggregate

__all__ = [
    "AROUND",
    "HARDNESS",
    "LEAST",
    "LEAST_SPREAD",
    "LEAST_WEIGHT",
    "LINE",
    "SQUARES",
    "Surprise",
    "bin_edges",
    "bin_means",
    "combine",
    "features",
    "mean_excess",
    "mean_value",
    "pixel_map",
    "residuals",
    "surprise",
]

Array = NDArray[np.float32]

_QUANTILES = _UNIFORM = 8
_SAMPLE = 1_000_000  # values that the bins are computed from
LEAST = np.float32(1e-9)  # lower bound of a tail probability: 20 nats
# Windows, in pixels.
SQUARES = (3, 5, 7)
LINE = 7
HARDNESS = 2.0  # of the soft maximum
AROUND = 2.0  # sigma of the neighbourhood, in pixels
LEAST_WEIGHT = np.float32(0.01)  # in nats
LEAST_SPREAD = 1e-3  # in nats, for a feature that is constant over all normal images


class Surprise(NamedTuple):
    """Two measures of surprise and their expectations; nats, float32 ``[n, scales, H, W]``.

    A value in bin k has the surprise -log p_k and the tail surprise::

        -log(2 min(P(< k) + p_k / 2, P(> k) + p_k / 2))

    The latter is the logarithm of a two-sided mid-p-value (Lancaster, JASA 1961), which does not
    depend on how finely the likely values are divided into bins.
    """

    log: Array
    expected_log: Array  # the entropy
    tail: Array
    expected_tail: Array


def bin_edges(images: Array) -> Array:
    """Return the inner edges of the bins of values, ascending, float32 ``[bins - 1]``.

    Edges lie half-way between multiples of 1/255: uniform edges for eight bins; edges that separate
    exactly 0 and exactly 1; an edge above each of eight quantiles of all values; and an edge below
    each value that several quantiles share, so that it has its own bin. A value v lies in the bin
    ``searchsorted(edges, v)``.

    Args:
        images: float32 ``[N, C, H, W]`` in [0, 1].
    """
    levels = np.rint(np.quantile(_sample(images), (np.arange(_QUANTILES) + 0.5) / _QUANTILES) * 255)
    values, counts = np.unique(levels, return_counts=True)
    uniform = np.rint(np.arange(1, _UNIFORM) * 255 / _UNIFORM)
    edges = np.concatenate([[0, 254], uniform, values, values[counts > 1] - 1]) + 0.5
    return (np.unique(edges[(edges > 0) & (edges < 255)]) / 255).astype(np.float32)


def bin_means(images: Array, edges: Array) -> Array:
    """Return the mean value in [0, 1] of each bin, ``[bins]``; an empty bin has its midpoint."""
    sample = _sample(images)
    bins = np.searchsorted(edges, sample)
    counts = np.bincount(bins, minlength=len(edges) + 1)
    totals = np.bincount(bins, sample, minlength=len(edges) + 1)
    limits = np.concatenate([[0], edges, [1]])
    middles = (limits[:-1] + limits[1:]) / 2
    means: Array = np.where(counts > 0, totals / np.maximum(counts, 1), middles).astype(np.float32)
    return means.clip(0, 1)


def surprise(logits: Array, bins: NDArray[np.int64]) -> Surprise:
    """Compare predictions with observations; the result is summed over channels.

    Args:
        logits: float32 ``[n, scales, C, bins, H, W]``.
        bins: int ``[n, C, H, W]``, the number of each value's bin.
    """
    chance, log = _normalised(logits)
    index = np.broadcast_to(bins[:, None, :, None], (*log.shape[:3], 1, *log.shape[4:]))
    tail = np.minimum(_up_to(chance), _up_to(chance[:, :, :, ::-1])[:, :, :, ::-1])
    tail = np.log(np.clip(tail, LEAST, 1, out=tail), out=tail)

    def seen(values: Array) -> Array:
        result: Array = -np.take_along_axis(values, index, axis=3).sum(axis=(2, 3))
        return result

    def expected(values: Array) -> Array:
        result: Array = -(chance * values).sum(axis=3).sum(axis=2)
        return result

    return Surprise(seen(log), expected(log), seen(tail), expected(tail))


def mean_value(logits: Array, means: Array) -> Array:
    """Return the mean of each prediction, float32 ``[n, C, H, W]`` in [0, 1].

    Args:
        logits: float32 ``[n, C, bins, H, W]``.
        means: float32 ``[bins]``, the mean of each bin.
    """
    chance, _ = _normalised(logits[:, None])
    result: Array = (chance[:, 0] * means[:, None, None]).sum(axis=2)
    return result.clip(0, 1)


def residuals(images: Array, logits: Array, means: Array) -> Array:
    """Return (1 + x - predicted mean) / 2 at each scale, float32 ``[n, scales C, H, W]`` in [0, 1].

    Args:
        images: float32 ``[n, C, H, W]`` in [0, 1].
        logits: float32 ``[n, scales, C, bins, H, W]``.
        means: float32 ``[bins]``, the mean of each bin.
    """
    parts = [
        (1 + images - mean_value(logits[:, scale], means)) / 2 for scale in range(logits.shape[1])
    ]
    return np.concatenate(parts, axis=1)


def pixel_map(measured: Surprise) -> Array:
    """Return the mean tail surprise, weighted by the mean excess around it, ``[n, H, W]``.

    The neighbourhood is a Gaussian of sigma 2 pixels. The weight is at least 0.01 nats, so that the
    map is never negative and isolated surprising pixels still count.
    """
    tail = measured.tail.mean(axis=1)
    excess = tail - measured.expected_tail.mean(axis=1)
    weight = np.maximum(gaussian_filter(excess, (0, AROUND, AROUND)), LEAST_WEIGHT)
    result: Array = tail * weight
    return result


def features(measured: Surprise) -> Array:
    """Return the features of images, float32 ``[n, scales x 7]``.

    Each scale has seven features: the mean excess of the surprise over its expectation; the mean
    excess of the tail surprise and the mean of its highest 1 %; and the excess of the tail surprise
    summed over the window where that sum is highest, for squares of three sizes and for short
    horizontal or vertical lines.
    """
    n, scales, h, w = measured.tail.shape
    excess = measured.tail - measured.expected_tail
    highest = aggregate(measured.tail.reshape(n * scales, h, w), "top_1_percent").reshape(n, scales)
    squares = [_highest_window(excess, side, side) for side in SQUARES]
    lines = np.maximum(_highest_window(excess, 1, LINE), _highest_window(excess, LINE, 1))
    means = [
        (measured.log - measured.expected_log).mean(axis=(2, 3)),
        excess.mean(axis=(2, 3)),
        highest,
    ]
    return np.concatenate([*means, *squares, lines], axis=1)


def mean_excess(measured: Surprise) -> Array:
    """Return the mean excess of the surprise over its expectation, float32 ``[n]``, in nats."""
    result: Array = (measured.log - measured.expected_log).mean(axis=(1, 2, 3))
    return result


def combine(
    values: Array,
    mean: Array,
    spread: Array,
    how: Literal["features", "joint"] = "features",
) -> Array:
    """Return one score from standardised features z, float32 ``[n]``.

    It is their soft maximum log(sum exp(2 z)) / 2, or their sum.

    Args:
        values: float32 ``[n, features]``.
        mean: float32 ``[features]``, mean over normal images.
        spread: float32 ``[features]``, standard deviation over normal images.
        how: ``"features"`` for the soft maximum, ``"joint"`` for the sum.
    """
    standardised = (values.astype(np.float64) - mean) / np.maximum(spread, LEAST_SPREAD)
    total = (
        standardised.sum(axis=1)
        if how == "joint"
        else logsumexp(HARDNESS * standardised, axis=1) / HARDNESS
    )
    score: Array = total.astype(np.float32)
    return score


def _up_to(chance: Array) -> Array:
    """Return 2 (P(< k) + p_k / 2) for each bin k along axis 3.

    The loop over bins is faster than NumPy's cumsum, which is slow on inner axes.
    """
    result = np.empty_like(chance)
    below = np.zeros_like(chance[:, :, :, 0])  # twice the probability of lower bins
    for k in range(chance.shape[3]):
        np.add(below, chance[:, :, :, k], out=result[:, :, :, k])
        np.add(result[:, :, :, k], chance[:, :, :, k], out=below)
    return result


def _highest_window(excess: Array, rows: int, columns: int) -> Array:
    windows = uniform_filter(excess, (0, 0, rows, columns), mode="constant") * (rows * columns)
    highest: Array = windows.max(axis=(2, 3))
    return highest


def _normalised(logits: Array) -> tuple[Array, Array]:
    """Return probabilities and their logarithms; bins lie along axis 3."""
    log = logits - logits.max(axis=3, keepdims=True)
    chance = np.exp(log)
    total = chance.sum(axis=3, keepdims=True)
    chance /= total
    log -= np.log(total)
    return chance, log


def _sample(images: Array) -> Array:
    return images.ravel()[:: max(1, images.size // _SAMPLE)]
