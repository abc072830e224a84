"""Image-level metrics: how well do scores rank anomalous images above normal ones?

Every function takes ``scores`` [N] (any real dtype, higher = more anomalous) and ``labels`` [N] (1
or True = anomalous, 0 or False = normal). Images with equal scores are flagged together, so tied
scores have one exact result. ``InputError`` is raised for different shapes, NaN or infinity, and
labels of a single class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anomalist.metrics._arrays import Bool, Float, Int, fraction, scored

__all__ = ["RocCurve", "auroc", "average_precision", "best_f1", "fpr_at_tpr", "roc_curve"]


class RocCurve(NamedTuple):
    """A receiver operating characteristic, from (0, 0) at threshold infinity to (1, 1).

    Attributes:
        fpr: false-positive rate at each threshold, [T + 1], from 0 to 1.
        tpr: true-positive rate at each threshold, [T + 1], from 0 to 1.
        thresholds: infinity, then the T distinct scores, descending; an image is flagged if its
            score >= threshold.
    """

    fpr: NDArray[np.float64]
    tpr: NDArray[np.float64]
    thresholds: NDArray[np.float64]


def tie_ends(falling: Float) -> Int:
    """Return the last index of each run of equal values in ``falling`` [N], high to low."""
    changes = np.flatnonzero(falling[1:] != falling[:-1])
    return np.append(changes, len(falling) - 1)


def confusions(scores: Float, labels: Bool) -> tuple[Int, Int, Float]:
    """Return true positives, false positives and threshold at each distinct score, high to low."""
    order = np.argsort(scores)[::-1]
    falling = scores[order]
    ends = tie_ends(falling)
    true = np.cumsum(labels[order], dtype=np.int64)[ends]
    false = ends + 1 - true
    return true, false, falling[ends]


def needed(tpr: float, positives: Any) -> Any:
    """Return how many of ``positives`` give a true-positive rate of ``tpr``, despite rounding."""
    return np.ceil(tpr * positives - 1e-9)


def roc_curve(scores: ArrayLike, labels: ArrayLike) -> RocCurve:
    """Return the ROC curve through every distinct score (Fawcett, Pattern Recogn. Lett. 2006).

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.

    Returns:
        The curve, starting with the point (0, 0).

    Raises:
        InputError: shapes differ, a score is not finite, or a class is missing.
    """
    true, false, thresholds = confusions(*scored(scores, labels))
    return RocCurve(
        np.append(0.0, false / false[-1]),
        np.append(0.0, true / true[-1]),
        np.append(np.inf, thresholds),
    )


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the area under the ROC curve: P(anomalous scores higher) + P(equal) / 2, in [0, 1].

    This is the Mann-Whitney statistic (Hanley and McNeil 1982, eq. 1); 0.5 is chance.

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.

    Raises:
        InputError: shapes differ, a score is not finite, or a class is missing.
    """
    true, false, _ = confusions(*scored(scores, labels))
    # Doubled trapezoids in integers, which are exact for any number of images.
    widths = np.diff(false, prepend=0)
    heights = true + np.append(0, true[:-1])
    pairs = int(true[-1]) * int(false[-1])
    return float(np.sum(widths * heights) / (2 * pairs))


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the average precision, in (0, 1].

    It is the sum of (R_k - R_{k-1}) P_k over the distinct thresholds: the step-wise area under the
    precision-recall curve, without the optimistic bias of linear interpolation (Davis and Goadrich
    2006). Chance level is the fraction of anomalous images.

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.

    Raises:
        InputError: shapes differ, a score is not finite, or a class is missing.
    """
    true, false, _ = confusions(*scored(scores, labels))
    precision = true / (true + false)
    steps = np.diff(true, prepend=0)
    return float(np.sum(steps * precision) / true[-1])


def fpr_at_tpr(
    scores: ArrayLike,
    labels: ArrayLike,
    tpr: float = 0.95,
) -> float:
    """Return the lowest false-positive rate with a true-positive rate of at least ``tpr``.

    The rate is not interpolated, so it belongs to an actual threshold (FPR95 of Liang et al. 2018,
    ODIN).

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.
        tpr: the true-positive rate to reach, in (0, 1].

    Returns:
        The rate in [0, 1]; 0 is best.

    Raises:
        InputError: shapes differ, a score is not finite, one class is missing, or ``tpr`` is
            outside (0, 1].
    """
    share = fraction(tpr, "tpr")
    true, false, _ = confusions(*scored(scores, labels))
    first = int(np.searchsorted(true, needed(share, true[-1])))
    return float(false[first] / false[-1])


def best_f1(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the highest F1 = 2 TP / (2 TP + FP + FN) over all thresholds, in (0, 1].

    The threshold is optimised on the evaluated labels, so this is an upper bound for thresholds
    that are fixed beforehand (F1: van Rijsbergen 1979).

    Args:
        scores: [N], higher = more anomalous.
        labels: [N], 1 = anomalous.

    Raises:
        InputError: shapes differ, a score is not finite, or a class is missing.
    """
    true, false, _ = confusions(*scored(scores, labels))
    return float(np.max(2 * true / (true + false + true[-1])))
