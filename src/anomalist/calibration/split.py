"""Split conformal prediction: thresholds and p-values from held-out normal images."""

from __future__ import annotations

import math

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

from anomalist.core.errors import InputError

__all__ = [
    "LOWEST_RATE",
    "USUAL_RATES",
    "check_enough",
    "images_needed",
    "p_values",
    "rate_range",
    "threshold",
    "usual_rate",
]

LOWEST_RATE = 1e-6
USUAL_RATES = (0.01, 0.02, 0.05, 0.1, 0.2)


def images_needed(false_alarm_rate: float) -> int:
    """Return the smallest number of normal images that supports a rate, ceil(1 / rate) - 1.

    Args:
        false_alarm_rate: in (0, 1).
    """
    return math.ceil(round(1 / false_alarm_rate, 9)) - 1


def usual_rate(count: int) -> float:
    """Return the lowest of the usual false-alarm rates that ``count`` normal images support.

    The usual rates are 0.01, 0.02, 0.05, 0.1 and 0.2. With fewer than 4 images it is
    1 / (count + 1), the lowest rate that they support.
    """
    for rate in USUAL_RATES:
        if images_needed(rate) <= count:
            return rate
    return 1 / (count + 1)


def check_enough(count: int, false_alarm_rate: float) -> None:
    """Check that there are enough held-out normal images, at least ceil(1 / rate) - 1.

    Args:
        count: number of held-out normal images.
        false_alarm_rate: in (0, 1).

    Raises:
        InputError: there are too few, or the rate is not in (0, 1).
    """
    if not LOWEST_RATE <= false_alarm_rate < 1:
        raise InputError(
            f"a false-alarm rate must lie between {LOWEST_RATE:g} and 1, got {false_alarm_rate:g}"
        )
    if _rank(count, false_alarm_rate) > count:
        need = images_needed(false_alarm_rate)
        rate = math.ceil(1e4 / (count + 1)) / 1e4
        raise InputError(
            f"a false-alarm rate of {false_alarm_rate:g} needs at least {need:,} held-out normal "
            f"images, got {count:,}; use more normal images, or a rate of at least {rate:g}"
        )


def threshold(normal: NDArray[np.float32], false_alarm_rate: float) -> float:
    """Return the score above which an image (or a pixel) is predicted anomalous.

    The threshold is the ceil((n + 1)(1 - rate))-th smallest of the n normal scores. If new normal
    images are exchangeable with these, the expected false-positive rate is at most
    ``false_alarm_rate``, on average over calibration sets (split conformal prediction: Vovk,
    Gammerman & Shafer, 2005). For a given calibration set the rate may be higher, see
    :func:`rate_range`. Pixels are not exchangeable, so their threshold is only a quantile.

    Args:
        normal: scores of held-out normal images (or all their pixels), any shape.
        false_alarm_rate: in (0, 1).

    Raises:
        InputError: too few normal scores for this rate.
    """
    check_enough(normal.size, false_alarm_rate)
    rank = _rank(normal.size, false_alarm_rate)
    return float(np.partition(normal, rank - 1, axis=None)[rank - 1])


def rate_range(
    count: int,
    false_alarm_rate: float,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return an interval of the false-alarm rate over calibration sets.

    :func:`threshold` controls the rate only on average over calibration sets. If the threshold is
    the k-th smallest of n scores without ties, the fraction of all normal images above it follows
    the distribution Beta(n + 1 - k, k) (Vovk, "Conditional validity of inductive conformal
    predictors", ACML 2012). For 40 images and a rate of 10 % the interval is 3 to 20 %; for 6,000
    images and 1 % it is 0.8 to 1.3 %.

    Args:
        count: number of held-out normal images.
        false_alarm_rate: in (0, 1).
        confidence: probability of the interval, in (0, 1).

    Raises:
        InputError: too few images for this rate.
    """
    check_enough(count, false_alarm_rate)
    rank = _rank(count, false_alarm_rate)
    tails = (1 - confidence) / 2, (1 + confidence) / 2
    low, high = scipy.stats.beta.ppf(tails, count + 1 - rank, rank)
    return float(low), float(high)


def _rank(n: int, false_alarm_rate: float) -> int:
    return max(1, math.ceil(round((n + 1) * (1 - false_alarm_rate), 9)))


def p_values(normal: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the conformal p-values of scores, (1 + #{normal >= s}) / (n + 1).

    Args:
        normal: ``[n]``, scores of held-out normal images.
        scores: ``[N]``.

    Returns:
        float64 ``[N]`` in [1 / (n + 1), 1].
    """
    below = np.searchsorted(np.sort(normal), scores, side="left")
    return (1 + len(normal) - below) / (len(normal) + 1)
