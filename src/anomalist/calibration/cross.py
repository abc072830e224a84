"""Cross-conformal prediction: every normal image serves for training and for calibration.

The normal images are divided into K folds. Detector k is fitted without fold k and scores it. The
p-value of a new image x, with n normal images in total, is (Vovk, "Cross-conformal predictors",
Annals of Mathematics and AI 2015, eq. 4)::

    p(x) = (1 + sum over k of #{i in fold k: s_k(x_i) >= s_k(x)}) / (n + 1)

With one image per fold this is the p-value behind the jackknife+ (Barber, Candes, Ramdas &
Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 2021). They prove that
the false-alarm rate is at most about twice the nominal one; in practice it is close to the nominal
rate. With a single held-out fold the p-value is that of split conformal prediction, whose rate is
at most the nominal one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["ReferenceScores"]


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
        return self.reached(scores) < self._most(rate)

    def _most(self, rate: float) -> int:
        """Return floor(rate (n + 1)), the largest number of ranks that are anomalous."""
        return math.floor(round(rate * (self.count + 1), 9))
