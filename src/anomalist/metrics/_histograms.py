"""Pixel metrics of many resamples at once, from one histogram of scores per cluster."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from anomalist.metrics._arrays import Bool, Float, Int
from anomalist.metrics._bootstrap import cluster_counts
from anomalist.metrics._ranks import BLOCK, area_left_of, blocks

SHIFT = 12  # dropped bits of a float32: 2,048 steps remain per factor of 2
TOP = 0x7F800000 >> SHIFT  # the key of infinity, the largest key


def binned_draws(
    scores: Float,
    truth: Bool,
    weights: NDArray[np.float64],
    index: Int,
    groups: int,
    limit: float,
    bins: int,
    seed: int,
    resamples: int,
) -> NDArray[np.float64]:
    """Return pixel AUROC, average precision and AUPRO of binned scores, [3, 1 + R].

    The first column is for the data, the others for R resamples.

    Args:
        scores: [N, H, W].
        truth: [N, H, W], true = anomalous.
        weights: contribution of each anomalous pixel, in order, to the region overlap.
        index: [N], the cluster of each image, 0 ... groups - 1.
        groups: number of clusters.
        limit: false-positive rate that ends the AUPRO.
        bins: at most 256.
        seed: seed of the resampling.
        resamples: R.
    """
    points = scores[truth]
    binned = _binning(scores, truth, points, bins)
    every = _histogram(scores, binned, index, groups, bins)
    cells = np.repeat(index, np.count_nonzero(truth, axis=(1, 2))) * bins + binned(points)
    positive = np.bincount(cells, minlength=groups * bins)
    # All regions have the same weight; an image drawn twice contributes its regions twice.
    overlap = np.bincount(cells, weights, groups * bins)
    # Descending scores, so that cumulative sums are the pixels above a threshold. float32 halves
    # the time of the product.
    table = np.empty((groups, 3, bins), np.float32)
    for column, part in enumerate((every - positive, positive, overlap)):
        table[:, column] = part.reshape(groups, bins)[:, ::-1]
    flat = table.reshape(groups, 3 * bins)
    whole = np.ones((1, groups), dtype=np.float32)
    results = []
    for drawn in (whole, *cluster_counts(seed, groups, resamples, groups)):
        histograms = (drawn @ flat).reshape(len(drawn), 3, bins)
        results.append(_metrics(histograms, limit))
    return np.concatenate(results, axis=1)


def _metrics(histograms: NDArray[np.float32], limit: float) -> NDArray[np.float64]:
    """Return the three metrics of R resamples, [3, R].

    Args:
        histograms: [R, 3, bins], of normal, anomalous and weighted anomalous pixels.
        limit: false-positive rate that ends the AUPRO.
    """
    counts = histograms.astype(np.float64)
    reach = np.cumsum(counts, axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without one class gives NaN
        share = counts / reach[:, :, -1:]
        end = reach[:, 0] / reach[:, 0, -1:]
        start = end - share[:, 0]
        auroc = 1 - np.sum(share[:, 1] * (start + end) / 2, axis=1)
        flagged = np.maximum(reach[:, 0] + reach[:, 1], 1)
        precision = np.sum(share[:, 1] * reach[:, 1] / flagged, axis=1)
        aupro = np.sum(share[:, 2] * area_left_of(limit, start, end), axis=1) / limit
    result = np.stack([auroc, precision, aupro])
    result[:, ~np.isfinite(result).all(axis=0)] = np.nan
    return result


def _binning(
    scores: Float,
    truth: Bool,
    points: Float,
    bins: int,
) -> Callable[[Float], NDArray[np.int16]]:
    """Return a monotone map from scores to bins that each class fills about equally.

    The bin of a score is the number of edges at or below it, so only the order of scores matters.
    For speed, a table gives the bin by the leading bits of (score - lowest edge), which have the
    same order as the scores. For keys that contain an edge, the few scores are compared with the
    edges.
    """
    images, rows, columns = (max(1, size // 64) for size in scores.shape)
    part = scores[::images, ::rows, ::columns]
    normal = np.sort(part[~truth[::images, ::rows, ::columns]])
    anomalous = np.sort(points[:: max(1, len(points) // 65536)])
    if not len(normal):
        normal = anomalous
    ranks = np.linspace(0.001, 0.999, bins // 2)
    of_normal = normal[(ranks * len(normal)).astype(int)]
    of_anomalous = anomalous[(ranks * len(anomalous)).astype(int)]
    edges = np.unique(np.concatenate([of_normal, of_anomalous]))
    lowest = edges[0]
    inner = edges[1:]

    def key(values: Float) -> NDArray[np.int32]:
        with np.errstate(over="ignore"):
            offset = np.subtract(values, lowest, dtype=values.dtype)
            np.maximum(offset, 0, out=offset)
            bits: NDArray[np.int32] = offset.astype(np.float32, copy=False).view(np.int32)
        return bits >> SHIFT

    held = key(inner)
    table = np.searchsorted(held, np.arange(TOP + 1), side="right").astype(np.int16)
    table[held] = -1

    def binned(values: Float) -> NDArray[np.int16]:
        result: NDArray[np.int16] = table[key(values)]
        unclear = np.nonzero(result < 0)
        result[unclear] = np.searchsorted(inner, values[unclear], side="right")
        return result

    return binned


def _histogram(
    scores: Float,
    binned: Callable[[Float], NDArray[np.int16]],
    index: Int,
    groups: int,
    bins: int,
) -> Int:
    """Return how many pixels of each cluster fall in each bin, [groups x bins]."""
    counts = np.zeros(groups * bins, dtype=np.int64)
    order = np.argsort(index)  # so that a block contains few clusters
    for part in blocks(len(scores), scores[0].size, 4 * BLOCK):
        images = order[part]
        first = index[images[0]]
        last = index[images[-1]]
        start = (index[images] - first) * bins  # first bin of each image's cluster
        cells = binned(scores[images]).astype(np.int32)
        cells += start.astype(np.int32)[:, None, None]
        width = int(last - first + 1) * bins
        touched = slice(first * bins, first * bins + width)
        counts[touched] += np.bincount(cells.ravel(), minlength=width)
    return counts
