"""Metrics: pure functions of arrays (NumPy and SciPy only), each with a confidence interval.

``detection`` evaluates one score per image, ``localization`` one score per pixel. ``intervals``
computes the intervals of image-level metrics; those of pixel-level metrics are in ``localization``.
Higher scores are more anomalous, ties are exact, and ``clusters`` gives the source image of each
score if images are not independent.
"""

from anomalist.metrics.detection import (
    RocCurve,
    auroc,
    average_precision,
    best_f1,
    fpr_at_tpr,
    roc_curve,
)
from anomalist.metrics.intervals import Estimate, auroc_interval, detection_intervals, roc_band
from anomalist.metrics.localization import (
    aupro,
    localization_intervals,
    localization_metrics,
    pixel_auroc,
    pixel_average_precision,
)
from anomalist.metrics.overlap import dice, iou
from anomalist.metrics.proportions import proportion_interval

__all__ = [
    "Estimate",
    "RocCurve",
    "aupro",
    "auroc",
    "auroc_interval",
    "average_precision",
    "best_f1",
    "detection_intervals",
    "dice",
    "fpr_at_tpr",
    "iou",
    "localization_intervals",
    "localization_metrics",
    "pixel_auroc",
    "pixel_average_precision",
    "proportion_interval",
    "roc_band",
    "roc_curve",
]
