"""Calibration: thresholds and p-values from held-out normal images; test images are not used."""

from __future__ import annotations

import math

import numpy as np
import scipy  # its parts are loaded when they are used
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = ["check_enough", "p_values", "rate_range", "threshold"]


def check_enough(count: int, false_alarm_rate: float) -> None:
    """Refuse fewer held-out normal images than a threshold needs, ceil(1 / rate) - 1.

    Args:
        count: how many there are.
        false_alarm_rate: in (0, 1).

    Raises:
        InputError: there are too few, or the rate is not in (0, 1).
    """
    if not 0 < false_alarm_rate < 1:
        raise InputError(f"false_alarm_rate must lie between 0 and 1, got {false_alarm_rate:g}")
    if _rank(count, false_alarm_rate) > count:
        need = math.ceil(round(1 / false_alarm_rate, 9)) - 1
        rate = math.ceil(1e4 / (count + 1)) / 1e4
        raise InputError(
            f"a false-alarm rate of {false_alarm_rate:g} takes {need:,} held-out normal images or "
            f"more, got {count:,}; set calibration to more, or false_alarm_rate to {rate:g} or "
            "more"
        )


def threshold(normal: NDArray[np.float32], false_alarm_rate: float) -> float:
    """Return the score above which an image (or a pixel) is called anomalous.

    It is the ceil((n + 1)(1 - rate))-th smallest of the n normal scores. A new normal image,
    exchangeable with them, exceeds it with a probability of at most ``false_alarm_rate``, on
    average over calibration sets (split conformal prediction: Vovk, Gammerman & Shafer, 2005). The
    rate of one given calibration set may be higher: :func:`rate_range` gives its range. For
    pixels, which are not exchangeable, it is a plain quantile.

    Args:
        normal: scores of held-out normal images (or all their pixels), any shape.
        false_alarm_rate: in (0, 1).

    Raises:
        InputError: too few normal scores for so low a rate.
    """
    check_enough(normal.size, false_alarm_rate)
    rank = _rank(normal.size, false_alarm_rate)
    return float(np.partition(normal, rank - 1, axis=None)[rank - 1])


def rate_range(
    count: int,
    false_alarm_rate: float,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the range of the false-alarm rate over calibration sets, with the given probability.

    :func:`threshold` ensures its rate on average over calibration sets. Given one set of n scores
    without ties and its k-th smallest as the threshold, the share of all normal images above it has
    the distribution Beta(n + 1 - k, k) (Vovk, "Conditional validity of inductive conformal
    predictors", ACML 2012). Of 40 images and a rate of 10 % the range is 3 to 20 %; of 6,000 images
    and 1 % it is 0.8 to 1.3 %.

    Args:
        count: held-out normal images.
        false_alarm_rate: in (0, 1).
        confidence: in (0, 1).

    Raises:
        InputError: too few images for that rate.
    """
    check_enough(count, false_alarm_rate)
    rank = _rank(count, false_alarm_rate)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = scipy.stats.beta.ppf(tails, count + 1 - rank, rank)
    return float(low), float(high)


def _rank(n: int, false_alarm_rate: float) -> int:
    return math.ceil(round((n + 1) * (1 - false_alarm_rate), 9))


def p_values(normal: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the p-values of scores, (1 + #{normal >= s}) / (n + 1).

    Args:
        normal: ``[n]``, scores of held-out normal images.
        scores: ``[N]``.

    Returns:
        float64 ``[N]`` in [1 / (n + 1), 1].
    """
    below = np.searchsorted(np.sort(normal), scores, side="left")
    return (1 + len(normal) - below) / (len(normal) + 1)
