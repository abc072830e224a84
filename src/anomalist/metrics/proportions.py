"""Proportions of images with intervals."""

from __future__ import annotations

import numpy as np
import scipy  # submodules are loaded on first access
from numpy.typing import NDArray

from anomalist.core.errors import InputError
from anomalist.metrics.intervals import Estimate

__all__ = ["proportion_interval"]


def proportion_interval(hits: NDArray[np.bool_], confidence: float = 0.95) -> Estimate:
    """Return the proportion of true values with Wilson's score interval (Wilson, JASA 1927).

    Args:
        hits: bool ``[N]``, independent values.
        confidence: confidence level of the interval, in (0, 1).

    Raises:
        InputError: there are no values.
    """
    if hits.size == 0:
        raise InputError("proportion_interval needs at least one value")
    count = int(np.count_nonzero(hits))
    interval = scipy.stats.binomtest(count, hits.size).proportion_ci(confidence, "wilson")
    return Estimate(count / hits.size, float(interval.low), float(interval.high), hits.size)
