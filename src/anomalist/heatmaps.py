"""Heatmaps: from a pixel map to a score, to a mask at a threshold, to a picture."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Aggregation", "aggregate", "overlay"]

Aggregation = Literal["mean", "max", "top_1_percent", "top_10_percent"]

_SHARES = {"top_1_percent": 0.01, "top_10_percent": 0.1}


def aggregate(maps: NDArray[np.float32], how: Aggregation) -> NDArray[np.float32]:
    """Reduce each map to one score.

    Args:
        maps: float32 ``[N, H, W]``.
        how: ``"mean"`` of all pixels, ``"max"``, or the mean of the highest 1 % or 10 % (at
            least one pixel).

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
        count = max(1, round(flat.shape[1] * _SHARES[how]))
        highest = np.partition(flat, -count, axis=1)[:, -count:]
        # Sorted: the sum must not depend on partition's order.
        score = np.sort(highest, axis=1).mean(axis=1)
    return score


def overlay(
    image: NDArray[np.float32],
    heat: NDArray[np.float32],
    top: float,
    bottom: float = 0.0,
) -> NDArray[np.float32]:
    """Lay a map over its image, on a fixed scale.

    Take both ends from maps of held-out normal images, for example their median and their 0.9999
    quantile: a normal image then stays grey. A map of distances is far from 0 everywhere, so on a
    scale from 0 all of it would be orange.

    Args:
        image: float32 ``[C, H, W]`` in [0, 1], C 1 or 3.
        heat: float32 ``[H, W]``.
        top: the map's value at full strength, the same for all images that are compared.
        bottom: the highest value that is not drawn, below ``top``.

    Returns:
        float32 ``[H, W, 3]`` in [0, 1]: the image in grey, and orange where the map is high.
    """
    grey = np.repeat(image.mean(axis=0)[..., None], 3, axis=2) * 0.8
    strength = np.clip((heat - bottom) / max(top - bottom, 1e-12), 0, 1)[..., None]
    orange = np.array([0.90, 0.62, 0.0], np.float32)  # Okabe & Ito's colour-blind-safe orange
    blend: NDArray[np.float32] = (grey * (1 - strength) + orange * strength).astype(np.float32)
    return blend
