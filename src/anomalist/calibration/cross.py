"""Cross-conformal prediction: every normal image serves for training and for calibration.

The normal images are divided into K folds. Detector k is fitted without fold k and scores it. The
p-value of a new image x, with n normal images in total, is (Vovk, "Cross-conformal predictors",
Annals of Mathematics and AI 2015, eq. 4)::

    p(x) = (1 + sum over k of #{i in fold k: s_k(x_i) >= s_k(x)}) / (n + 1)

With one image per fold this is the p-value behind the jackknife+ (Barber, Candes, Ramdas &
Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 2021). Their bound of
the rate is above the nominal rate, see :func:`proven_rate`; docs/guide/thresholds.md has measured
rates. With a single held-out fold the p-value is that of split conformal prediction, whose expected
rate is at most the nominal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anomalist.calibration.split import threshold

__all__ = ["ReferenceScores", "proven_rate"]

_AT_ONCE = 1 << 20  # scores compared at once


class ReferenceScores:
    """The scores of normal images, by the detector that was fitted without them.

    Attributes:
        folds: the sorted scores of each fold, float32 ``[n_k]``; a single fold for split conformal
            prediction.
        count: n, the number of normal images in all folds.
    """

    def __init__(self, folds: Sequence[NDArray[np.float32]]) -> None:
        self.folds = [np.sort(fold) for fold in folds]
        self.count = sum(len(fold) for fold in folds)

    def reached(self, scores: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return how many normal images score at least as high.

        Args:
            scores: ``[K, ...]``, the scores by the detector of each fold.

        Returns:
            int64 ``[...]`` in 0..n.
        """
        total = np.zeros(scores.shape[1:], np.int64)
        for fold, own in zip(self.folds, scores, strict=True):
            total += len(fold) - np.searchsorted(fold, own, side="left")
        return total

    def p_values(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the p-values of scores ``[K, ...]``, float64 ``[...]`` in [1 / (n + 1), 1]."""
        return (1 + self.reached(scores)) / (self.count + 1)

    def percentiles(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the percentage of normal images that score lower, in [0, 100]."""
        return 100 * (1 - self.reached(scores) / max(self.count, 1))

    def exceeded(self, scores: NDArray[np.float32], rate: float) -> NDArray[np.bool_]:
        """Return whether p is at most ``rate``: whether a score is anomalous at that rate.

        Args:
            scores: ``[K, ...]``.
            rate: the false-alarm rate, in (0, 1).
        """
        if len(self.folds) == 1:  # the same, with less memory for large maps
            above: NDArray[np.bool_] = scores[0] > threshold(self.folds[0], rate)
            return above
        flat = scores.reshape(len(scores), -1)
        found = np.empty(flat.shape[1], np.bool_)
        for first in range(0, len(found), _AT_ONCE):
            columns = slice(first, first + _AT_ONCE)
            found[columns] = self.reached(flat[:, columns]) < self._most(rate)
        return found.reshape(scores.shape[1:])

    def threshold(self, rate: float) -> float | None:
        """Return the score above which p is at most ``rate``; None if several detectors decide.

        Args:
            rate: the false-alarm rate, in (0, 1).
        """
        if len(self.folds) != 1:
            return None
        return threshold(self.folds[0], rate)

    def _most(self, rate: float) -> int:
        """Return floor(rate (n + 1)), the largest rank, counted from the highest, of an anomaly."""
        return math.floor(round(rate * (self.count + 1), 9))


def proven_rate(count: int, folds: int, rate: float) -> float:
    """Return the highest false-alarm rate that cross calibration can have, at most 1.

    It is 2 rate + min(2 (1 - 1/K) / (n/K + 1), (1 - K/n) / (K + 1)) for K folds of n images (Barber
    et al. 2021, theorem 4, for intervals of residuals, of which scores are the one-sided case).

    Args:
        count: n.
        folds: K.
        rate: the nominal rate, in (0, 1).
    """
    of_large_folds = 2 * (1 - 1 / folds) / (count / folds + 1)
    of_small_folds = (1 - folds / count) / (folds + 1)
    return min(1.0, 2 * rate + min(of_large_folds, of_small_folds))
