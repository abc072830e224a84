"""Calibration: thresholds and p-values from held-out normal images alone; no test image is ever seen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from anomalist.errors import InputError

__all__ = ["p_values", "threshold"]


def threshold(normal: NDArray[np.float32], false_alarm_rate: float) -> float:
    """Return the score above which an image (or a pixel) is called anomalous.

    It is the ceil((n + 1)(1 - rate))-th smallest of the n normal scores: a new normal image, exchangeable with
    them, exceeds it with a chance of at most ``false_alarm_rate`` (split conformal prediction: Vovk, Gammerman
    & Shafer, 2005). For pixels, which are not exchangeable, it is a plain quantile.

    Args:
        normal: scores of held-out normal images (or all their pixels), any shape.
        false_alarm_rate: in (0, 1).

    Raises:
        InputError: too few normal scores for so low a rate.
    """
    if not 0 < false_alarm_rate < 1:
        raise InputError(f"false_alarm_rate must lie between 0 and 1, got {false_alarm_rate:g}")
    n = normal.size
    rank = math.ceil(round((n + 1) * (1 - false_alarm_rate), 9))
    if rank > n:
        need = math.ceil(1 / false_alarm_rate) - 1
        raise InputError(
            f"a false-alarm rate of {false_alarm_rate:g} takes {need:,} held-out normal images or more, got {n:,}"
        )
    return float(np.partition(normal, rank - 1, axis=None)[rank - 1])


def p_values(normal: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the chance, for each score, that a normal image scores as high: (1 + #{normal >= s}) / (n + 1).

    Args:
        normal: ``[n]``, scores of held-out normal images.
        scores: ``[N]``.

    Returns:
        float64 ``[N]`` in [1 / (n + 1), 1].
    """
    below = np.searchsorted(np.sort(normal), scores, side="left")
    return (1 + len(normal) - below) / (len(normal) + 1)
