"""Overlap of predicted and true masks, pooled over all pixels of all images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalist.metrics._arrays import Bool, Int, bools, same_shape
from anomalist.metrics._bootstrap import cluster_counts

__all__ = ["dice", "flag_counts", "iou", "overlap_draws"]


def iou(predicted: ArrayLike, masks: ArrayLike) -> float:
    """Return the intersection over union of all pixels of all images (Jaccard index).

    It is ``|predicted and true| / |predicted or true|``.

    Args:
        predicted: [N, H, W], true = flagged as anomalous.
        masks: [N, H, W], true = anomalous.

    Returns:
        The ratio in [0, 1]; 1 if no pixel is flagged and no pixel is anomalous.

    Raises:
        InputError: shapes differ, or values other than 0 and 1.
    """
    jaccard, _ = _pooled_overlaps(predicted, masks)
    return jaccard


def dice(predicted: ArrayLike, masks: ArrayLike) -> float:
    """Return the Dice coefficient of all pixels of all images (pixel F1).

    It is ``2 |predicted and true| / (|predicted| + |true|)``.

    Args:
        predicted: [N, H, W], true = flagged as anomalous.
        masks: [N, H, W], true = anomalous.

    Returns:
        The ratio in [0, 1]; 1 if no pixel is flagged and no pixel is anomalous.

    Raises:
        InputError: shapes differ, or values other than 0 and 1.
    """
    _, f1 = _pooled_overlaps(predicted, masks)
    return f1


def _pooled_overlaps(predicted: ArrayLike, masks: ArrayLike) -> tuple[float, float]:
    """Return IoU and Dice of all pixels."""
    flagged, truth = _stacks(predicted, masks)
    total = flag_counts(flagged, truth).sum(axis=1, keepdims=True)
    jaccard, f1 = _overlaps(total)[:, 0].tolist()
    return jaccard, f1


def overlap_draws(
    flags: Int,
    index: Int,
    groups: int,
    seed: int,
    resamples: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return IoU and Dice on the data, [2, 1], and in each of R resamples, [2, R]."""
    counts = np.stack([np.bincount(index, row, groups) for row in flags])
    chunks = cluster_counts(seed, groups, resamples, groups)
    drawn = np.concatenate([counts @ chunk.T for chunk in chunks], axis=1)
    return _overlaps(counts.sum(axis=1, keepdims=True)), _overlaps(drawn)


def _stacks(predicted: ArrayLike, masks: ArrayLike) -> tuple[Bool, Bool]:
    """Return checked boolean arrays [N, H, W], which may contain a single class."""
    flagged = bools(predicted, "predicted")
    truth = bools(masks, "masks")
    same_shape(flagged, truth, ("predicted", "masks"), 3)
    return flagged, truth


def flag_counts(flagged: Bool, truth: Bool) -> Int:
    """Return the numbers of pixels that are both, flagged, and true, per image, [3, N]."""
    stacks = (flagged & truth, flagged, truth)
    return np.stack([np.count_nonzero(stack, axis=(1, 2)) for stack in stacks])


def _overlaps(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return IoU and Dice, [2, R], from the counts of :func:`flag_counts`; 1 if all are 0."""
    both, flagged, true = counts
    total = flagged + true
    is_empty = total == 0
    either = np.where(is_empty, 1, total - both)
    jaccard = np.where(is_empty, 1.0, both / either)
    f1 = np.where(is_empty, 1.0, 2 * both / (either + both))
    return np.stack([jaccard, f1])
