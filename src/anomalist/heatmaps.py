"""Heatmaps: reduce pixel maps to image scores, and draw them over images."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Aggregation", "aggregate", "count_of", "overlay"]

Aggregation = Literal["mean", "max", "top_1_percent", "top_10_percent"]

_SHARES = {"top_1_percent": 0.01, "top_10_percent": 0.1}


def aggregate(maps: NDArray[np.float32], how: Aggregation) -> NDArray[np.float32]:
    """Reduce each map to one score.

    Args:
        maps: float32 ``[N, H, W]``.
        how: ``"mean"`` or ``"max"`` of all pixels, or the mean of the highest 1 % or 10 % of the
            pixels (at least one).

    Returns:
        float32 ``[N]``.
    """
    flat = maps.reshape(len(maps), -1)
    score: NDArray[np.float32]
    if how == "mean":
        score = flat.mean(axis=1, dtype=np.float64).astype(np.float32)
    elif how == "max":
        score = flat.max(axis=1)
    else:
        count = count_of(flat.shape[1], how)
        highest = np.partition(flat, -count, axis=1)[:, -count:]
        # Sorted, because the sum must not depend on the order of np.partition.
        score = np.sort(highest, axis=1).mean(axis=1)
    return score


def count_of(pixels: int, how: Aggregation) -> int:
    """Return how many of the highest pixels a share of 1 % or 10 % has, at least one."""
    return max(1, round(pixels * _SHARES[how]))


def overlay(
    image: NDArray[np.float32],
    heat: NDArray[np.float32],
    top: float,
    bottom: float = 0.0,
    opacity: float = 1.0,
) -> NDArray[np.float32]:
    """Draw a map over its image on a fixed scale.

    Compute both ends from maps of held-out normal images, for example their median and 0.9999
    quantile, so that normal images stay grey. Maps of distances are far from 0 everywhere; on a
    scale that starts at 0 they would be completely orange.

    Args:
        image: float32 ``[C, H, W]`` in [0, 1], C 1 or 3.
        heat: float32 ``[H, W]``.
        top: map value drawn at full strength; use the same one for all images to compare.
        bottom: map value below which nothing is drawn, less than ``top``.
        opacity: share of orange at full strength, in [0, 1]; below 1 the image stays visible.

    Returns:
        float32 ``[H, W, 3]`` in [0, 1]: the image in grey, and orange where the map is high.
    """
    grey = np.repeat(image.mean(axis=0)[..., None], 3, axis=2) * 0.8
    strength = np.clip((heat - bottom) / max(top - bottom, 1e-12), 0, 1)[..., None] * opacity
    orange = np.array([0.90, 0.62, 0.0], np.float32)  # Okabe & Ito's colour-blind-safe orange
    blend: NDArray[np.float32] = (grey * (1 - strength) + orange * strength).astype(np.float32)
    return blend
